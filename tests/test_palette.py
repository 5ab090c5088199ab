"""The palette: visible on light and dark pages, distinguishable with any colour vision."""

import itertools

import numpy as np
import pytest

from keras_optlab import palette

# Linear RGB as seen without one kind of cone (Machado et al., 2009, severity 1).
VISIONS = {
    "all cones": np.eye(3),
    "no L cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no M cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no S cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = TO_XYZ.sum(axis=1)


def linear(colour):
    """Return `#rrggbb` as linear RGB."""
    parts = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)]) / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Return the WCAG contrast, from 1 to 21."""
    low, high = sorted(float(TO_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def lab(rgb):
    """Return linear RGB as CIELAB."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", [palette.LIGHT, palette.DARK], ids=["light", "dark"])
def test_lines_and_text_have_contrast(theme):
    assert min(contrast(line, theme["paper"]) for line in palette.LINES) >= 3
    for name in ("ink", "muted", "warning"):
        assert min(contrast(theme[name], theme[below]) for below in ("paper", "panel")) >= 4.5


@pytest.mark.parametrize("vision", VISIONS)
def test_any_two_lines_differ_in_any_colour_vision(vision):
    seen = [lab(np.array(VISIONS[vision]) @ linear(colour)) for colour in palette.LINES]
    # A difference of 2.3 is just noticeable.
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 6 * 2.3


def test_thirty_lines_differ_in_colour_or_dash():
    assert len({palette.line(number) for number in range(30)}) == 30
    assert palette.line(0) == (palette.LINES[0], ())


def test_both_themes_name_the_same_colours():
    assert set(palette.LIGHT) == set(palette.DARK)
