"""Find a learning rate with a range test, and train with the 1cycle policy, in one call each."""

import contextlib
import inspect
import types
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, final

import keras
import numpy as np

from keras_optlab import drawing
from keras_optlab.arguments.domain import DECAY_RATE, POSITIVE, Integer, Real
from keras_optlab.callbacks.one_cycle import OneCycle, check_learning_rate, momentum_name
from keras_optlab.keras_glue.hooks import parts_to_build
from keras_optlab.lab.learning_rate_range import LearningRateRange
from keras_optlab.lab.sweep import Sweep
from keras_optlab.lab.trace import without_trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Arguments of `fit` that a range test takes too.
SHARED = ("batch_size", "sample_weight", "class_weight", "shuffle", "validation_split")


def find_learning_rate(
    model: keras.Model,
    x: Any,
    y: Any = None,
    *,
    start: float = 1e-7,
    end: float = 10.0,
    steps: int = 100,
    batch_size: int | None = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    shuffle: bool | str = True,
    validation_split: float = 0.0,
    smoothing: float = 0.98,
    stop_factor: float = 4.0,
) -> LearningRateRange:
    r"""Find a learning rate: train with rates from small to large and watch the loss.

    Update i of N = `steps` uses the rate

        η_i = `start` (`end` / `start`)^(i / (N - 1)),    i = 0 .. N - 1

    and the losses L_i are smoothed with β = `smoothing`:

        s_i = (β s_{i-1} (1 - β^i) + (1 - β) L_i) / (1 - β^{i+1}).

    The test ends after N updates, or as soon as s_i > min s + (`stop_factor` - 1) |min s| or L_i
    is not finite. The suggestions skip the first tenth of the s_i and use those up to the lowest
    that remains.

    The model's `fit` does the training, on any data that `fit` takes; data with too few batches is
    repeated. A generator cannot be rewound: pass the function that makes it. A step is an update
    of the weights: with `gradient_accumulation_steps=k` it takes k batches and counts their mean
    loss. During the test, the model's `steps_per_execution` is 1, and the sweep takes over from a
    schedule and `learning_rate_scale`; it then keeps its rate when a `LossScaleOptimizer` skips an
    update. The optimizer starts from its current state.

    Everything is restored afterwards, bit for bit, even if training was interrupted: weights and
    other state of the layers, metrics, `model.history`, the optimizer and its schedule, the
    compiled train function, and the random generators of Python, NumPy, Keras, TensorFlow and
    torch. A model or optimizer that was not built yet is left built, with its initial values. A
    `PyDataset` is not notified when epochs begin or end. How often `tf.data`'s `shuffle` was
    iterated cannot be undone.

    Args:
        model: A compiled model.
        x: Input data, as for `fit`; or a function without arguments that returns a generator.
        y: Target data, as for `fit`. Defaults to `None`.
        start: Float > 0, the first rate. Defaults to `1e-7`.
        end: Float > `start`, the last rate. Defaults to `10.0`.
        steps: Integer >= 2, N. Defaults to `100`.
        batch_size: Integer >= 1 or None, as for `fit`; use the same one for training.
        sample_weight: As for `fit`.
        class_weight: As for `fit`.
        shuffle: As for `fit`.
        validation_split: Float in [0, 1), the fraction of arrays to leave out, as in `fit`.
        smoothing: Float in [0, 1), β. Defaults to `0.98`.
        stop_factor: Float > 1, how far the smoothed loss may rise above its minimum before the test
            ends; if the minimum is positive, a multiple of it. Defaults to `4.0`.

    Returns:
        A `LearningRateRange`: print it, `.plot()` it, or take its `.suggestion`.

    Raises:
        ValueError: For an argument outside its range, a model that is not compiled, an optimizer
            without a single learning rate, a generator, data without batches, or a loss that is
            not finite at the first step.
        TypeError: For an argument of another type.

    Sources: Smith, 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3;
    `valley`, `steepest` and `minimum_tenth` are the `valley`, `steep` and `minimum` of fastai's
    `lr_find`, which the defaults of the sweep come from too.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adam(), loss="mse")
    >>> rates = keras_optlab.find_learning_rate(model, x, y)
    >>> one_cycle = keras_optlab.callbacks.OneCycle(max_learning_rate=rates.suggestion)
    >>> _ = model.fit(x, y, epochs=2, verbose=0, callbacks=[one_cycle])
    """
    optimizer = _single_optimizer(model, "find_learning_rate")
    start, end = POSITIVE.check("start", start), POSITIVE.check("end", end)
    if start >= end:
        raise ValueError(f"`start` must be less than `end`. Received: start={start} and end={end}.")
    sweep = Sweep(
        np.geomspace(start, end, Integer(low=2).check("steps", steps)).tolist(),
        optimizer,
        DECAY_RATE.check("smoothing", smoothing),
        Real(low=1.0, open_low=True).check("stop_factor", stop_factor),
    )
    with without_trace(model, x, lambda: _build(model, _rewindable(x), y, batch_size)):
        model.train_function = None
        model.steps_per_execution = 1
        epochs = sweep.batches_needed()
        fit: Any = model.fit
        try:
            with sweep.in_place_of_schedule():
                fit(
                    _rewindable(x),
                    y,
                    batch_size=batch_size,
                    sample_weight=sample_weight,
                    class_weight=class_weight,
                    shuffle=shuffle,
                    validation_split=validation_split,
                    validation_freq=epochs + 1,
                    epochs=epochs,
                    verbose=0,
                    callbacks=[sweep],
                )
        except UnboundLocalError:
            # On JAX, `fit` ends like this if data has no batch; `result` raises a clear error.
            if sweep.has_seen_a_batch:
                raise
    return sweep.result()


def _rewindable(x: Any) -> Any:
    """Return the data to pass to `fit`, which may have to go through it again."""
    if isinstance(x, types.GeneratorType):
        raise ValueError(
            "A generator cannot be rewound, and the batches that the test takes would be lost. "
            f"Received: x={x!r}. Give the function that makes it, without calling it: "
            f"`{x.__name__}`, or `lambda: {x.__name__}(...)`."
        )
    return _batches_of(x) if isinstance(x, types.FunctionType | types.MethodType) else x


def _batches_of(function: Callable[[], Iterator]) -> Iterator:
    """Yield the batches of a generator function, which is called again when they run out."""
    while True:
        batch = None
        for batch in function():
            yield batch
        if batch is None:
            raise ValueError(
                "The function given as `x` must return a generator of batches. Received: "
                f"x={function!r}, whose generator is empty."
            )


def _single_optimizer(model: Any, caller: str) -> keras.optimizers.Optimizer:
    optimizer = getattr(model, "optimizer", None)
    if not getattr(model, "compiled", False) or optimizer is None:
        raise ValueError(
            f"{caller} needs a compiled model. Received: model={model!r}, which "
            "has no optimizer. Call `model.compile(optimizer, loss)` first."
        )
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if hasattr(optimizer, "optimizers"):
        raise ValueError(
            f"{caller} needs an optimizer with one learning rate. Received: "
            f"{type(optimizer).__name__}, which has one for each of its optimizers. Use an "
            "optimizer of keras_optlab.optimizers with `groups=[ParameterGroup(...)]`."
        )
    return optimizer


def _build(model: keras.Model, data: Any, y: Any, batch_size: int | None) -> None:
    """Build everything that `fit` would build, without a training step."""
    if parts_to_build(model) or not model.built:
        eager = model.run_eagerly
        model.run_eagerly = True
        try:
            evaluate: Any = model.evaluate
            evaluate(data, y, batch_size=batch_size, steps=1, verbose=0)
        finally:
            model.run_eagerly = eager
    if not model.optimizer.built:
        # Only on TensorFlow does a model have a strategy for replicas.
        strategy = getattr(model, "distribute_strategy", None)
        with strategy.scope() if strategy else contextlib.nullcontext():
            model.optimizer.build(model.trainable_variables)


@final
@dataclass(frozen=True)
class OneCycleResult:
    """Result of `fit_one_cycle`.

    Args:
        history: Keras' `History`. Its `history` holds the metrics, and the last `learning_rate` and
            `momentum` of each epoch.
        learning_rates: Tuple of floats, the learning rate of each update.
        momenta: Tuple of floats, the momentum of each update; empty if it was not cycled.
        learning_rate_range: `LearningRateRange` of the range test, or None if the learning rate
            was given.
    """

    history: keras.callbacks.History
    learning_rates: tuple[float, ...]
    momenta: tuple[float, ...]
    learning_rate_range: LearningRateRange | None

    def plot(self, path: str | PathLike | None = None) -> "Figure":
        """Plot losses by epoch, and rates and momenta by update, as a matplotlib `Figure`.

        If `path` is given, the figure is also saved there, in the format of its extension.
        """
        figure = drawing.new_figure(3 if self.momenta else 2, height=2.2)
        losses, *others = figure.axes
        for name, label in (("loss", "training"), ("val_loss", "validation")):
            values = self.history.history.get(name, [])
            if values:
                ends = np.linspace(0, len(self.learning_rates), len(values) + 1)[1:]
                losses.plot(ends, values, marker="o", label=label)
        losses.set_ylabel("loss")
        losses.legend(frameon=False)
        curves = (("learning rate", self.learning_rates), ("momentum", self.momenta))
        for axes, (label, values) in zip(others, curves, strict=False):
            axes.plot(values, color=drawing.CURVE)
            axes.set_ylabel(label)
        figure.axes[-1].set_xlabel("update")
        drawing.save(figure, path)
        return figure


def fit_one_cycle(
    model: keras.Model,
    x: Any,
    y: Any = None,
    epochs: int = 1,
    max_learning_rate: float | None = None,
    *,
    cycle_momentum: bool | None = None,
    **arguments: Any,
) -> OneCycleResult:
    """Train a model with the 1cycle policy, finding its learning rate first if none is given.

    Calls `find_learning_rate`, if needed, and then `model.fit` with `callbacks.OneCycle` ahead of
    your callbacks.

    Args:
        model: A compiled model.
        x: Input data, as for `fit`. A generator, which cannot be rewound, needs
            `max_learning_rate`.
        y: Target data, as for `fit`. Defaults to `None`.
        epochs: Integer >= 1, as for `fit`. Defaults to `1`.
        max_learning_rate: Float >= 0, the highest rate of the cycle, or None for the
            `suggestion` of `find_learning_rate`. Defaults to `None`.
        cycle_momentum: Boolean, or None to cycle momentum if the optimizer supports it, and to warn
            if not: a built-in Keras optimizer compiles its momentum into the step. Defaults to
            `None`.
        **arguments: Further arguments of `OneCycle` (`pct_start`, `div_factor`, ...) and of
            `fit` (`batch_size`, `validation_data`, `callbacks`, `verbose`, ...).

    Returns:
        A `OneCycleResult`: Keras' `history`, the rates and momenta of every update, and the range
        test; `.plot()` draws them.

    Raises:
        ValueError: If the model is not compiled or its learning rate is a schedule; see also
            `find_learning_rate`, `OneCycle` and `fit`.
        TypeError: For an argument that neither `fit` nor `OneCycle` has.

    Sources: Smith & Topin, 2018, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates"; `fit_one_cycle` of fastai.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adam(), loss="mse")
    >>> result = keras_optlab.fit_one_cycle(model, x, y, epochs=3, batch_size=16, verbose=0)
    >>> len(result.learning_rates), len(result.history.history["learning_rate"])
    (12, 3)
    """
    optimizer = _single_optimizer(model, "fit_one_cycle")
    check_learning_rate(optimizer)
    declared = OneCycle.declared_arguments
    of_cycle = {name: arguments.pop(name) for name in declared if name in arguments}
    # Report wrong arguments before the search for a rate.
    try:
        inspect.signature(model.fit).bind(x, y, epochs=epochs, **arguments)
    except TypeError as error:
        raise TypeError(
            f"fit_one_cycle takes the arguments of OneCycle and of `fit`: {error}."
        ) from None
    if cycle_momentum is None:
        cycle_momentum = True
        try:
            momentum_name(optimizer)
        except ValueError as reason:
            cycle_momentum = False
            message = f"fit_one_cycle cycles the learning rate without momentum. {reason}"
            warnings.warn(message, stacklevel=2)
    of_cycle["cycle_momentum"] = cycle_momentum
    one_cycle = OneCycle(1.0 if max_learning_rate is None else max_learning_rate, **of_cycle)
    found = None
    if max_learning_rate is None:
        shared = {name: arguments[name] for name in SHARED if name in arguments}
        found = find_learning_rate(model, x, y, **shared)
        one_cycle = OneCycle(found.suggestion, **of_cycle)
    callbacks = [one_cycle, *keras.tree.flatten(arguments.pop("callbacks", None) or [])]
    history = model.fit(x, y, epochs=epochs, callbacks=callbacks, **arguments)
    rates, momenta = (tuple(one_cycle.history[name]) for name in ("learning_rate", "momentum"))
    return OneCycleResult(history, rates, momenta, found)
