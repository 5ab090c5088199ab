"""Models that are fitted repeatedly, with each step timed."""

import time
from collections.abc import Callable
from typing import Any, final

import keras
import numpy as np

BATCH_SIZE = 32
# First steps of a fit, which do not count: data and compiled step are not yet in place.
UNSETTLED_STEPS = 3

# Makes the targets for a number of rows.
Targets = Callable[[np.random.Generator, int], np.ndarray]


@final
class Stopwatch(keras.callbacks.Callback):
    """The end time of each step of a fit, taken once its loss is available."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.ends.append(time.perf_counter())


@final
class Training:
    """A new model that is fitted repeatedly.

    Args:
        network: Makes the model, with the same weights each time.
        targets: Makes the targets.
        compile_arguments: Optimizer, loss, and other arguments of `compile`.
    """

    def __init__(
        self, network: Callable[[], keras.Model], targets: Targets, **compile_arguments: Any
    ) -> None:
        keras.utils.set_random_seed(0)
        self.model = network()
        self.model.compile(**compile_arguments)
        self.targets = targets
        self.stopwatch = Stopwatch()

    def fit(self, steps: int) -> float:
        """Fit a number of steps of random data, and return when the call began."""
        random = np.random.default_rng(0)
        rows = steps * BATCH_SIZE
        x = random.standard_normal((rows, *self.model.input_shape[1:]), np.float32)
        y = self.targets(random, rows)
        arguments = {"batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0}
        began = time.perf_counter()
        self.model.fit(x, y, callbacks=[self.stopwatch], **arguments)
        return began

    def step(self, steps: int) -> float:
        """Return the seconds of a step, the median of several in one fit."""
        self.fit(UNSETTLED_STEPS + steps)
        return float(np.median(np.diff(self.stopwatch.ends)[UNSETTLED_STEPS - 1 :]))
