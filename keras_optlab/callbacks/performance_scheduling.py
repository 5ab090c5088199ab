"""Reduction of the learning rate when training stops improving."""

import zlib
from types import SimpleNamespace
from typing import Any, final

import keras
import numpy as np

from keras_optlab.arguments.declaration import Declared, argument
from keras_optlab.arguments.domain import DECAY_RATE, NON_NEGATIVE, Choice, Integer, Text
from keras_optlab.arguments.hyperparameter import LearningRateSchedule
from keras_optlab.callbacks.counterpart import suggestion
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.state import ExtraState
from keras_optlab.keras_glue.types import Callback, to_numpy


@final
class PerformanceScheduling(Declared, Callback):
    r"""Performance scheduling: reduce the learning rate when a metric has stopped improving.

        η ← max(`factor` η, `min_lr`)

    after `patience` epochs in a row that did not improve the metric by more than `min_delta`.
    `keras.callbacks.ReduceLROnPlateau` does the counting. This callback adds to it:

    - It works with learning rate schedules. With an optimizer of this package, it multiplies the
      schedule through `optimizer.learning_rate_scale`, and η is the schedule's current value.
    - Its state is saved with the optimizer, and so survives an interruption: a run resumed by
      `BackupAndRestore`, or from a model or weights saved during training, continues counting
      where the file left off, if this callback has the same arguments. (A built-in optimizer can
      restore the state only once this callback is attached: with `BackupAndRestore`, but not with
      `load_model`.) List this callback before those that save, so that each file includes the
      epoch at whose end it is written. A `fit` call that resumes nothing starts a new count.

    Args:
        monitor: String, name of the metric. Defaults to `"val_loss"`.
        factor: Float in [0, 1). Defaults to `0.5`; Keras has 0.1.
        patience: Integer >= 0, epochs. Defaults to `5`; Keras has 10.
        verbose: Integer >= 0; above 0, each reduction is printed. Defaults to `0`.
        mode: `"min"`, `"max"` or `"auto"`, which infers from the metric whether lower is better.
            Defaults to `"auto"`.
        min_delta: Float >= 0, the smallest change that counts as an improvement. Defaults to
            `1e-4`, as in Keras.
        cooldown: Integer >= 0, epochs to leave out of the count after a reduction. Defaults to `0`.
        min_lr: Float >= 0, the lower bound for a reduced learning rate. Defaults to `0.0`.

    Raises:
        ValueError: For an argument outside its range; when training begins, if the learning rate
            is a schedule and the optimizer is a built-in one.
        TypeError: For an argument of another type.

    Source: `keras.callbacks.ReduceLROnPlateau`.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> schedule = keras_optlab.schedules.LinearWarmup(10, 0.1)
    >>> model.compile(keras_optlab.optimizers.SGD(schedule), loss="mse")
    >>> halving = keras_optlab.callbacks.PerformanceScheduling("loss", patience=2, min_delta=1e9)
    >>> data = keras.ops.ones((20, 1))
    >>> _ = model.fit(data, data, epochs=5, verbose=0, callbacks=[halving])
    >>> model.optimizer.learning_rate_scale
    0.25
    """

    monitor: str = argument(Text(), default="val_loss")
    factor: float = argument(DECAY_RATE, default=0.5)
    patience: int = argument(Integer(), default=5)
    verbose: int = argument(Integer(), default=0)
    mode: str = argument(Choice(("auto", "min", "max")), default="auto")
    min_delta: float = argument(NON_NEGATIVE, default=1e-4)
    cooldown: int = argument(Integer(), default=0)
    min_lr: float = argument(NON_NEGATIVE, default=0.0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for name, value in self.bind(args, kwargs).items():
            setattr(self, name, value)
        self.plateau = keras.callbacks.ReduceLROnPlateau(**self.configuration())
        # State from another callback, or from other arguments, must not be restored here.
        arguments = repr(self.configuration()).encode()
        self.saved_as = f"performance_scheduling_{zlib.crc32(arguments):08x}"

    def set_model(self, model: Any) -> None:
        """Set the model, and prepare its optimizer to hold this callback's state."""
        super().set_model(model)
        optimizer = inner(getattr(model, "optimizer", None))
        if optimizer is not None and not hasattr(optimizer, "extra_state"):
            optimizer.extra_state = ExtraState()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start a new count."""
        adjustable(self.model.optimizer)
        self.plateau.on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Continue counting from the last epoch, of this process or of the file being resumed."""
        kept = self.state().arrays.get(self.saved_as)
        if kept is not None:
            best, wait, cooldown_counter = to_numpy(kept).tolist()
            self.plateau.best = None if np.isnan(best) else best
            self.plateau.wait = int(wait)
            self.plateau.cooldown_counter = int(cooldown_counter)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Check the metric, and reduce the learning rate if a reduction is due."""
        model, plateau = self.model, self.plateau
        plateau.set_model(
            SimpleNamespace(optimizer=adjustable(model.optimizer), metrics=model.metrics)
        )
        plateau.on_epoch_end(epoch, logs)
        best = np.nan if plateau.best is None else plateau.best
        counts = np.array([best, plateau.wait, plateau.cooldown_counter], "float64")
        self.state().keep(self.saved_as, counts)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Discard the state: training that has completed is not resumed."""
        self.state().take(self.saved_as)

    def state(self) -> ExtraState:
        """Return the state that is saved with the optimizer."""
        return inner(self.model.optimizer).extra_state


@final
class ScaledSchedule:
    """An optimizer whose schedule can be set by its current value, as Keras sets a number.

    Args:
        optimizer: An optimizer of this package whose learning rate is a schedule.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.name = optimizer.name

    @property
    def learning_rate(self) -> float:
        """The schedule's current value, scaled."""
        return float(to_numpy(self.optimizer.learning_rate))

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self.optimizer.learning_rate_scale *= value / self.learning_rate


def inner(optimizer: Any) -> Any:
    """Return the optimizer inside a `LossScaleOptimizer`, or any other optimizer itself."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def adjustable(optimizer: Any) -> Any:
    """Return an object with a settable `learning_rate`, or with `optimizers` that have one.

    Raises:
        ValueError: If the learning rate cannot be set.
    """
    optimizer = inner(optimizer)
    if optimizer is None:
        raise ValueError(
            "PerformanceScheduling needs an optimizer. Received: a model compiled with "
            "optimizer=None. Compile it with an optimizer, or leave PerformanceScheduling out."
        )
    if hasattr(optimizer, "optimizers"):
        return SimpleNamespace(optimizers=[adjustable(each) for each in optimizer.optimizers])
    if isinstance(optimizer.learning_rate, keras.Variable):
        return optimizer
    if isinstance(optimizer, Optimizer) and isinstance(
        optimizer.held_learning_rate, LearningRateSchedule
    ):
        return ScaledSchedule(optimizer)
    raise ValueError(
        "PerformanceScheduling cannot reduce a learning rate that is a function or, in an "
        f"optimizer of Keras, a schedule. Received: optimizer={optimizer!r}. Use "
        f"{suggestion(optimizer)}, which can scale a schedule, or give it a number."
    )
