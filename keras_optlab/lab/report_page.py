"""The report as one HTML page: the figures that its template puts into words and tables."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from markupsafe import Markup

from keras_optlab.lab import report_charts, web
from keras_optlab.lab.cells import NOTHING, cells, percent, stopped
from keras_optlab.lab.results import TARGET_SHARE, Comparison, Results

TITLES = {"optimizer": "Algorithms", "schedule": "Schedules and 1cycle"}


@final
@dataclass(frozen=True)
class Column:
    """A column of figures.

    Args:
        group: The heading above it, shared with its neighbours; empty for none.
        heading: Its own heading.
        spoken: What it is called when it stands alone.
        first: The order that a first click brings.
        of_built_in: Whether it needs Keras' own beside.
    """

    group: str
    heading: str
    spoken: str
    first: str = "ascending"
    of_built_in: bool = False


# In the order of `cells`.
COLUMNS = (
    Column("Accuracy", "ours", "accuracy, ours", "descending"),
    Column("Accuracy", "built-in", "accuracy, built-in", "descending", of_built_in=True),
    Column("To the target", "steps", "steps to the target"),
    Column("To the target", "seconds", "seconds to the target"),
    Column("Weights", "differ", "difference of the weights", of_built_in=True),
    Column("Time of a step (ms)", "ours", "time of a step, ours"),
    Column("Time of a step (ms)", "built-in", "time of a step, built-in", of_built_in=True),
    Column("Time of a step (ms)", "ratio", "ratio of the times", of_built_in=True),
)


def page(results: Results, pictures: dict[str, str]) -> str:
    """The whole page.

    Args:
        results: `Results`.
        pictures: For each kind of comparison the SVG with a panel for each row. It is drawn by
            matplotlib, since it is looked at whole, and also where no script runs.
    """
    shown = [column for column in COLUMNS if results.settings.built_in or not column.of_built_in]
    figures = {
        kind: report_charts.figures(results, results.of_kind(kind), TITLES[kind])
        for kind in pictures
    }
    return web.render(
        "report.html",
        {"figures": figures},
        results=results,
        sections=[section(results, kind, svg) for kind, svg in pictures.items()],
        columns=shown,
        groups=[
            (name, len(list(group)))
            for name, group in itertools.groupby(shown, lambda column: column.group)
        ],
        target_share=TARGET_SHARE,
        again=results.again,
        versions={**results.versions, "time": took(results)},
    )


def section(results: Results, kind: str, svg: str) -> dict[str, Any]:
    """What the template needs of one kind of comparison."""
    comparisons = results.of_kind(kind)
    return {
        "kind": kind,
        "title": TITLES[kind],
        "metrics": report_charts.metrics(results),
        "rows": [row(results, comparison) for comparison in comparisons],
        "rates": list(rates(comparisons)),
        "picture": Markup(svg),
    }


def row(results: Results, comparison: Comparison) -> dict[str, Any]:
    """What the template needs of one row."""
    mean = comparison.accuracy("ours").mean
    ended = stopped(comparison.stopped(), len(comparison.duels))
    edge = "lowest" if comparison.best == 0 else "highest"
    return {
        "name": comparison.name,
        "setting": comparison.setting,
        "note": comparison.note,
        "edge": edge if comparison.at_edge else "",
        "final": ended or (NOTHING if mean is None else f"{mean:.1%}"),
        "cells": [
            cell
            for column, cell in zip(COLUMNS, cells(results, comparison), strict=True)
            if results.settings.built_in or not column.of_built_in
        ],
    }


def rates(comparisons: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    """The accuracy at every rate, for who would rather read than look."""
    for comparison in comparisons:
        for number, point in enumerate(comparison.points):
            reasons = [duel.ours.stopped for duel in point.duels if duel.ours.stopped]
            counts = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
            found = point.accuracy
            yield (
                comparison.name,
                f"{point.rate:.3g}",
                NOTHING if found.mean is None else percent(found.mean, found.deviation),
                "best" if number == comparison.best else "",
                stopped(counts, len(point.duels)),
            )


def took(results: Results) -> str:
    """How long it took, and where."""
    where = "on a Dask cluster" if results.jobs is None else f"with --jobs {results.jobs}"
    runs = "run" if results.reused == 1 else "runs"
    reused = f"; {results.reused} {runs} taken from before" if results.reused else ""
    return f"{results.seconds:.0f} s {where}{reused}"
