"""Results as tables of pandas, which are also what the report's CSV files hold."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras_optlab.lab.results import Comparison, Results

if TYPE_CHECKING:
    from pandas import DataFrame

SIDES = {"ours": "keras-optlab", "built_in": "keras"}


def rows(results: Results) -> "DataFrame":
    """A row for each algorithm and schedule, at its best learning rate."""
    from pandas import DataFrame

    return DataFrame([row(results, comparison) for comparison in results.comparisons])


def row(results: Results, comparison: Comparison) -> dict[str, Any]:
    """The figures of one row; what there is none of is None."""
    accuracies = {side: comparison.accuracy(side) for side in SIDES}
    times = {side: comparison.step_seconds(side) for side in SIDES}
    return {
        "kind": comparison.kind,
        "name": comparison.name,
        "arguments": comparison.setting,
        "learning_rate": comparison.rate,
        "seeds": len(comparison.duels),
        "ended_early": sum(comparison.stopped().values()),
        "accuracy": accuracies["ours"].mean,
        "accuracy_deviation": accuracies["ours"].deviation,
        "built_in_accuracy": accuracies["built_in"].mean,
        "built_in_accuracy_deviation": accuracies["built_in"].deviation,
        "steps_to_target": results.steps_to_target(comparison).mean,
        "seconds_to_target": results.seconds_to_target(comparison).mean,
        "weight_difference": comparison.weight_difference,
        "step_seconds": times["ours"],
        "built_in_step_seconds": times["built_in"],
        "time_ratio": comparison.time_ratio,
    }


def epochs(results: Results) -> "DataFrame":
    """A row for each epoch of each training: every rate, seed and side."""
    from pandas import DataFrame

    return DataFrame(record for comparison in results.comparisons for record in records(comparison))


def records(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """The epochs of all trainings of a row; epoch 0 is before the first step."""
    for duel in (duel for point in comparison.points for duel in point.duels):
        for side, library in SIDES.items():
            training = getattr(duel, side)
            if training is None:
                continue
            curves = zip(
                training.validation_loss,
                training.validation_accuracy,
                (None, *training.training_loss),
                strict=True,
            )
            for epoch, (loss, accuracy, training_loss) in enumerate(curves):
                yield {
                    "kind": comparison.kind,
                    "name": comparison.name,
                    "library": library,
                    "learning_rate": duel.run.rate,
                    "seed": duel.run.seed,
                    "epoch": epoch,
                    "training_loss": training_loss,
                    "validation_loss": loss,
                    "validation_accuracy": accuracy,
                    "ended_early": training.stopped,
                }
