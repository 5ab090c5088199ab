"""The report as one HTML page: the figures that its template puts into words and tables."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from markupsafe import Markup

from keras_optlab.lab import report_charts, web
from keras_optlab.lab.cells import (
    COST_HEADINGS,
    NOTHING,
    cells,
    cost_cells,
    metric_text,
    stopped,
)
from keras_optlab.lab.results import TARGET_SHARE, Comparison, Results

TITLES = {"optimizer": "Algorithms", "schedule": "Schedules and 1cycle"}


@final
@dataclass(frozen=True)
class Column:
    """A column of figures."""

    group: str  # the heading above it, shared with its neighbours
    heading: str
    spoken: str  # what it is called when it stands alone
    first: str = "ascending"  # the order that a first click brings
    of_built_in: bool = False


def columns(results: Results) -> list[Column]:
    """The columns of a table, in the order of `cells`."""
    title = results.metric.title
    first = "descending" if results.metric.higher_is_better else "ascending"
    time = "Time of a step (ms)"
    return [
        Column(results.metric.heading, "ours", f"{title}, ours", first),
        Column(results.metric.heading, "built-in", f"{title}, built-in", first, of_built_in=True),
        Column("To the target", "steps", "steps to the target"),
        Column("To the target", "seconds", "seconds to the target"),
        Column("Weights", "differ", "difference of the weights", of_built_in=True),
        Column(time, "ours", "time of a step, ours"),
        Column(time, "built-in", "time of a step, built-in", of_built_in=True),
        Column(time, "ratio", "ratio of the times", of_built_in=True),
    ]


def page(results: Results, pictures: dict[str, str]) -> str:
    """The whole page, with an SVG of a panel for each row, for each kind of comparison.

    That is drawn by matplotlib, since it is looked at whole, and also where no script runs.
    """
    has_built_in = results.settings.built_in
    shown = [column for column in columns(results) if has_built_in or not column.of_built_in]
    figures = {
        kind: report_charts.figures(results, results.of_kind(kind), TITLES[kind])
        for kind in pictures
    }
    return web.render(
        "report.html",
        {"figures": figures},
        results=results,
        metric=results.metric,
        sections=[section(results, kind, svg) for kind, svg in pictures.items()],
        columns=shown,
        groups=[
            (name, len(list(group)))
            for name, group in itertools.groupby(shown, lambda column: column.group)
        ],
        cost_headings=COST_HEADINGS,
        target_share=TARGET_SHARE,
        again=results.again,
        versions={**results.versions, "time": took(results)},
    )


def section(results: Results, kind: str, svg: str) -> dict[str, Any]:
    """What the template needs of one kind of comparison."""
    comparisons = results.of_kind(kind)
    tuned = [one for one in results.ordered(kind) if one.tuning]
    return {
        "kind": kind,
        "title": TITLES[kind],
        "metrics": report_charts.metrics(results),
        "rows": [row(results, comparison) for comparison in comparisons],
        "rates": list(rates(results, comparisons)),
        "costs": [(one.name, cost_cells(results, one)) for one in tuned],
        "picture": Markup(svg),
    }


def row(results: Results, comparison: Comparison) -> dict[str, Any]:
    """What the template needs of one row."""
    ended = stopped(comparison.stopped(), len(comparison.duels))
    mean = comparison.final().mean
    edge = "lowest" if comparison.best == 0 else "highest"
    has_built_in = results.settings.built_in
    return {
        "name": comparison.name,
        "setting": comparison.setting,
        "note": comparison.note,
        "edge": edge if comparison.at_edge else "",
        "final": ended or (NOTHING if mean is None else results.metric.shown(mean)),
        "cells": [
            cell
            for column, cell in zip(columns(results), cells(results, comparison), strict=True)
            if has_built_in or not column.of_built_in
        ],
    }


def rates(results: Results, comparisons: Sequence[Comparison]) -> Iterator[tuple[str, ...]]:
    """The metric at every rate, for who would rather read than look."""
    for comparison in comparisons:
        for number, point in enumerate(comparison.points):
            yield (
                comparison.name,
                f"{point.rate:.3g}",
                metric_text(results, point.final),
                "best" if number == comparison.best else "",
                stopped(point.stopped, len(point.duels)),
            )


def took(results: Results) -> str:
    """How long it took, and where."""
    where = "on a Dask cluster" if results.jobs is None else f"with --jobs {results.jobs}"
    runs = "run" if results.reused == 1 else "runs"
    reused = f"; {results.reused} {runs} taken from before" if results.reused else ""
    return f"{results.seconds:.0f} s {where}{reused}"
