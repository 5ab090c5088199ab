"""The report as one HTML page: the figures that its template puts into words and tables."""

import dataclasses
import functools
import itertools
from collections import Counter
from typing import NamedTuple

from markupsafe import Markup

from keras_optlab.lab import report_charts, web
from keras_optlab.lab.cells import COST_HEADINGS, Cell, cells, cost_cells, final_cell
from keras_optlab.lab.results import TARGET_SHARE, Comparison, Results

TITLES = {"optimizer": "Algorithms", "schedule": "Schedules and 1cycle"}


class Column(NamedTuple):
    """A column of figures."""

    group: str  # the heading above it, shared with its neighbours
    heading: str
    spoken: str  # what it is called when it stands alone
    first: str = "ascending"  # the order that a first click brings
    of_built_in: bool = False


def page(results: Results, pictures: dict[str, str]) -> str:
    """The whole page, with an SVG of a panel for each row, for each kind of comparison.

    That is drawn by matplotlib, since it is looked at whole, and also where no script runs.
    """
    title, heading = results.metric.title, results.metric.heading
    first = "descending" if results.metric.higher_is_better else "ascending"
    time = "Time of a step (ms)"
    columns = [  # in the order of `cells`
        Column(heading, "ours", f"{title}, ours", first),
        Column(heading, "built-in", f"{title}, built-in", first, of_built_in=True),
        Column("To the target", "steps", "steps to the target"),
        Column("To the target", "seconds", "seconds to the target"),
        Column("Weights", "differ", "difference of the weights", of_built_in=True),
        Column(time, "ours", "time of a step, ours"),
        Column(time, "built-in", "time of a step, built-in", of_built_in=True),
        Column(time, "ratio", "ratio of the times", of_built_in=True),
    ]
    shown = [results.settings.built_in or not column.of_built_in for column in columns]
    columns = list(itertools.compress(columns, shown))
    figures = {
        kind: report_charts.figures(results, results.of_kind(kind), TITLES[kind])
        for kind in pictures
    }
    where = "on a Dask cluster" if results.jobs is None else f"with --jobs {results.jobs}"
    runs = "run" if results.reused == 1 else "runs"
    reused = f"; {results.reused} {runs} taken from before" if results.reused else ""

    def final(row: Comparison, point: int) -> Cell:
        return final_cell(results, dataclasses.replace(row, best=point), "ours")

    return web.render(
        "report.html",
        {"figures": figures},
        results=results,
        metric=results.metric,
        titles=TITLES,
        figures=figures,
        pictures={kind: Markup(svg) for kind, svg in pictures.items()},
        columns=columns,
        groups=Counter(column.group for column in columns),
        cells=lambda row: itertools.compress(cells(results, row), shown),
        final=final,
        cost_headings=COST_HEADINGS,
        costs=functools.partial(cost_cells, results),
        target_share=TARGET_SHARE,
        again=results.again,
        versions={**results.versions, "time": f"{results.seconds:.0f} s {where}{reused}"},
    )
