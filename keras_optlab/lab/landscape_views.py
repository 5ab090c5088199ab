"""Pictures of paths down a surface, and a page with a slider for the steps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from plotly import graph_objects

from keras_optlab import palette
from keras_optlab.lab import web
from keras_optlab.lab.landscape import Landscape, Trajectory
from keras_optlab.lab.surfaces import Surface
from keras_optlab.lab.versions import versions

# Scaled heights of the contour lines.
LEVELS = np.linspace(0, 1, 19)[2:-1]


def scaled_heights(surface: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the surface on a grid: x, y and values from 0 to 1, about half of them below 1/2.

    Contour lines are then closer together near the lowest height, where the paths end.
    """
    x, y = (np.linspace(*ends, 140) for ends in (surface.horizontal, surface.vertical))
    z = surface.value(*np.meshgrid(x, y))
    z = (z - z.min()) / (z.max() - z.min())
    return x, y, z ** (1 / np.clip(np.log(np.median(z)) / np.log(0.5), 1.0, 6.0))


def draw(landscape: Landscape, png: Path) -> None:
    """Write the picture of a landscape; a built-in's path is wide and pale, under ours."""
    surface, light = landscape.surface, palette.LIGHT
    heights = scaled_heights(surface)
    bands = [0, *LEVELS, 1]
    with matplotlib.rc_context({**palette.STYLE, "axes.grid": False}):
        figure = Figure(figsize=(7.4, 4.8), layout="constrained")
        axes = figure.subplots()
        # One colour per band, however unequal their heights.
        axes.contourf(*heights, bands, cmap="Blues_r", norm=BoundaryNorm(bands, 256), alpha=0.45)
        axes.contour(*heights, LEVELS, colors=light["muted"], linewidths=0.4, linestyles="solid")
        for way in landscape.trajectories:
            colour, dash = palette.line(way.number)
            axes.plot(
                *way.points.T,
                color=colour,
                linestyle=(0, dash),
                linewidth=4 if way.is_built_in else 1.4,
                alpha=0.35 if way.is_built_in else 1,
                zorder=2 if way.is_built_in else 3,
                label=f"{way.label} (diverged)" if way.diverged else way.label,
            )
        axes.plot(*surface.start, "o", color=light["ink"], markersize=5, label="start")
        axes.plot(*np.transpose(surface.minima), "*", color=light["ink"], markersize=10)
        axes.set(xlim=surface.horizontal, ylim=surface.vertical, xlabel="x", ylabel="y")
        axes.set_title(f"{surface.title}\n", fontsize=11)
        axes.annotate(surface.formula, (0, 1.02), xycoords="axes fraction", fontsize=9)
        figure.legend(loc="outside right upper", frameon=False)
        figure.savefig(png, dpi=150, facecolor="white")


def page(landscapes: Sequence[Landscape], steps: int, command: str) -> str:
    """Return the whole page; `command` is what to type to make the same page again."""
    surfaces = [
        {
            "name": each.surface.name,
            "title": each.surface.title,
            "formula": each.surface.formula,
            "lesson": each.surface.lesson,
            "chart": _chart(each),
        }
        for each in landscapes
    ]
    return web.render(
        "landscape.html",
        {"surfaces": surfaces},
        surfaces=surfaces,
        ways=landscapes[0].trajectories,
        steps=steps,
        again=command,
        versions=versions(),
    )


def _chart(landscape: Landscape) -> graph_objects.Figure:
    """Build the chart: contour lines, start and minima, paths, and dots at their ends."""
    surface = landscape.surface
    x, y, z = scaled_heights(surface)
    contour = graph_objects.Contour(
        x=x,
        y=y,
        z=z.astype(np.float32),
        contours={"start": LEVELS[0], "end": LEVELS[-1], "size": LEVELS[1] - LEVELS[0]},
        hoverinfo="skip",
        line={"color": "rgba(110, 125, 140, 0.5)", "width": 0.7},
        showscale=False,
    )
    dots = graph_objects.Scatter(
        x=[], y=[], hoverinfo="skip", marker={"size": 13, "line": {"width": 2}}, mode="markers"
    )
    traces = [
        contour,
        _points([surface.start], "start", symbol="circle", size=8),
        _points(surface.minima, "minimum", symbol="star", size=14),
        # Built-ins first, so that ours lie on top.
        *map(_line, sorted(landscape.trajectories, key=lambda way: not way.is_built_in)),
        dots,
    ]
    common = {"automargin": False, "showgrid": False, "ticks": ""}
    layout = {
        "template": None,
        "hovermode": "closest",
        "uirevision": surface.name,
        "xaxis": {"range": surface.horizontal, "title": {"text": "x"}, **common},
        "yaxis": {"range": surface.vertical, "title": {"text": "y"}, **common},
    }
    return graph_objects.Figure(traces, layout)


def _points(
    places: Sequence[tuple[float, float]], text: str, **marker: Any
) -> graph_objects.Scatter:
    x, y = zip(*places, strict=True)
    hover = f"{text} (%{{x:.3g}}, %{{y:.3g}})<extra></extra>"
    marker["line"] = {"width": 0}
    return graph_objects.Scatter(x=x, y=y, hovertemplate=hover, marker=marker, mode="markers")


def _line(way: Trajectory) -> graph_objects.Scatter:
    """Build a path, up to where a number overflowed; a screen cannot show more than five digits."""
    numbers = np.column_stack([way.points, way.values])
    overflowed = ~np.isfinite(numbers).all(axis=1)
    end = int(overflowed.argmax()) if overflowed.any() else None
    x, y, height = ([float(f"{number:.5g}") for number in column] for column in numbers[:end].T)
    colour, lengths = palette.line(way.number)
    return graph_objects.Scatter(
        x=x,
        y=y,
        customdata=height,
        hovertemplate=f"<b>{way.label}</b><br>{way.setting}<br>step %{{pointNumber}}: "
        "x %{x:.3g}, y %{y:.3g}, height %{customdata:.3g}<extra></extra>",
        line={"color": colour, "dash": web.dash(lengths), "width": 7 if way.is_built_in else 2},
        meta={"setting": way.setting},
        mode="lines",
        name=way.label,
        opacity=0.4 if way.is_built_in else 1,
    )
