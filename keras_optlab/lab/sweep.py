"""The sweep of a range test: a learning rate for each update, and the loss there."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.arguments.hyperparameter import LearningRateSchedule
from keras_optlab.callbacks.one_cycle import accumulation
from keras_optlab.keras_glue.hooks import held_learning_rate
from keras_optlab.keras_glue.types import Callback, to_numpy
from keras_optlab.lab.learning_rate_range import LearningRateRange, suggest


@final
class SweptRate(LearningRateSchedule):
    """The sweep as a schedule, for an optimizer whose learning rate is a schedule."""

    def __init__(self, rates: Sequence[float], first: int, every: int) -> None:
        self.rates = list(rates)  # one for each update
        self.first = first  # the optimizer's batch count when the sweep begins
        self.every = every  # batches in an update

    def __call__(self, step: Any) -> Any:
        update = ops.cast(step, "int32") // self.every - self.first // self.every
        update = ops.clip(update, 0, len(self.rates) - 1)
        return ops.take(ops.convert_to_tensor(self.rates, "float32"), update)


@final
class Sweep(Callback):
    """Sets the rate of each update and records its loss; see `find_learning_rate`."""

    def __init__(
        self,
        rates: Sequence[float],
        optimizer: keras.optimizers.Optimizer,
        smoothing: float,
        stop_factor: float,
    ) -> None:
        super().__init__()
        self.rates, self.optimizer = rates, optimizer
        self.smoothing, self.stop_factor = smoothing, stop_factor
        self.held = held_learning_rate(optimizer)
        self.every = accumulation(optimizer)
        self.batches = 0
        # Losses of batches since the last update; then rates, losses and averages of the updates.
        self.waiting: list[float] = []
        self.used: list[float] = []
        self.losses: list[float] = []
        self.smoothed: list[float] = []
        self.average = 0.0
        self.diverged_at: float | None = None

    def batches_needed(self) -> int:
        """Return how many batches, and so how many epochs, the sweep takes at most."""
        return len(self.rates) * self.every

    @property
    def has_seen_a_batch(self) -> bool:
        """Whether there was anything to train on."""
        return bool(self.waiting or self.losses or self.diverged_at)

    @contextlib.contextmanager
    def in_place_of_schedule(self) -> Iterator[None]:
        """Read the optimizer's batch count, and replace a schedule while the block runs."""
        # An optimizer's first variable counts batches.
        first = int(to_numpy(self.optimizer.variables[0]))
        self.batches = first % self.every
        if isinstance(self.held, keras.Variable):
            yield
            return
        # Ours refuse a new schedule once a step is compiled; here, the step is compiled again.
        set_rate = keras.optimizers.Optimizer.learning_rate.__set__
        set_rate(self.optimizer, SweptRate(self.rates, first, self.every))
        try:
            if hasattr(self.optimizer, "learning_rate_scale"):
                self.optimizer.learning_rate_scale = 1.0
            yield
        finally:
            set_rate(self.optimizer, self.held)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the rate, and reset the metrics, so that the logs hold the loss of this batch."""
        # On JAX, accessing `self.model` brings all variables up to date.
        self.model.reset_metrics()
        if self.waiting:
            return
        if isinstance(self.held, keras.Variable):
            self.optimizer.learning_rate = self.rates[len(self.used)]
        self.used.append(float(to_numpy(self.optimizer.learning_rate)))

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the loss of an update to the average; stop after divergence or the last rate."""
        logs = logs or {}
        if "loss" not in logs:
            raise ValueError(
                "find_learning_rate needs the loss in the logs of a training step. Received: "
                f"logs of {sorted(logs)}. Have `train_step` return it as `loss`."
            )
        self.waiting.append(float(to_numpy(logs["loss"])))
        self.batches += 1
        if self.batches % self.every and math.isfinite(self.waiting[-1]):
            return
        loss, self.waiting = float(np.mean(self.waiting)), []
        diverged = not math.isfinite(loss)
        if not diverged:
            self.losses.append(loss)
            self.average += (1 - self.smoothing) * (loss - self.average)
            smoothed = self.average / (1 - self.smoothing ** len(self.losses))
            self.smoothed.append(smoothed)
            lowest = min(self.smoothed)
            diverged = smoothed > lowest + (self.stop_factor - 1) * abs(lowest)
        if diverged:
            self.diverged_at = self.used[-1]
        if diverged or len(self.used) == len(self.rates):
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Stop if an epoch has no batch, since the sweep would never end."""
        if not self.has_seen_a_batch:
            self.model.stop_training = True

    def result(self) -> LearningRateRange:
        """Return the result of the range test."""
        if not self.has_seen_a_batch:
            raise ValueError(
                "find_learning_rate needs data to train on. Received: data without any batches."
            )
        if not self.losses:
            raise ValueError(
                "The loss was not finite at the very first step, so no learning rate can be "
                f"found. Received: a first rate of {self.used[0]:.3g}. Look at the data and the "
                "model's initial weights."
            )
        rates, smoothed = np.array(self.used[: len(self.losses)]), np.array(self.smoothed)
        return LearningRateRange(
            learning_rates=tuple(rates.tolist()),
            losses=tuple(self.losses),
            smoothed_losses=tuple(self.smoothed),
            **suggest(rates, smoothed),
            diverged_at=self.diverged_at,
        )
