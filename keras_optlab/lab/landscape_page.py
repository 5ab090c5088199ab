"""The landscapes as one HTML page: a chart for each surface, which the page's slider moves."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from plotly import graph_objects

from keras_optlab import palette
from keras_optlab.lab import web
from keras_optlab.lab.landscape import LEVELS, Landscape, Settings, Trajectory, curvature, heights
from keras_optlab.lab.surfaces import Surface
from keras_optlab.lab.versions import versions

LEVEL_LINE = "rgba(110, 125, 140, 0.5)"


def page(landscapes: Sequence[Landscape], settings: Settings, command: str) -> str:
    """The whole page; the command is what to type to get the same again."""
    surfaces = [
        {
            "name": each.surface.name,
            "title": each.surface.title,
            "formula": each.surface.formula,
            "lesson": each.surface.lesson,
            "levels": levels(each.surface),
            "ways": ways(each),
        }
        for each in landscapes
    ]
    return web.render(
        "landscape.html",
        {"surfaces": surfaces},
        surfaces=surfaces,
        ways=landscapes[0].trajectories,
        steps=settings.steps,
        again=command,
        versions=versions(),
    )


def layout(surface: Surface, **axis: Any) -> dict[str, Any]:
    """What the levels and the ways above them have in common: all that decides where a point is."""
    common = {"automargin": False, "showgrid": False, **axis}
    return {
        "template": None,
        "hovermode": "closest",
        "uirevision": surface.name,
        "xaxis": {"range": surface.horizontal, "title": {"text": "x"}, **common},
        "yaxis": {"range": surface.vertical, "title": {"text": "y"}, **common},
    }


def levels(surface: Surface) -> graph_objects.Figure:
    """The surface. Plotly's levels have one distance, so heights are scaled to give `LEVELS`."""
    x, y, z = heights(surface)
    scaled = ((z - z.min()) / (z.max() - z.min())) ** (1 / curvature(z))
    contour = graph_objects.Contour(
        x=x,
        y=y,
        z=scaled.astype(np.float32),
        contours={"start": LEVELS[0], "end": LEVELS[-1], "size": LEVELS[1] - LEVELS[0]},
        line={"color": LEVEL_LINE, "width": 0.7},
        showscale=False,
    )
    return graph_objects.Figure(contour, layout(surface, visible=False))


def ways(landscape: Landscape) -> graph_objects.Figure:
    """Start and minima, the ways, and the dots at their ends."""
    surface = landscape.surface
    traces = [
        points([surface.start], "start", {"symbol": "circle", "size": 8, "line": {"width": 0}}),
        points(surface.minima, "minimum", {"symbol": "star", "size": 14, "line": {"width": 0}}),
        # Built-ins first, so that ours lie upon them.
        *map(line, sorted(landscape.trajectories, key=lambda way: not way.is_built_in)),
        graph_objects.Scatter(
            x=[], y=[], hoverinfo="skip", marker={"size": 13, "line": {"width": 2}}, mode="markers"
        ),
    ]
    return graph_objects.Figure(traces, layout(surface))


def points(
    places: Sequence[tuple[float, float]], text: str, marker: dict[str, Any]
) -> graph_objects.Scatter:
    """Points of the surface."""
    x, y = zip(*places, strict=True)
    hover = f"{text} (%{{x:.3g}}, %{{y:.3g}})<extra></extra>"
    return graph_objects.Scatter(x=x, y=y, hovertemplate=hover, marker=marker, mode="markers")


def line(way: Trajectory) -> graph_objects.Scatter:
    """A way, which ends where a number overflowed; a built-in's is wide and pale."""
    numbers = np.column_stack([way.points, way.values])
    overflowed = ~np.isfinite(numbers).all(axis=1)
    end = int(overflowed.argmax()) if overflowed.any() else None
    x, y, height = (rounded(column) for column in numbers[:end].T)
    colour, lengths = palette.line(way.number)
    return graph_objects.Scatter(
        x=x,
        y=y,
        customdata=height,
        hovertemplate=f"<b>{way.label}</b><br>{way.setting}<br>step %{{pointNumber}}: "
        "x %{x:.3g}, y %{y:.3g}, height %{customdata:.3g}<extra></extra>",
        line={
            "color": colour,
            "dash": web.dash(lengths),
            "width": 7 if way.is_built_in else 2,
        },
        meta={"setting": way.setting},
        mode="lines",
        name=way.label,
        opacity=0.4 if way.is_built_in else 1,
    )


def rounded(numbers: np.ndarray) -> list[float]:
    """Five digits, more than a screen can show."""
    return [float(f"{number:.5g}") for number in numbers]
