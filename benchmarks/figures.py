"""Plots, in the colours of the package's report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from benchmarks.contenders import KERAS, OURS
from keras_optlab.palette import LIGHT, LINES, STYLE

LABELS = {OURS: "keras-optlab", KERAS: "Keras built-in"}
COLOURS = {OURS: LIGHT["ours"], KERAS: LIGHT["built-in"]}
OTHER_COLOURS = LINES[1:]
LEGEND_ENTRY_INCHES = 2
MARKERS = "osD^v"
# Distance between the dots of a row, where rows are 1 apart.
APART = 0.25
RESOLUTION = 160


@final
@dataclass(frozen=True)
class Dots:
    """A panel with a row for each name, and a dot for each series in it.

    Args:
        title: Title of the panel.
        unit: Unit of the axis.
        names: Names of the rows, from the top.
        series: Values by name of the series, None for a missing value.
        limit: The least possible value of each row, marked by a bar; None for no bars.
        logarithmic: Whether the axis is logarithmic.
    """

    title: str
    unit: str
    names: Sequence[str]
    series: dict[str, Sequence[float | None]]
    limit: Sequence[float] | None = None
    logarithmic: bool = True


@final
@dataclass(frozen=True)
class Lines:
    """A panel with a line for each series.

    Args:
        title: Title of the panel.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        x: Horizontal positions of the points.
        series: Values by name of the series.
        spreads: Lowest and highest values by name of the series.
        slope_one: Whether both axes are logarithmic, with a line of slope 1 for comparison.
    """

    title: str
    x_label: str
    y_label: str
    x: Sequence[float]
    series: dict[str, Sequence[float]]
    spreads: dict[str, tuple[Sequence[float], Sequence[float]]] | None = None
    slope_one: bool = False


def dots(
    results: dict[str, dict[str, Any]],
    series: Sequence[str],
    *quantities: tuple[str, str, Callable[[Any], float]],
) -> list[Dots]:
    """Return a panel for each quantity, with all cases and the chosen series.

    Args:
        results: Results by case and series.
        series: The series to draw.
        quantities: Title, unit, and a function that extracts the quantity from a result.
    """
    return [
        Dots(
            title=title,
            unit=unit,
            names=list(results),
            series={name: [quantity(found[name]) for found in results.values()] for name in series},
            logarithmic=False,
        )
        for title, unit, quantity in quantities
    ]


def draw_dots(panels: Sequence[Dots], png: Path) -> None:
    """Draw panels side by side, each with a separate scale."""
    with matplotlib.rc_context(STYLE):
        height = 1.3 + 0.27 * max(len(panel.names) for panel in panels)
        figure = Figure(figsize=(6.5 * len(panels), height), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for panel, dots in zip(axes, panels, strict=True):
            _draw_dots(panel, dots)
        _finish(figure, axes[0], png)


def _draw_dots(panel: Axes, dots: Dots) -> None:
    rows = np.arange(len(dots.names))
    if dots.logarithmic:
        panel.set_xscale("log")
        panel.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    if dots.limit is not None:
        style = {"color": LIGHT["muted"], "markeredgewidth": 2, "markersize": 11}
        panel.plot(dots.limit, rows, "|", label="memory limit", **style)
    for number, (name, values) in enumerate(dots.series.items()):
        known = [(value, row) for value, row in zip(values, rows, strict=True) if value is not None]
        x, y = zip(*known, strict=True) if known else ((), ())
        if not dots.logarithmic:
            # Equal counts or bytes are common, and their dots would hide each other.
            y = np.asarray(y) + APART * (number - (len(dots.series) - 1) / 2)
        style = {"color": _colour(name, number), "marker": MARKERS[number % len(MARKERS)]}
        panel.plot(x, y, linestyle="none", clip_on=False, label=LABELS.get(name, name), **style)
    panel.set_yticks(rows, dots.names)
    panel.set_ylim(len(rows) - 0.5, -0.5)
    panel.set_xlabel(dots.unit)
    panel.set_title(dots.title)
    if not dots.logarithmic:
        panel.set_xlim(left=0)


def draw_lines(panels: Sequence[Lines], png: Path, columns: int) -> None:
    """Draw panels in columns, each with a separate scale."""
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        size = (4.5 * columns, 3.2 * rows + 0.4)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False)
        for panel in axes.flat[len(panels) :]:
            panel.set_axis_off()
        for panel, lines in zip(axes.flat, panels, strict=False):
            _draw_lines(panel, lines)
        _finish(figure, axes[0, 0], png)


def _draw_lines(panel: Axes, lines: Lines) -> None:
    for number, (name, values) in enumerate(lines.series.items()):
        style = {"color": _colour(name, number), "marker": "o" if lines.slope_one else None}
        panel.plot(lines.x, values, label=LABELS.get(name, name), markersize=4, **style)
        if lines.spreads:
            panel.fill_between(lines.x, *lines.spreads[name], color=style["color"], alpha=0.2)
    if lines.slope_one:
        x = np.asarray(lines.x, float)
        last = min(values[-1] for values in lines.series.values())
        style = {"color": LIGHT["muted"], "linestyle": "--", "linewidth": 1}
        panel.plot(x, 0.5 * last * x / x[-1], label="slope 1", **style)
        panel.set_xscale("log")
        panel.set_yscale("log")
    panel.set_xlabel(lines.x_label)
    panel.set_ylabel(lines.y_label)
    panel.set_title(lines.title)


def _colour(name: str, number: int) -> str:
    return COLOURS.get(name, OTHER_COLOURS[number % len(OTHER_COLOURS)])


def _finish(figure: Figure, panel: Axes, png: Path) -> None:
    handles, labels = panel.get_legend_handles_labels()
    columns = int(figure.get_figwidth() / LEGEND_ENTRY_INCHES)
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, frameon=False)
    figure.savefig(png, dpi=RESOLUTION, facecolor="white")
