"""Pictures of evidence."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, StrMethodFormatter
from PIL import Image

from keras_optlab.lab.claims.evidence import Evidence, Line, Panel
from keras_optlab.palette import DASHES, LIGHT, LINES, STYLE

COLOURS_IN_A_FILE = 128
PANEL_SIZE = (4.6, 3.3)
MIN_WIDTH = 6.4
BAR_HEIGHT = 0.8


def draw(evidence: Evidence, path: str | Path, dpi: int = 110) -> None:
    """Draw the picture of a claim.

    Args:
        evidence: What came out.
        path: PNG file to write.
        dpi: Integer > 0, dots an inch. Defaults to `110`.
    """
    Path(path).write_bytes(png(evidence, dpi))


def png(evidence: Evidence, dpi: int = 110) -> bytes:
    """The picture of a claim as the content of a PNG file; the arguments are those of `draw`."""
    file = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        drawn = figure(f"{evidence.number}. {evidence.claim}", evidence.panels)
        drawn.savefig(file, format="png", dpi=dpi, facecolor="white")
    # A palette makes the file a third as large, and a notebook with it.
    small = io.BytesIO()
    Image.open(file).convert("RGB").quantize(COLOURS_IN_A_FILE).save(small, "png", optimize=True)
    return small.getvalue()


def figure(title: str, panels: Sequence[Panel]) -> Figure:
    """A figure of panels beside each other, which a notebook shows.

    Args:
        title: What stands above them.
        panels: `Panel`s, from left to right.
    """
    width, height = PANEL_SIZE
    size = (max(MIN_WIDTH, width * len(panels)), height + 0.4)
    with matplotlib.rc_context(STYLE):
        drawn = pyplot.figure(figsize=size, layout="constrained")
        pyplot.close(drawn)
        drawn.suptitle(textwrap.fill(title, int(size[0] * 15)), x=0.01, ha="left", fontsize=9)
        axes = drawn.subplots(1, len(panels), squeeze=False)[0]
        for own, panel in zip(axes, panels, strict=True):
            draw_panel(own, panel)
    return drawn


def draw_panel(axes: Axes, panel: Panel) -> None:
    """One coordinate system."""
    axes.set(title=panel.title, xlabel=panel.x_label, ylabel=panel.y_label)
    axes.set_xscale(panel.scales[0])
    axes.set_yscale(panel.scales[1])
    draw_lines = draw_curves if panel.names is None else draw_bars
    draw_lines(axes, panel)
    for axis, scale in zip((axes.xaxis, axes.yaxis), panel.scales, strict=True):
        if scale == "log":
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(LogFormatter(minor_thresholds=(1, 0.5)))
    if panel.limits is not None:
        axes.set_ylim(*panel.limits)
    if panel.height is not None:
        draw_height(axes, panel)
    for label, level in panel.levels:
        axes.axhline(level, color=LIGHT["muted"], linewidth=0.8, zorder=1)
        axes.annotate(
            label,
            (1, level),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            color=LIGHT["muted"],
            fontsize=8,
        )
    if any(line.label for line in panel.lines):
        where = {} if panel.names is None else {"loc": "lower right", "ncols": 2}
        axes.legend(fontsize=8, framealpha=0.85, edgecolor="none", borderpad=0.2, **where)


def draw_curves(axes: Axes, panel: Panel) -> None:
    """The lines of a panel."""
    for number, line in enumerate(panel.lines):
        kind = number if line.colour is None else line.colour
        colour = LINES[kind % len(LINES)]
        style = {"color": colour, "linewidth": 1.5, "label": line.label or None}
        # Few lines are in a panel: each has a dash of its own too.
        style["linestyle"] = "" if line.style == "marks" else (0, DASHES[kind % len(DASHES)])
        if line.style != "line":
            style |= {"marker": "o", "markersize": 3.5}
        axes.plot(line.x, line.y, **style)
        if line.spread is not None:
            low, high = line.spread
            axes.fill_between(line.x, low, high, color=colour, alpha=0.18, linewidth=0)


def draw_bars(axes: Axes, panel: Panel) -> None:
    """The points of each line as horizontal bars beside each other, with their values."""
    names = panel.names or ()
    positions = np.arange(len(names))
    thickness = BAR_HEIGHT / len(panel.lines)
    for number, line in enumerate(panel.lines):
        draw_bar_series(axes, line, positions + number * thickness, thickness, number)
    axes.set_yticks(positions + (BAR_HEIGHT - thickness) / 2, names)
    # From top to bottom, with room for the legend below.
    axes.set_ylim(len(names) + 0.3, -thickness)
    axes.margins(x=0.18)
    axes.grid(axis="y", visible=False)
    axes.set_axisbelow(True)


def draw_bar_series(
    axes: Axes, line: Line, positions: np.ndarray, thickness: float, number: int
) -> None:
    """One bar for each point of a line, with its spread and value."""
    kind = number if line.colour is None else line.colour
    axes.barh(
        positions, line.x, 0.9 * thickness, color=LINES[kind % len(LINES)], label=line.label or None
    )
    ends = line.x
    if line.spread is not None:
        low, ends = line.spread
        axes.hlines(positions, low, ends, color=LIGHT["ink"], linewidth=1.2)
    for position, value, end in zip(positions, line.x, ends, strict=True):
        style = {"xytext": (3, 0), "textcoords": "offset points", "va": "center", "fontsize": 8}
        if end < 0:
            style |= {"xytext": (-3, 0), "ha": "right"}
        axes.annotate(f"{value:.3g}", (end, position), **style)


def draw_height(axes: Axes, panel: Panel) -> None:
    """Level lines of a function of two variables, under the lines."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = np.meshgrid(np.linspace(left, right, 160), np.linspace(bottom, top, 160))
    z = panel.height(x, y)
    levels = np.quantile(z, np.linspace(0.02, 0.95, 12))
    axes.contour(x, y, z, levels=levels, colors=LIGHT["context"], linewidths=0.7, zorder=0)
