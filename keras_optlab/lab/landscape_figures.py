"""Pictures of the ways down a surface."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from keras_optlab.lab.figures import STYLE
from keras_optlab.lab.landscape import OURS, Landscape, contour_levels, heights, labels

# Told apart with any colour vision (Okabe and Ito); then again, with other dashes.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7f5fc4", "#8c564b")
DASHES = ("solid", (0, (6, 2)), (0, (2, 1.5)))


def draw(landscape: Landscape, png: Path) -> None:
    """Write the picture of a landscape."""
    surface = landscape.surface
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(7.4, 4.8), layout="constrained")
        axes = figure.subplots()
        x, y, z = heights(surface)
        levels = contour_levels(surface)
        bands = [z.min(), *levels, z.max()]
        # A colour for each band, however unlike their heights.
        norm = BoundaryNorm(bands, 256)
        axes.contourf(x, y, z, bands, cmap="Blues_r", norm=norm, alpha=0.45)
        axes.contour(x, y, z, levels, colors="#5c646e", linewidths=0.4, linestyles="solid")
        draw_ways(axes, landscape)
        axes.plot(*surface.start, "o", color="#1f2329", markersize=5, label="start")
        axes.plot(*np.transpose(surface.minima), "*", color="#1f2329", markersize=10)
        axes.set(xlim=surface.horizontal, ylim=surface.vertical, xlabel="x", ylabel="y")
        axes.set_title(f"{surface.title}\n", fontsize=11)
        axes.annotate(surface.formula, (0, 1.02), xycoords="axes fraction", fontsize=9)
        figure.legend(loc="outside right upper", frameon=False)
        figure.savefig(png, dpi=150, facecolor="white")


def draw_ways(axes: Axes, landscape: Landscape) -> None:
    """The ways, those of the built-ins wide and pale beneath ours."""
    names = list(dict.fromkeys(way.name for way in landscape.trajectories))
    for way, label in zip(landscape.trajectories, labels(landscape.trajectories), strict=True):
        number = names.index(way.name)
        ours = way.library == OURS
        axes.plot(
            *way.points.T,
            color=COLOURS[number % len(COLOURS)],
            linestyle=DASHES[number // len(COLOURS)],
            linewidth=1.4 if ours else 4,
            alpha=1 if ours else 0.35,
            zorder=3 if ours else 2,
            label=f"{label} (diverged)" if way.diverged else label,
        )
