"""Pictures of the ways down a surface."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from keras_optlab.lab.landscape import LEVELS, Landscape, Trajectory, curvature, heights
from keras_optlab.palette import LIGHT, STYLE, line


def draw(landscape: Landscape, png: Path) -> None:
    """Write the picture of a landscape."""
    surface = landscape.surface
    x, y, z = heights(surface)
    # Closer to each other near the lowest height, where the ways end.
    levels = z.min() + (z.max() - z.min()) * LEVELS ** curvature(z)
    bands = [z.min(), *levels, z.max()]
    with matplotlib.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(7.4, 4.8), layout="constrained")
        axes = figure.subplots()
        # A colour for each band, however unlike their heights.
        axes.contourf(x, y, z, bands, cmap="Blues_r", norm=BoundaryNorm(bands, 256), alpha=0.45)
        axes.contour(x, y, z, levels, colors=LIGHT["muted"], linewidths=0.4, linestyles="solid")
        for way in landscape.trajectories:
            draw_way(axes, way)
        axes.plot(*surface.start, "o", color=LIGHT["ink"], markersize=5, label="start")
        axes.plot(*np.transpose(surface.minima), "*", color=LIGHT["ink"], markersize=10)
        axes.set(xlim=surface.horizontal, ylim=surface.vertical, xlabel="x", ylabel="y")
        axes.set_title(f"{surface.title}\n", fontsize=11)
        axes.annotate(surface.formula, (0, 1.02), xycoords="axes fraction", fontsize=9)
        figure.legend(loc="outside right upper", frameon=False)
        figure.savefig(png, dpi=150, facecolor="white")


def draw_way(axes: Axes, way: Trajectory) -> None:
    """A way; a built-in's is wide and pale, under ours."""
    colour, dash = line(way.number)
    axes.plot(
        *way.points.T,
        color=colour,
        linestyle=(0, dash),
        linewidth=4 if way.is_built_in else 1.4,
        alpha=0.35 if way.is_built_in else 1,
        zorder=2 if way.is_built_in else 3,
        label=f"{way.label} (diverged)" if way.diverged else way.label,
    )
