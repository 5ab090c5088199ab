"""Pictures of panels side by side."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, StrMethodFormatter

from keras_optlab.palette import DASHES, LIGHT, LINES, STYLE

# Scales of a `Panel`.
LOG_X, LOG_Y, LOG_BOTH = ("log", "linear"), ("linear", "log"), ("log", "log")
BAR_HEIGHT = 0.8


@final
@dataclass(frozen=True)
class Line:
    """A line of a picture.

    Args:
        label: Name in the legend; `""` leaves it out of the legend.
        x: Array; in a bar chart, the lengths of the bars.
        y: Array of the same length.
        spread: Two arrays, the lower and upper edge of a band around the line, or None.
        style: `"line"`, `"dots"` (a line with a dot at each point) or `"marks"` (dots alone).
        colour: Index of a colour, shared by lines that belong together; None for the next one.
    """

    label: str
    x: Any
    y: Any
    spread: tuple[np.ndarray, np.ndarray] | None = None
    style: str = "line"
    colour: int | None = None


@final
@dataclass(frozen=True)
class Panel:
    """One panel of a picture, with its axes.

    Args:
        title: What it shows.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.
        lines: `Line`s; in a bar chart, each has one point for each of `names`.
        scales: Scale of each axis, `"linear"` or `"log"`.
        limits: Lower and upper end of the vertical axis; None to fit the lines.
        levels: Labelled vertical positions, drawn as thin lines across.
        height: Function of x and y whose contours are drawn beneath the lines, or None.
        names: Names of the bars of a bar chart, from top to bottom; None for lines.
    """

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    scales: tuple[str, str] = ("linear", "linear")
    limits: tuple[float, float] | None = None
    levels: Sequence[tuple[str, float]] = ()
    height: Any = None
    names: Sequence[str] | None = None


def lines(
    values: Mapping[Any, Any], x: Any = 0, style: str = "line", label: str = "{}"
) -> list[Line]:
    """Return a `Line` for each key, which fills the label; `x` is an array or the first step."""
    return [
        Line(
            label.format(key), np.arange(x, x + len(y)) if isinstance(x, int) else x, y, None, style
        )
        for key, y in values.items()
    ]


def bars(values: Mapping[str, Any]) -> list[Line]:
    """Return a `Line` for each label, with one length per bar."""
    return [Line(label, lengths, np.arange(len(lengths))) for label, lengths in values.items()]


def figure(title: str, panels: Sequence[Panel]) -> Figure:
    """Return a figure of panels side by side, which a notebook can display.

    Args:
        title: Title above the panels.
        panels: `Panel`s, from left to right.
    """
    width = max(6.4, 4.6 * len(panels))
    with matplotlib.rc_context(STYLE):
        drawn = pyplot.figure(figsize=(width, 3.3 + 0.4), layout="constrained")
        pyplot.close(drawn)
        drawn.suptitle(textwrap.fill(title, int(width * 15)), x=0.01, ha="left", fontsize=9)
        axes = drawn.subplots(1, len(panels), squeeze=False)[0]
        for place, panel in zip(axes, panels, strict=True):
            draw_panel(place, panel)
    return drawn


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw one panel."""
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    axes.set(xscale=panel.scales[0], yscale=panel.scales[1])
    draw_lines = draw_curves if panel.names is None else draw_bars
    draw_lines(axes, panel)
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    if panel.limits is not None:
        axes.set_ylim(*panel.limits)
    if panel.height is not None:
        edges = (axes.get_xlim(), axes.get_ylim())
        x, y = np.meshgrid(*(np.linspace(*ends, 160) for ends in edges))
        z = panel.height(x, y)
        levels = np.quantile(z, np.linspace(0.02, 0.95, 12))
        axes.contour(x, y, z, levels=levels, colors=LIGHT["context"], linewidths=0.7, zorder=0)
    for label, level in panel.levels:
        axes.axhline(level, color=LIGHT["muted"], linewidth=0.8, zorder=1)
        style = {"color": LIGHT["muted"], "fontsize": 8, "ha": "right", "va": "bottom"}
        axes.text(0.995, level, label, transform=axes.get_yaxis_transform(), **style)
    if any(line.label for line in panel.lines):
        where = {} if panel.names is None else {"loc": "lower right", "ncols": 2}
        axes.legend(fontsize=8, framealpha=0.85, edgecolor="none", borderpad=0.2, **where)


def draw_curves(axes: Axes, panel: Panel) -> None:
    """Draw lines, each with a dash pattern as well as a colour, since a panel has only a few."""
    for place, line in enumerate(panel.lines):
        kind = place if line.colour is None else line.colour
        look = {"color": LINES[kind % len(LINES)], "linewidth": 1.5, "label": line.label or None}
        dash = "" if line.style == "marks" else (0, DASHES[kind % len(DASHES)])
        marker = None if line.style == "line" else "o"
        axes.plot(line.x, line.y, linestyle=dash, marker=marker, markersize=3.5, **look)
        if line.spread is not None:
            axes.fill_between(line.x, *line.spread, color=look["color"], alpha=0.18, linewidth=0)


def draw_bars(axes: Axes, panel: Panel) -> None:
    """Draw the points of each line as horizontal bars, labelled with their values."""
    names: Any = panel.names
    positions = np.arange(len(names))
    thickness = BAR_HEIGHT / len(panel.lines)
    for place, line in enumerate(panel.lines):
        kind = place if line.colour is None else line.colour
        bars = axes.barh(
            positions + place * thickness,
            line.x,
            0.9 * thickness,
            xerr=None if line.spread is None else np.abs(np.subtract(line.spread, line.x)),
            error_kw={"ecolor": LIGHT["ink"], "elinewidth": 1.2},
            color=LINES[kind % len(LINES)],
            label=line.label or None,
        )
        axes.bar_label(bars, fmt="{:.3g}", padding=3, fontsize=8)
    axes.set_yticks(positions + (BAR_HEIGHT - thickness) / 2, names)
    # From top to bottom, with room for the legend below.
    axes.set_ylim(len(names) + 0.3, -thickness)
    axes.margins(x=0.18)
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)
