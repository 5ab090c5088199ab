"""The learning-rate range test: train with a rate that rises, and see where the loss falls."""

import contextlib
from typing import Any

import keras
import numpy as np

from keras_optlab.arguments.domain import DECAY_RATE, POSITIVE, Integer, Real
from keras_optlab.keras_glue.hooks import parts_to_build
from keras_optlab.lab.learning_rate_range import LearningRateRange
from keras_optlab.lab.rewindable import rewindable
from keras_optlab.lab.sweep import Sweep
from keras_optlab.lab.trace import without_trace


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

    The test ends after N updates, or when s_i > min s + (`stop_factor` - 1) |min s|, or L_i is
    not finite. The suggestions come from the s_i between a tenth of the way and the lowest after
    it.

    The model trains in its own `fit`, on whatever `fit` takes; data with too few batches is
    repeated. A generator cannot be rewound: pass the function that makes it. A step is an update
    of the weights: with `gradient_accumulation_steps=k` it takes k batches, and their mean loss
    counts. The model's `steps_per_execution` is 1 meanwhile. A schedule and
    `learning_rate_scale` give way to the sweep, which stays at its rate where a
    `LossScaleOptimizer` skips an update. The optimizer starts with the state it has.

    Afterwards everything is as before, bit for bit, even if training was interrupted: weights
    and other state of the layers, metrics, `model.history`, the optimizer and its schedule, the
    compiled train function, and the random generators of Python, NumPy, Keras, TensorFlow and
    torch. A model or optimizer that was not built is built, with the values that it begins with.
    A `PyDataset` sees no epochs begin or end; how often `tf.data`'s `shuffle` was read cannot be
    undone.

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

    Returns:
        A `LearningRateRange`: print it, `.plot()` it, or take its `.suggestion`.

    Raises:
        ValueError: For an argument outside its range, a model that is not compiled, an optimizer
            without one learning rate, a generator, data without a batch, or a loss that is not
            finite from the first step.
        TypeError: For an argument of another type.

    Sources: Smith, 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3;
    `valley`, `steepest` and `minimum_tenth` are the `valley`, `steep` and `minimum` of fastai's
    `lr_find`, from which the defaults of the sweep come too.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adam(), loss="mse")
    >>> rates = keras_optlab.find_learning_rate(model, x, y)
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
        fit: Any = model.fit
        try:
            with sweep.in_place_of_schedule():
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
    return sweep.result()


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
