"""Results as tables of pandas, which are also what the report's CSV files hold."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from keras_optlab.lab.results import Comparison, Results

if TYPE_CHECKING:
    from pandas import DataFrame

SIDES = {"ours": "keras-optlab", "built_in": "keras"}


def rows(results: Results) -> "DataFrame":
    """A row for each algorithm and schedule, at its best arguments."""
    from pandas import DataFrame

    return DataFrame([row(results, comparison) for comparison in results.comparisons])


def row(results: Results, comparison: Comparison) -> dict[str, Any]:
    """The figures of one row; what there is none of is None."""
    ours, theirs = comparison.final("ours"), comparison.final("built_in")
    figures = {
        "kind": comparison.kind,
        "name": comparison.name,
        "arguments": comparison.setting,
        "learning_rate": comparison.rate,
        "seeds": len(comparison.duels),
        "ended_early": sum(comparison.stopped().values()),
        "metric": results.metric.name,
        "validation_metric": ours.mean,
        "validation_metric_deviation": ours.deviation,
        "built_in_validation_metric": theirs.mean,
        "built_in_validation_metric_deviation": theirs.deviation,
        "steps_to_target": results.steps_to_target(comparison).mean,
        "seconds_to_target": results.seconds_to_target(comparison).mean,
        "weight_difference": comparison.weight_difference,
        "step_seconds": comparison.step_seconds("ours"),
        "built_in_step_seconds": comparison.step_seconds("built_in"),
        "time_ratio": comparison.time_ratio,
    }
    return figures | (comparison.tuning.cost if comparison.tuning else {})


def trials(results: Results) -> "DataFrame":
    """A row for each trial, with a column for each argument."""
    from pandas import DataFrame

    return DataFrame(
        {
            "kind": comparison.kind,
            "name": comparison.name,
            "trial": number,
            "validation_metric": trial.validation_metric[-1],
            "epochs": len(trial.validation_metric),
            "steps": trial.steps,
            "seconds": trial.seconds,
            "ended_early": trial.stopped,
            "learning_rate": trial.rate,
            **dict(trial.arguments),
        }
        for comparison in results.comparisons
        if comparison.tuning
        for number, trial in enumerate(comparison.tuning.trials)
    )


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
                training.validation_metric,
                (None, *training.training_loss),
                strict=True,
            )
            for epoch, (loss, metric, training_loss) in enumerate(curves):
                yield {
                    "kind": comparison.kind,
                    "name": comparison.name,
                    "library": library,
                    "learning_rate": duel.run.rate,
                    "seed": duel.run.seed,
                    "epoch": epoch,
                    "training_loss": training_loss,
                    "validation_loss": loss,
                    "validation_metric": metric,
                    "ended_early": training.stopped,
                }
