"""Pictures of the ways down a surface."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from keras_optlab.lab.landscape import (
    OURS,
    Landscape,
    contour_levels,
    heights,
    labels,
    numbered,
)
from keras_optlab.palette import LIGHT, STYLE, line


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
        axes.contour(x, y, z, levels, colors=LIGHT["muted"], linewidths=0.4, linestyles="solid")
        draw_ways(axes, landscape)
        axes.plot(*surface.start, "o", color=LIGHT["ink"], markersize=5, label="start")
        axes.plot(*np.transpose(surface.minima), "*", color=LIGHT["ink"], markersize=10)
        axes.set(xlim=surface.horizontal, ylim=surface.vertical, xlabel="x", ylabel="y")
        axes.set_title(f"{surface.title}\n", fontsize=11)
        axes.annotate(surface.formula, (0, 1.02), xycoords="axes fraction", fontsize=9)
        figure.legend(loc="outside right upper", frameon=False)
        figure.savefig(png, dpi=150, facecolor="white")


def draw_ways(axes: Axes, landscape: Landscape) -> None:
    """The ways, those of the built-ins wide and pale beneath ours."""
    ways = landscape.trajectories
    for way, label, number in zip(ways, labels(ways), numbered(ways), strict=True):
        colour, dash = line(number)
        ours = way.library == OURS
        axes.plot(
            *way.points.T,
            color=colour,
            linestyle=(0, dash),
            linewidth=1.4 if ours else 4,
            alpha=1 if ours else 0.35,
            zorder=3 if ours else 2,
            label=f"{label} (diverged)" if way.diverged else label,
        )
