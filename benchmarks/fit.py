"""What a user waits for: the first step of `model.fit`, and each step after it.

python -m benchmarks.fit --backend torch --optimizers Adam "SGD momentum"
"""

import functools
import time
from collections.abc import Callable
from typing import Any, final

import keras
import numpy as np

from benchmarks import backend, duel, figures, measure, options
from benchmarks.contenders import KERAS, OURS, Case
from benchmarks.duel import Result
from benchmarks.report import Report, milliseconds, ratio

BATCH_SIZE = 32
CLASSES = 10
# Steps of a fit that come before those that count: data and compiled step are not yet in place.
UNSETTLED_STEPS = 3


def mlp() -> keras.Model:
    """Dense layers 784-2048-2048-10."""
    hidden = [keras.layers.Dense(2048, "relu") for _ in range(2)]
    return keras.Sequential([keras.Input((784,)), *hidden, keras.layers.Dense(CLASSES, "softmax")])


def mobile_net() -> keras.Model:
    """MobileNetV2 for images of 32 x 32, with random weights."""
    arguments = {"weights": None, "input_shape": (32, 32, 3), "classes": CLASSES}
    return keras.applications.MobileNetV2(**arguments)


def deep() -> keras.Model:
    """100 dense layers of 64."""
    hidden = [keras.layers.Dense(64, "relu") for _ in range(99)]
    return keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(CLASSES, "softmax")])


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "MLP 784-2048-2048-10": mlp,
    "MobileNetV2": mobile_net,
    "100 dense layers": deep,
}


@final
class Stopwatch(keras.callbacks.Callback):
    """When each step of a fit ended, its loss known."""

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.ends.append(time.perf_counter())


@final
class Training:
    """A new model that is fitted again and again.

    Args:
        network: Makes the model.
        case: Which optimizer.
        side: Whose.
    """

    def __init__(self, network: Callable[[], keras.Model], case: Case, side: str) -> None:
        keras.utils.set_random_seed(0)
        self.model = network()
        self.model.compile(case.make(side), "sparse_categorical_crossentropy")
        self.stopwatch = Stopwatch()

    def fit(self, steps: int) -> float:
        """Fit so many steps of random data; returns when the call began."""
        random = np.random.default_rng(0)
        rows = steps * BATCH_SIZE
        x = random.standard_normal((rows, *self.model.input_shape[1:]), np.float32)
        y = random.integers(CLASSES, size=rows)
        arguments = {"batch_size": BATCH_SIZE, "shuffle": False, "verbose": 0}
        began = time.perf_counter()
        self.model.fit(x, y, callbacks=[self.stopwatch], **arguments)
        return began

    def step(self, steps: int) -> float:
        """Seconds of a step, the median of so many in one fit."""
        self.fit(UNSETTLED_STEPS + steps)
        return float(np.median(np.diff(self.stopwatch.ends)[UNSETTLED_STEPS - 1 :]))


def main() -> None:
    """Measure and report."""
    parser = options.parser("fit", "Time to the first step of fit, and of a step.", rounds=9)
    options.add_count(parser, "--first-rounds", 5, "rounds for the first step, each a new model")
    options.add_count(parser, "--steps", 60, "steps of a fit that count")
    options.add_cases(parser, ["Adam"], flag="--optimizers")
    options.add_names(parser, "--networks", NETWORKS)
    chosen = options.parse(parser)
    first, later = {}, {}
    for name in chosen.networks:
        for case in chosen.optimizers:
            label = f"{name}, {case.name}"
            first[label] = first_steps(NETWORKS[name], case, chosen.first_rounds)
            later[label] = later_steps(NETWORKS[name], case, chosen.rounds, chosen.steps)
    report = Report(
        key=("fit", backend.NAME),
        title=f"model.fit on {backend.NAME}, batches of {BATCH_SIZE}",
        columns=[
            "network and optimizer",
            *("first step\nKeras s", "first step\nours s", f"first step\nours / {KERAS}"),
            *("later step\nKeras ms", "later step\nours ms", f"later step\nours / {KERAS}"),
        ],
        rows=[[label, *cells(first[label], 1e-3), *cells(later[label], 1)] for label in first],
        notes=[
            "First step: from the call of fit to the end of the first batch, "
            f"{chosen.first_rounds} interleaved rounds with new models.",
            f"Later step: median of {chosen.steps} steps of a fit, {chosen.rounds} interleaved "
            "rounds. Ratios with their quartiles.",
        ],
        data={
            "first_step": {label: result.data() for label, result in first.items()},
            "later_step": {label: result.data() for label, result in later.items()},
        },
    )
    panels = [
        figures.Dots(title, "ms", list(results), duel.medians(results, (KERAS, OURS)))
        for title, results in (("To the first step", first), ("A later step", later))
    ]
    figures.draw_dots(panels, report.file(chosen.out, ".png"))
    report.publish(chosen)


def cells(result: Result, scale: float) -> list[str]:
    """The times, in milliseconds / scale, and their ratio."""
    times = [milliseconds(scale * result.median(side)) for side in (KERAS, OURS)]
    return [*times, ratio(result.ratio(KERAS))]


def first_steps(network: Callable[[], keras.Model], case: Case, rounds: int) -> Result:
    """Times to the first step, after a round that loads what only a process's first step needs."""
    contenders = {
        side: functools.partial(first_step, network, case, side) for side in (KERAS, OURS)
    }
    measure.in_turns(contenders, rounds=1)
    return Result(measure.in_turns(contenders, rounds))


def first_step(network: Callable[[], keras.Model], case: Case, side: str) -> float:
    """Seconds from the call of `fit` to the end of the first batch, with a new model."""
    backend.fresh_start()
    training = Training(network, case, side)
    began = training.fit(steps=1)
    return training.stopwatch.ends[0] - began


def later_steps(network: Callable[[], keras.Model], case: Case, rounds: int, steps: int) -> Result:
    """Times of a step once all is compiled."""
    trainings = {side: Training(network, case, side) for side in (KERAS, OURS)}
    contenders = {
        side: functools.partial(training.step, steps) for side, training in trainings.items()
    }
    measure.in_turns(contenders, rounds=1)
    return Result(measure.in_turns(contenders, rounds))


if __name__ == "__main__":
    main()
