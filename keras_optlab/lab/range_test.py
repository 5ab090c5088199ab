"""The learning-rate range test: train with a rate that rises, and see where the loss falls."""

import contextlib
import math
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab import drawing
from keras_optlab.arguments.domain import DECAY_RATE, POSITIVE, Integer, Real
from keras_optlab.arguments.hyperparameter import LearningRateSchedule
from keras_optlab.callbacks.one_cycle import accumulation
from keras_optlab.keras_glue.hooks import held_learning_rate, parts_to_build
from keras_optlab.keras_glue.types import Callback, to_numpy
from keras_optlab.lab.trace import without_trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The part of the sweep, from its start, that suggestions leave out: the average of the first few
# losses says little. As in fastai.
HEAD = 0.1


@final
@dataclass(frozen=True)
class LearningRateRange:
    """What a range test saw, and the rates that it suggests.

    `str` of it is a small table. Each loss is that of a batch before the update with the rate
    beside it, as in fastai.

    Args:
        learning_rates: Tuple of floats, the rate of each update.
        losses: Tuple of floats, the loss at each; the mean where several batches make an update.
        smoothed_losses: Tuple of floats, their moving average.
        steepest: Float, the rate at which the smoothed loss falls fastest, for a given factor on
            the rate. This and the next two are None if the loss fell at no rate.
        valley: Float, the rate in the middle of the longest fall of the smoothed loss.
        minimum_tenth: Float, a tenth of the rate at which the smoothed loss is lowest.
        diverged_at: Float, the rate at which the loss had diverged, or None if it did not.
    """

    learning_rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed_losses: tuple[float, ...]
    steepest: float | None
    valley: float | None
    minimum_tenth: float | None
    diverged_at: float | None

    @property
    def suggestion(self) -> float:
        """The rate to take: `valley`, which is fastai's choice too.

        Raises:
            ValueError: If the loss fell at no rate.
        """
        if self.valley is None:
            raise ValueError(
                "No learning rate can be suggested, since the loss fell at none of those tried. "
                f"Received: {self.tried()}. Look at `.plot()`, and try a smaller `start`, a "
                "greater `end`, more `steps` or less `smoothing`."
            )
        return self.valley

    def suggestions(self) -> dict[str, float]:
        """The suggested rates, by name; empty if the loss fell at no rate."""
        found = {
            "valley": self.valley,
            "steepest": self.steepest,
            "a tenth of minimum": self.minimum_tenth,
        }
        return {name: rate for name, rate in found.items() if rate is not None}

    def tried(self) -> str:
        """The rates that were tried, in words."""
        end = self.diverged_at or self.learning_rates[-1]
        outcome = "where the loss diverged" if self.diverged_at else "without diverging"
        return f"learning rates from {self.learning_rates[0]:.3g} to {end:.3g}, {outcome}"

    def __str__(self) -> str:
        lines = [f"{len(self.losses)} steps at {self.tried()}"]
        lines += [f"    {name:20}{rate:.3g}" for name, rate in self.suggestions().items()]
        last = "none: the loss fell at no rate" if self.valley is None else f"{self.valley:.3g}"
        return "\n".join([*lines, f"suggestion: {last}"])

    def plot(self, path: str | PathLike | None = None) -> "Figure":
        """Draw the loss over the learning rate, with the suggestions.

        Args:
            path: File to write, whose ending says the format, or None. Defaults to `None`.

        Returns:
            The matplotlib `Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        figure = drawing.new_figure()
        axes = figure.axes[0]
        rates, smoothed = np.array(self.learning_rates), np.array(self.smoothed_losses)
        axes.plot(rates, self.losses, color="#b9c1ca", linewidth=0.8, label="loss")
        axes.plot(rates, smoothed, color="#1f2329", linewidth=1.6, label="smoothed")
        looks = (("#0072b2", "o"), ("#f0b040", "s"), ("#009e73", "^"))
        for (name, rate), (colour, marker) in zip(self.suggestions().items(), looks, strict=False):
            loss = np.interp(math.log(rate), np.log(rates), smoothed)
            label = f"{name}: {rate:.2g}"
            axes.axvline(rate, color=colour, linewidth=0.8)
            axes.plot([rate], [loss], marker, color=colour, label=label, linestyle="none")
        # A single batch that blew up would press all else flat.
        low, high = min(self.losses), smoothed[: max(1, int(smoothed.argmin()))].max()
        margin = 0.25 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.legend(frameon=False)
        drawing.save(figure, path)
        return figure


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

    and from the losses L_i, with β = `smoothing`, comes the smoothed loss

        s_i = (β s_{i-1} (1 - β^i) + (1 - β) L_i) / (1 - β^{i+1}).

    The test ends after N updates, or when s_i > min s + (`stop_factor` - 1) |min s|, or L_i is
    not finite. The suggestions are taken from the s_i between a tenth of the way and the lowest
    after it.

    The model trains in its own `fit`, so whatever `fit` takes will do: arrays, lists and dicts of
    them, `tf.data.Dataset`, `keras.utils.PyDataset`, torch `DataLoader`. Data of fewer batches
    is taken several times over. A generator cannot be rewound: give the function that makes it,
    without calling it. A step is an update of the weights: with
    `gradient_accumulation_steps=k` it takes k batches, whose mean loss counts. The model's
    `steps_per_execution` counts as 1 meanwhile.

    A learning rate that is a schedule gives way to the sweep, `learning_rate_scale` too. (Where
    a `LossScaleOptimizer` skips an update, such a sweep stays at its rate, as `learning_rates`
    then says.) The optimizer starts with the state it has: a model trained halfway is tested
    where it is.

    Afterwards everything is, bit for bit, as before, also if training was interrupted: weights
    and all other state of the layers, metrics, `model.history`, the optimizer with its step
    count, slots, hyperparameters and schedule, the compiled train function, and the random
    generators of Python, NumPy, Keras, TensorFlow and torch. A model or optimizer that was not
    built yet is built, with the values that it begins with, as by `fit`. Data is iterated anew,
    a `PyDataset` without its `on_epoch_begin` and `on_epoch_end`; what data does to itself while
    it is read (`tf.data`'s `shuffle` counts how often it was) cannot be undone.

    Args:
        model: A compiled model.
        x: Input data, as for `fit`; or a function without arguments that returns a generator.
        y: Target data, as for `fit`. Defaults to `None`.
        start: Float > 0, the first rate. Defaults to `1e-7`.
        end: Float > `start`, the last rate. Defaults to `10.0`.
        steps: Integer >= 2, N. Defaults to `100`.
        batch_size: Integer >= 1 or None, as for `fit`; train with the same one.
        sample_weight: As for `fit`.
        class_weight: As for `fit`.
        shuffle: As for `fit`.
        validation_split: Float in [0, 1), the part of arrays left out, as by `fit`.
        smoothing: Float in [0, 1), β. Defaults to `0.98`.
        stop_factor: Float > 1, how far above its minimum the smoothed loss ends the test; where
            the minimum is positive, a factor. Defaults to `4.0`.

    The defaults of `start`, `end`, `steps`, `smoothing` and `stop_factor` are fastai's.

    Returns:
        A `LearningRateRange`: print it, `.plot()` it, or take its `.suggestion`.

    Raises:
        ValueError: For an argument outside its range, a model that is not compiled, an optimizer
            without one learning rate, a generator, data without a batch, or a loss that is not
            finite from the first step.
        TypeError: For an argument of another type.

    Sources: Smith, 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3;
    `valley`, `steepest` and `minimum_tenth` are the `valley`, `steep` and `minimum` of fastai's
    `lr_find`.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adam(), loss="mse")
    >>> rates = keras_optlab.lab.find_learning_rate(model, x, y)
    >>> one_cycle = keras_optlab.callbacks.OneCycle(max_learning_rate=rates.suggestion)
    >>> _ = model.fit(x, y, epochs=2, verbose=0, callbacks=[one_cycle])
    """
    optimizer = single_optimizer(model, "find_learning_rate")
    start, end = POSITIVE.check("start", start), POSITIVE.check("end", end)
    if start >= end:
        raise ValueError(f"`start` must be less than `end`. Received: start={start} and end={end}.")
    sweep = Sweep(
        np.geomspace(start, end, Integer(low=2).check("steps", steps)).tolist(),
        optimizer,
        DECAY_RATE.check("smoothing", smoothing),
        Real(low=1.0, open_low=True).check("stop_factor", stop_factor),
    )
    with without_trace(model, x) as all_is_built:
        build(model, rewindable(x), y, batch_size)
        all_is_built()
        model.train_function = None
        model.steps_per_execution = 1
        epochs = sweep.batches_needed()
        try:
            sweep.replace_schedule()
            fit: Any = model.fit
            fit(
                rewindable(x),
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
            # So ends `fit` on JAX where data has no batch; `result` says it in words.
            if sweep.has_seen_a_batch:
                raise
        finally:
            sweep.put_back_schedule()
    return sweep.result()


# What may be tested


def single_optimizer(model: Any, caller: str) -> keras.optimizers.Optimizer:
    """The optimizer whose learning rate counts, or an error in the name of the caller."""
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


def rewindable(x: Any) -> Any:
    """The data as `fit` is to get it."""
    if isinstance(x, types.GeneratorType):
        raise ValueError(
            "A generator cannot be rewound, and the batches that the test takes would be lost. "
            f"Received: x={x!r}. Give the function that makes it, without calling it: "
            f"`{x.__name__}`, or `lambda: {x.__name__}(...)`."
        )
    if isinstance(x, types.FunctionType | types.MethodType):
        return batches_of(x)
    if isinstance(x, keras.utils.PyDataset):
        return Batches(x)
    return x


def batches_of(function: Callable[[], Iterator]) -> Iterator:
    """The batches of a generator function, called again whenever they are used up."""
    while True:
        count = 0
        for batch in function():
            count += 1
            yield batch
        if not count:
            raise ValueError(
                "The function given as `x` must return a generator of batches. Received: "
                f"x={function!r}, whose generator is empty."
            )


@final
class Batches(keras.utils.PyDataset):
    """The batches of a dataset, which does not learn of epochs and so cannot reorder itself.

    Args:
        dataset: `keras.utils.PyDataset`.
    """

    def __init__(self, dataset: keras.utils.PyDataset) -> None:
        super().__init__(
            workers=dataset.workers,
            use_multiprocessing=dataset.use_multiprocessing,
            max_queue_size=dataset.max_queue_size,
        )
        self.dataset = dataset

    def __getitem__(self, index: int) -> Any:
        return self.dataset[index]

    # Keras documents None too, but pyright infers from its code that there is none.
    @property
    def num_batches(self) -> int | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The number of batches, None if there is no end."""
        return self.dataset.num_batches


def build(model: keras.Model, data: Any, y: Any, batch_size: int | None) -> None:
    """Build all that `fit` would build, without a step of training."""
    if parts_to_build(model) or not model.built:
        eager = model.run_eagerly
        model.run_eagerly = True
        try:
            evaluate: Any = model.evaluate
            evaluate(data, y, batch_size=batch_size, steps=1, verbose=0)
        finally:
            model.run_eagerly = eager
    if not model.optimizer.built:
        # Only on TensorFlow does a model know of replicas.
        strategy = getattr(model, "distribute_strategy", None)
        with strategy.scope() if strategy else contextlib.nullcontext():
            model.optimizer.build(model.trainable_variables)


# The sweep


@final
class SweptRate(LearningRateSchedule):
    """The sweep as a schedule, for an optimizer whose learning rate is one.

    Args:
        rates: List of floats, one for each update.
        first: Integer, the batch of the optimizer's count at which the sweep begins.
        every: Integer, batches in an update.
    """

    def __init__(self, rates: Sequence[float], first: int, every: int) -> None:
        self.rates = list(rates)
        self.first = first
        self.every = every

    def __call__(self, step: Any) -> Any:
        update = ops.cast(step, "int32") // self.every - self.first // self.every
        update = ops.clip(update, 0, len(self.rates) - 1)
        return ops.take(ops.convert_to_tensor(self.rates, "float32"), update)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"rates": self.rates, "first": self.first, "every": self.every}


@final
class Sweep(Callback):
    """Sets the rate of each update and notes its loss.

    Args:
        rates: List of floats, one for each update.
        optimizer: The optimizer whose rate is set.
        smoothing: Float in [0, 1).
        stop_factor: Float > 1.
    """

    def __init__(
        self,
        rates: Sequence[float],
        optimizer: keras.optimizers.Optimizer,
        smoothing: float,
        stop_factor: float,
    ) -> None:
        super().__init__()
        self.rates = rates
        self.optimizer = optimizer
        self.smoothing = smoothing
        self.stop_factor = stop_factor
        self.held = held_learning_rate(optimizer)
        self.every = accumulation(optimizer)
        self.batches = 0
        # Losses of the batches since the last update, and of the updates.
        self.waiting: list[float] = []
        self.used: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.average = 0.0
        self.diverged_at: float | None = None

    def batches_needed(self) -> int:
        """How many batches the sweep takes at most, and so how many epochs."""
        return len(self.rates) * self.every

    @property
    def has_seen_a_batch(self) -> bool:
        """Whether there was anything to train on."""
        return bool(self.waiting or self.losses or self.diverged_at)

    def replace_schedule(self) -> None:
        """Find the optimizer's place, and take the place of a schedule."""
        # The first variable of an optimizer counts batches.
        first = int(to_numpy(self.optimizer.variables[0]))
        self.batches = first % self.every
        if not isinstance(self.held, keras.Variable):
            set_schedule(self.optimizer, SweptRate(self.rates, first, self.every))
            if hasattr(self.optimizer, "learning_rate_scale"):
                self.optimizer.learning_rate_scale = 1.0

    def put_back_schedule(self) -> None:
        """Undo what `replace_schedule` did to a schedule."""
        if not isinstance(self.held, keras.Variable):
            set_schedule(self.optimizer, self.held)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate; start the metrics afresh, so that the logs hold the loss of this batch."""
        # On JAX, `self.model` brings all variables up to date.
        self.model.reset_metrics()
        if self.waiting:
            return
        if isinstance(self.held, keras.Variable):
            self.optimizer.learning_rate = self.rates[len(self.used)]
        self.used.append(float(to_numpy(self.optimizer.learning_rate)))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the loss, and stop where there is no more to see."""
        logs = logs or {}
        if "loss" not in logs:
            raise ValueError(
                "find_learning_rate needs the loss in the logs of a training step. Received: "
                f"logs of {sorted(logs)}. Have `train_step` return it as `loss`."
            )
        self.waiting.append(float(to_numpy(logs["loss"])))
        self.batches += 1
        if self.batches % self.every == 0 or not math.isfinite(self.waiting[-1]):
            self.finish_update(float(np.mean(self.waiting)))
            self.waiting = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop where an epoch has no batch, or there would be no end."""
        if not self.has_seen_a_batch:
            self.model.stop_training = True

    def finish_update(self, loss: float) -> None:
        """Take the loss of an update into the average."""
        if math.isfinite(loss):
            self.losses.append(loss)
            self.average += (1 - self.smoothing) * (loss - self.average)
            smoothed = self.average / (1 - self.smoothing ** len(self.losses))
            self.smoothed.append(smoothed)
            lowest = min(self.smoothed)
            diverged = smoothed > lowest + (self.stop_factor - 1) * abs(lowest)
        else:
            diverged = True
        if diverged:
            self.diverged_at = self.used[-1]
        if diverged or len(self.used) == len(self.rates):
            self.model.stop_training = True

    def result(self) -> LearningRateRange:
        """What was seen."""
        if not self.has_seen_a_batch:
            raise ValueError(
                "find_learning_rate needs data to train on. Received: data without a batch."
            )
        if not self.losses:
            raise ValueError(
                "The loss was not finite at the very first step, so no learning rate can be "
                f"found. Received: a first rate of {self.used[0]:.3g}. Look at the data and the "
                "model's initial weights."
            )
        rates = np.array(self.used[: len(self.losses)])
        return LearningRateRange(
            learning_rates=tuple(rates.tolist()),
            losses=tuple(self.losses),
            smoothed_losses=tuple(self.smoothed),
            **suggest(rates, np.array(self.smoothed)),
            diverged_at=self.diverged_at,
        )


def set_schedule(optimizer: keras.optimizers.Optimizer, schedule: Any) -> None:
    """Give an optimizer of whatever kind another schedule, or function, as its learning rate."""
    # Ours refuse it once a step is compiled; this one is compiled anew.
    keras.optimizers.Optimizer.learning_rate.__set__(optimizer, schedule)


# The suggestions


def suggest(rates: np.ndarray, losses: np.ndarray) -> dict[str, float | None]:
    """The suggestions, by the names that `LearningRateRange` has for them."""
    head = int(HEAD * len(losses))
    lowest = head + int(losses[head:].argmin())
    if lowest == head:
        return dict.fromkeys(("steepest", "valley", "minimum_tenth"))
    kept = slice(head, lowest + 1)
    rates, losses = rates[kept], losses[kept]
    # Where an update was skipped, a rate may stand there twice.
    new = np.append(np.diff(rates) > 0, True)
    rates, losses = rates[new], losses[new]
    slopes = np.diff(losses) / np.diff(np.log(rates))
    return {
        "steepest": float(rates[slopes.argmin()]),
        "valley": float(rates[valley(losses)]),
        "minimum_tenth": float(rates[-1] / 10),
    }


def valley(losses: np.ndarray) -> int:
    """Where the middle of the longest fall is: in the second of its three parts, half way."""
    # The length of the longest decreasing subsequence that ends at each loss.
    lengths = np.ones(len(losses), int)
    for n, loss in enumerate(losses):
        lengths[n] = 1 + lengths[:n][losses[:n] > loss].max(initial=0)
    last = int(lengths.argmax())
    length = int(lengths[last])
    return max(0, last - length + length // 3 + length // 6)
