"""The figures of a comparison in words, as both the page and the terminal show them."""

from dataclasses import dataclass
from typing import final

from keras_optlab.lab.results import Comparison, Results, Summary

NOTHING = "–"


@final
@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text: What it shows.
        value: What it is sorted by, or None if there is nothing.
        remark: What else there is to say, such as that a training was ended early.
    """

    text: str = NOTHING
    value: float | None = None
    remark: str = ""

    @property
    def line(self) -> str:
        """All of it in a line."""
        if not self.remark:
            return self.text
        return self.remark if self.value is None else f"{self.text} ({self.remark})"


def cells(results: Results, comparison: Comparison) -> list[Cell]:
    """Accuracy of ours and the built-in, steps and seconds to the target, weights, time."""
    ours, theirs = comparison.step_seconds("ours"), comparison.step_seconds("built_in")
    return [
        accuracy(comparison, "ours"),
        accuracy(comparison, "built_in"),
        mean_cell(results.steps_to_target(comparison), "{:.0f}"),
        mean_cell(results.seconds_to_target(comparison), "{:.2f}"),
        weights_differ(comparison.weight_difference),
        number_cell(ours and 1e3 * ours),
        number_cell(theirs and 1e3 * theirs),
        number_cell(comparison.time_ratio),
    ]


def weights_differ(difference: float | None) -> Cell:
    """How far the weights are apart."""
    if difference is None:
        return Cell()
    return Cell(f"{difference:.0e}" if difference else "none", difference)


def accuracy(comparison: Comparison, side: str) -> Cell:
    """The final accuracy of a side, and what became of the trainings that have none."""
    remark = stopped(comparison.stopped(side), len(comparison.duels))
    if not comparison.trainings(side):
        return Cell()
    found = comparison.accuracy(side)
    if found.mean is None:
        return Cell(remark=remark)
    return Cell(percent(found.mean, found.deviation), found.mean, remark)


def stopped(reasons: dict[str, int], seeds: int) -> str:
    """Which trainings were ended early, and why."""
    if seeds == 1:
        return next(iter(reasons), "")
    return ", ".join(f"{count} of {seeds} {reason}" for reason, count in reasons.items())


def percent(mean: float, deviation: float | None) -> str:
    """A mean as a percentage, with the deviation of the seeds if there are several."""
    if deviation is None:
        return f"{mean:.1%}"
    return f"{100 * mean:.1f} ± {100 * deviation:.1f}%"


def mean_cell(found: Summary, form: str) -> Cell:
    """A mean; and how many seeds have one, if not all."""
    if found.mean is None:
        return Cell()
    remark = f"{found.count} of {found.total} seeds" if found.count < found.total else ""
    return Cell(form.format(found.mean), found.mean, remark)


def number_cell(value: float | None) -> Cell:
    """A number with two decimals."""
    return Cell() if value is None else Cell(f"{value:.2f}", value)
