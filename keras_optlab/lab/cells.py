"""The figures of a comparison in words, as both the page and the terminal show them."""

from dataclasses import dataclass
from typing import Any, final

from keras_optlab.lab.results import Comparison, Results, Summary

NOTHING = "–"


@final
@dataclass(frozen=True)
class Cell:
    """One cell of a table."""

    text: str = NOTHING
    value: float | None = None  # what it is sorted by, or None if there is nothing
    remark: str = ""  # such as that a training was ended early

    @property
    def line(self) -> str:
        """All of it in a line."""
        if not self.remark:
            return self.text
        return self.remark if self.value is None else f"{self.text} ({self.remark})"


# What `cost_cells` are called.
COST_HEADINGS = (
    *("Final", "Best trial", "Median", "Middle half"),
    *("Pruned", "Failed", "Steps", "Seconds"),
)


def cells(results: Results, comparison: Comparison) -> list[Cell]:
    """Final metric of ours and the built-in, steps and seconds to the target, weights, time."""
    ours, theirs = comparison.step_seconds("ours"), comparison.step_seconds("built_in")
    return [
        final_cell(results, comparison, "ours"),
        final_cell(results, comparison, "built_in"),
        mean_cell(results.steps_to_target(comparison), "{:.0f}"),
        mean_cell(results.seconds_to_target(comparison), "{:.2f}"),
        weights_differ(comparison.weight_difference),
        number_cell(ours and 1e3 * ours),
        number_cell(theirs and 1e3 * theirs),
        number_cell(comparison.time_ratio),
    ]


def cost_cells(results: Results, comparison: Comparison) -> list[Cell]:
    """What the search of a row found, and what it took."""
    tuning: Any = comparison.tuning
    shown = results.metric.shown
    cost = tuning.cost
    quarters = cost["trials_lower_quartile"], cost["trials_upper_quartile"]
    is_there = tuning.best is not None
    return [
        final_cell(results, comparison, "ours"),
        Cell(shown(cost["trials_best"])) if is_there else Cell(),
        Cell(shown(cost["trials_median"])) if is_there else Cell(),
        Cell(" to ".join(map(shown, quarters))) if is_there else Cell(),
        Cell(str(cost["trials_pruned"])),
        Cell(str(cost["trials_failed"])),
        Cell(f"{cost['tuning_steps']:,}"),
        Cell(f"{cost['tuning_seconds']:.1f}"),
    ]


def weights_differ(difference: float | None) -> Cell:
    """How far the weights are apart."""
    if difference is None:
        return Cell()
    return Cell(f"{difference:.0e}" if difference else "none", difference)


def final_cell(results: Results, comparison: Comparison, side: str) -> Cell:
    """The final metric of a side, and what became of the trainings that have none."""
    if not comparison.trainings(side):
        return Cell()
    remark = stopped(comparison.stopped(side), len(comparison.duels))
    found = comparison.final(side)
    return Cell(metric_text(results, found), found.mean, remark)


def metric_text(results: Results, found: Summary) -> str:
    """A mean and deviation of the metric."""
    return NOTHING if found.mean is None else results.metric.shown(found.mean, found.deviation)


def stopped(reasons: dict[str, int], seeds: int) -> str:
    """Which trainings were ended early, and why."""
    if seeds == 1:
        return next(iter(reasons), "")
    return ", ".join(f"{count} of {seeds} {reason}" for reason, count in reasons.items())


def mean_cell(found: Summary, form: str) -> Cell:
    """A mean; and how many seeds have one, if not all."""
    if found.mean is None:
        return Cell()
    remark = f"{found.count} of {found.total} seeds" if found.count < found.total else ""
    return Cell(form.format(found.mean), found.mean, remark)


def number_cell(value: float | None) -> Cell:
    """A number with two decimals."""
    return Cell() if value is None else Cell(f"{value:.2f}", value)
