"""Learning curves: one small panel per contender, so that none hides another.

A figure is drawn once and saved twice: as PNG, and as SVG whose colours are CSS variables, so
that the page around it can switch between light and dark.
"""

import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from keras_optlab.lab.results import Comparison, Curve
from keras_optlab.palette import LIGHT, STYLE

COLUMNS = 5
PANEL_WIDTH = 2.2

WIDTHS = {"context": 0.8, "built-in": 4.5, "ours": 1.6}
LINES: dict[str, Any] = {
    role: {"color": LIGHT[role], "linewidth": width} for role, width in WIDTHS.items()
}


def draw_optimizers(comparisons: Sequence[Comparison], png: Path) -> str:
    """Draw the validation loss of each algorithm, ours over the built-in's; return the SVG."""
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": png.stem}):
        figure, panels = new_figure(comparisons, 1.9, (1,), "the other algorithms, ours")
        draw_losses(panels, comparisons, context=comparisons)
        for panel, comparison in zip(panels.flat, comparisons, strict=False):
            panel.set_title(comparison.name)
        return save(figure, png)


def draw_schedules(comparisons: Sequence[Comparison], png: Path, epochs: int) -> str:
    """Draw each schedule's learning rate and, below it, the validation loss; return the SVG.

    The first comparison is the constant rate, the baseline for the others.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": png.stem}):
        figure, grid = new_figure(comparisons, 2.6, (1, 2), f"{comparisons[0].name}, ours")
        rates, losses = grid[::2], grid[1::2]
        draw_losses(losses, comparisons, context=comparisons[:1])
        highest = max(max(comparison.learning_rate) for comparison in comparisons)
        for panel, comparison in zip(rates.flat, comparisons, strict=False):
            rate = comparison.learning_rate
            steps = np.linspace(0, epochs, len(rate), endpoint=False)
            panel.fill_between(steps, rate, color=LIGHT["context"], alpha=0.35, linewidth=0)
            panel.plot(steps, rate, color=LIGHT["muted"], linewidth=1.2)
            panel.set(ylim=(0, 1.1 * highest), title=comparison.name)
            panel.label_outer()
        label_panels(rates, len(comparisons), "rate")
        return save(figure, png)


def new_figure(
    comparisons: Sequence[Comparison], height: float, shares: Sequence[int], context: str
) -> tuple[Figure, np.ndarray]:
    """Create a legend above a grid of cells of `height` inches, split into panels by `shares`."""
    columns = min(COLUMNS, max(len(comparisons), 3))
    rows = math.ceil(len(comparisons) / columns)
    size = (PANEL_WIDTH * columns, height * rows + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    heights = {"height_ratios": [*shares] * rows}
    panels = figure.subplots(
        len(shares) * rows, columns, sharex=True, squeeze=False, gridspec_kw=heights
    )
    labels = {"ours": "keras-optlab", "built-in": "Keras built-in", "context": context}
    if not any(comparison.trainings("built_in") for comparison in comparisons):
        del labels["built-in"]
    lines = [Line2D([], [], label=label, **LINES[role]) for role, label in labels.items()]
    figure.legend(handles=lines, loc="outside upper left", ncols=3, frameon=False)
    return figure, panels


def draw_losses(
    panels: np.ndarray, comparisons: Sequence[Comparison], context: Sequence[Comparison]
) -> None:
    """Draw the validation loss of each comparison into its panel, all on the same scale."""
    limits = loss_limits(comparisons)
    used, columns = len(comparisons), panels.shape[1]
    for panel, comparison in zip(panels.flat, comparisons, strict=False):
        ours = loss(comparison, "ours")
        for other in context:
            panel.plot(loss(other, "ours").mean, **LINES["context"])
        panel.plot(loss(comparison, "built_in").mean, **LINES["built-in"])
        epochs = range(len(ours.mean))
        panel.fill_between(epochs, ours.low, ours.high, color=LIGHT["ours"], alpha=0.2, linewidth=0)
        panel.plot(ours.mean, **LINES["ours"])
        panel.set(yscale="log", ylim=limits)
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        panel.yaxis.set_minor_formatter(NullFormatter())
        panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        panel.label_outer()
    label_panels(panels, used, "validation loss")
    for panel in panels.flat[max(0, used - columns) : used]:
        panel.set_xlabel("epoch")
        panel.tick_params(labelbottom=True)


def label_panels(panels: np.ndarray, used: int, label: str) -> None:
    """Label the first column, and hide unused panels."""
    for panel in panels[:, 0]:
        panel.set_ylabel(label)
    for panel in panels.flat[used:]:
        panel.set_axis_off()


def loss(comparison: Comparison, side: str) -> Curve:
    """Return the validation loss of a side; empty if there is no such side."""
    return comparison.curve(side, "validation_loss")


def loss_limits(comparisons: Sequence[Comparison]) -> tuple[float, float]:
    """Choose limits for the losses after the first epoch; curves may start or diverge above."""
    curves = [loss(one, side).mean for one in comparisons for side in ("ours", "built_in")]
    start = max(curve[0] for curve in curves if curve)
    losses = np.concatenate([curve[1:] for curve in curves])
    losses = losses[(losses > 0) & (losses < start)]
    return 0.85 * losses.min(initial=start), 1.2 * losses.max(initial=0.1 * start)


def save(figure: Figure, png: Path) -> str:
    """Write the PNG, and return the SVG for a page that defines the palette as CSS variables."""
    figure.savefig(png, dpi=160, facecolor="white")
    file = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    # Ids such as `axes_1` would be duplicated in a page; only shapes that are referenced need one.
    used = set(re.findall(r"#(\w+)", svg))
    svg = re.sub(r' id="([\w.]+)"', lambda found: found[0] if found[1] in used else "", svg)
    for name, colour in LIGHT.items():
        svg = svg.replace(colour, f"var(--{name})")
    return svg
