"""Table cells for the figures of a comparison, shared by the report page and the terminal."""

import math
from typing import NamedTuple, final

from keras_optlab.lab.results import NOTHING, Comparison, Results, Summary


@final
class Cell(NamedTuple):
    """One cell of a table."""

    text: str = NOTHING
    value: float | None = None  # sort key; None if the cell is empty
    remark: str = ""  # for example, that a training ended early

    @property
    def line(self) -> str:
        """The whole cell on one line."""
        if not self.remark:
            return self.text
        return self.remark if self.value is None else f"{self.text} ({self.remark})"


# Headings of `cost_cells`.
COST_HEADINGS = (
    *("Final", "Best trial", "Median", "Middle half"),
    *("Pruned", "Failed", "Steps", "Seconds"),
)


def cells(results: Results, comparison: Comparison) -> list[Cell]:
    """Return a row's cells: final metrics, steps and seconds to the target, weights, step times."""
    steps, seconds = results.to_target(comparison)
    row = results.row(comparison)
    return [
        final_cell(results, comparison, "ours"),
        final_cell(results, comparison, "built_in"),
        number(steps.mean, "{:.0f}", missing(steps)),
        number(seconds.mean, "{:.2f}", missing(seconds)),
        number(row["weight_difference"], "{:.0e}" if row["weight_difference"] else "none"),
        number(1e3 * row["step_seconds"]),
        number(1e3 * row["built_in_step_seconds"]),
        number(row["time_ratio"]),
    ]


def cost_cells(results: Results, comparison: Comparison) -> list[Cell]:
    """Return the cells for a row's search: what it found, and what it cost."""
    shown, cost = results.metric.shown, results.row(comparison)
    low, high = shown(cost["trials_lower_quartile"]), shown(cost["trials_upper_quartile"])
    texts = (
        shown(cost["trials_best"]),
        shown(cost["trials_median"]),
        low if low == NOTHING else f"{low} to {high}",
        str(cost["trials_pruned"]),
        str(cost["trials_failed"]),
        f"{cost['tuning_steps']:,}",
        f"{cost['tuning_seconds']:.1f}",
    )
    return [final_cell(results, comparison, "ours"), *map(Cell, texts)]


def final_cell(results: Results, comparison: Comparison, side: str) -> Cell:
    """Return the final metric of a side, noting how many trainings ended early, and why."""
    found, reasons = comparison.final(side), comparison.stopped(side).items()
    remarks = [f"{n} of {found.total} {why}" if found.total > 1 else why for why, n in reasons]
    shown = results.metric.shown(found.mean, found.deviation)
    return Cell(shown, found.mean, ", ".join(remarks))


def missing(found: Summary) -> str:
    """Return how many seeds have a figure, or an empty string if all do."""
    return f"{found.count} of {found.total} seeds" if found.count < found.total else ""


def number(value: float | None, form: str = "{:.2f}", remark: str = "") -> Cell:
    """Return a formatted number; the cell is empty for None or NaN."""
    if value is None or math.isnan(value):
        return Cell()
    return Cell(form.format(value), value, remark)
