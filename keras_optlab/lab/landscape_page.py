"""The landscapes as one HTML page that fetches nothing: data for the template beside this file."""

import itertools
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
from contourpy import FillType, contour_generator

from keras_optlab.lab.landscape import (
    BUILT_IN,
    Landscape,
    Settings,
    Trajectory,
    contour_levels,
    heights,
    labels,
)
from keras_optlab.lab.surfaces import Surface
from keras_optlab.lab.versions import versions

TEMPLATE = "landscape.html"
PLACEHOLDER = "{{DATA}}"

# The picture's coordinates are whole numbers up to this one; the page scales them.
SIDE = 2000


def page(landscapes: Sequence[Landscape], settings: Settings, command: str) -> str:
    """The whole page.

    Args:
        landscapes: What to show.
        settings: What was asked for.
        command: What to type to get the same again.
    """
    template = resources.files("keras_optlab.lab").joinpath(TEMPLATE).read_text(encoding="utf-8")
    data = {
        "lead": "Real optimizers, stepped on functions of two numbers. Move the slider, play, "
        "hide some; hover over a way or a name for the hyperparameters.",
        "steps": settings.steps,
        "side": SIDE,
        "command": command,
        "versions": ", ".join(f"{name} {version}" for name, version in versions().items()),
        "landscapes": [described(each) for each in landscapes],
    }
    # A closing tag within the data would end the script.
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("</", "<\\/")
    return template.replace(PLACEHOLDER, text)


def described(landscape: Landscape) -> dict[str, Any]:
    """What the page needs to know of a landscape."""
    surface = landscape.surface
    names = list(dict.fromkeys(way.name for way in landscape.trajectories))
    called = labels(landscape.trajectories)
    return {
        "name": surface.name,
        "title": surface.title,
        "formula": surface.formula,
        "lesson": surface.lesson,
        "start": surface.start,
        "horizontal": surface.horizontal,
        "vertical": surface.vertical,
        "minima": surface.minima,
        "bands": bands(surface),
        "ways": [
            described_way(way, label, names.index(way.name))
            for way, label in zip(landscape.trajectories, called, strict=True)
        ],
    }


def described_way(way: Trajectory, label: str, colour: int) -> dict[str, Any]:
    """What the page needs to know of a way; it ends where a number overflowed."""
    finite = np.isfinite(way.points).all(axis=1) & np.isfinite(way.values)
    length = len(finite) if finite.all() else int(finite.argmin())
    return {
        "label": label,
        "setting": way.setting,
        "builtIn": way.library == BUILT_IN,
        "colour": colour,
        "points": [[rounded(x), rounded(y)] for x, y in way.points[:length]],
        "values": [rounded(value) for value in way.values[:length]],
    }


def rounded(number: float) -> float:
    """Five digits, which no screen can show."""
    return float(f"{number:.5g}")


def bands(surface: Surface) -> list[str]:
    """For each contour level, the region below it as the path of an SVG."""
    x, y, z = heights(surface)
    generator = contour_generator(
        np.linspace(0, SIDE, len(x)),
        np.linspace(SIDE, 0, len(y)),
        z,
        fill_type=FillType.OuterOffset,
    )
    lowest = float(z.min()) - 1
    return [
        "".join(
            path(points[start:end])
            for points, offsets in zip(*generator.filled(lowest, level), strict=True)
            for start, end in itertools.pairwise(offsets)
        )
        for level in contour_levels(surface)
    ]


def path(points: np.ndarray) -> str:
    """A closed line as part of an SVG path, each point relative to the one before."""
    whole = points[:-1].round().astype(int)
    moves = np.diff(whole, axis=0)
    steps = " ".join(f"{x},{y}" for x, y in moves[moves.any(axis=1)].tolist())
    return f"M{whole[0][0]},{whole[0][1]}l{steps}Z"
