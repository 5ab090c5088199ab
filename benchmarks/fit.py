"""The times a user waits for: the first step of `model.fit`, and each later step.

python -m benchmarks.fit --backend torch --optimizers Adam "SGD momentum"
"""

import argparse
import functools
from collections.abc import Callable

import keras
import numpy as np

from benchmarks import backend, duel, figures, measure, options
from benchmarks.contenders import KERAS, OURS, Case
from benchmarks.duel import Result
from benchmarks.report import Report, milliseconds, ratio
from benchmarks.training import BATCH_SIZE, Training

CLASSES = 10


def mlp() -> keras.Model:
    """Build a network of dense layers 784-2048-2048-10."""
    hidden = [keras.layers.Dense(2048, "relu") for _ in range(2)]
    return keras.Sequential([keras.Input((784,)), *hidden, keras.layers.Dense(CLASSES, "softmax")])


def mobile_net() -> keras.Model:
    """Build MobileNetV2 for images of 32 x 32, with random weights."""
    arguments = {"weights": None, "input_shape": (32, 32, 3), "classes": CLASSES}
    return keras.applications.MobileNetV2(**arguments)


def deep() -> keras.Model:
    """Build a network of 100 dense layers, 64 units wide."""
    hidden = [keras.layers.Dense(64, "relu") for _ in range(99)]
    return keras.Sequential([keras.Input((64,)), *hidden, keras.layers.Dense(CLASSES, "softmax")])


NETWORKS: dict[str, Callable[[], keras.Model]] = {
    "MLP 784-2048-2048-10": mlp,
    "MobileNetV2": mobile_net,
    "100 dense layers": deep,
}


def training(network: Callable[[], keras.Model], case: Case, side: str) -> Training:
    """Return a training of a new model, compiled as Keras does by default."""
    loss = "sparse_categorical_crossentropy"
    return Training(network, labels, optimizer=case.make(side), loss=loss)


def labels(random: np.random.Generator, rows: int) -> np.ndarray:
    """Draw a random class for each row."""
    return random.integers(CLASSES, size=rows)


def main() -> None:
    """Measure and report."""
    parser = options.parser("fit", "Time to the first step of fit, and of a step.", rounds=3)
    options.add_count(parser, "--first-rounds", 3, "rounds for the first step, each a new model")
    options.add_count(parser, "--steps", 20, "steps of a fit that count")
    options.add_cases(parser, ["Adam"], flag="--optimizers")
    options.add_names(parser, "--networks", NETWORKS)
    chosen = options.parse(parser)
    for side in (KERAS, OURS):
        # Load what only the first step of a process needs.
        training(mlp, chosen.optimizers[0], side).fit(steps=1)
    first, later = {}, {}
    for name in chosen.networks:
        for case in chosen.optimizers:
            label = f"{name}, {case.name}"
            first[label], later[label] = measured(NETWORKS[name], case, chosen)
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
    """Return the times, in units of milliseconds / scale, and their ratio."""
    times = [milliseconds(scale * result.median(side)) for side in (KERAS, OURS)]
    return [*times, ratio(result.ratio(KERAS))]


def measured(
    network: Callable[[], keras.Model], case: Case, chosen: argparse.Namespace
) -> tuple[Result, Result]:
    """Time the first step of new models, and a later step of those from the last round."""
    trainings: dict[str, Training] = {}

    def first_step(side: str) -> float:
        backend.fresh_start()
        trainings[side] = training(network, case, side)
        began = trainings[side].fit(steps=1)
        return trainings[side].stopwatch.ends[0] - began

    firsts = {side: functools.partial(first_step, side) for side in (KERAS, OURS)}
    first = Result(measure.in_turns(firsts, chosen.first_rounds))
    laters = {side: functools.partial(trainings[side].step, chosen.steps) for side in firsts}
    return first, Result(measure.in_turns(laters, chosen.rounds))


if __name__ == "__main__":
    main()
