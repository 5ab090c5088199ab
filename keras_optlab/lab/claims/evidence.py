"""What was measured of a claim, and what follows from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

RELATIONS = {"<": np.less, ">": np.greater}


@final
@dataclass(frozen=True)
class Measurement:
    """A figure, and the bound that it has to keep for the claim to hold.

    Args:
        name: What was measured.
        value: The figure; NaN keeps no bound.
        relation: `"<"` or `">"`.
        bound: The bound.
        expected: Whether the figure is known to keep the bound. False for a part of a claim that
            is commonly told and does not hold.

    Raises:
        ValueError: For another relation.
    """

    name: str
    value: float
    relation: str
    bound: float
    expected: bool = True

    def __post_init__(self) -> None:
        if self.relation not in RELATIONS:
            raise ValueError(f"`relation` must be '<' or '>'. Received: relation={self.relation!r}")

    @property
    def passed(self) -> bool:
        """Whether the figure keeps the bound."""
        return bool(RELATIONS[self.relation](self.value, self.bound))

    @property
    def is_as_documented(self) -> bool:
        """Whether it keeps the bound just when it is known to."""
        return self.passed == self.expected and not np.isnan(self.value)

    @property
    def threshold(self) -> str:
        """The bound in words."""
        return f"{self.relation} {self.bound:.4g}"


@final
@dataclass(frozen=True)
class Line:
    """A line of a picture.

    Args:
        label: What the legend calls it; `""` leaves it out of the legend.
        x: Array.
        y: Array of the same length.
        spread: Two arrays, the lower and upper edge of a band around the line, or None.
        style: `"line"`, `"dots"` (a line with a dot at each point) or `"marks"` (dots alone).
        colour: Number of a colour, the same for what belongs together; None for the next one.
    """

    label: str
    x: np.ndarray
    y: np.ndarray
    spread: tuple[np.ndarray, np.ndarray] | None = None
    style: str = "line"
    colour: int | None = None


@final
@dataclass(frozen=True)
class Panel:
    """One coordinate system of a picture.

    Args:
        title: What it shows.
        x_label: What the horizontal axis is.
        y_label: What the vertical axis is.
        lines: `Line`s; in a bar chart, each has one point for each of `names`.
        scales: Scale of each axis, `"linear"` or `"log"`.
        limits: Lower and upper end of the vertical axis; None for what the lines need.
        levels: Labelled vertical positions, drawn as thin lines across.
        height: Function of x and y whose level lines lie under the lines, or None.
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


@final
@dataclass(frozen=True)
class Evidence:
    """What came out for one claim.

    Args:
        number: Number of the claim, 1 to 14.
        claim: The claim as it is commonly told.
        measurements: `Measurement`s, which together decide.
        text: What came out, in a sentence or two; where the claim does not hold as told, says so.
        caption: What to see in the picture.
        panels: The picture, from left to right.
    """

    number: int
    claim: str
    measurements: Sequence[Measurement]
    text: str
    caption: str
    panels: Sequence[Panel]

    def __repr__(self) -> str:
        return f"<Evidence of claim {self.number}: {self.verdict}>"

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        from keras_optlab.lab.claims.picture import png

        return png(self, dpi=80)

    @property
    def holds(self) -> bool:
        """Whether the claim holds as it is commonly told."""
        return all(measurement.passed for measurement in self.measurements)

    @property
    def is_as_documented(self) -> bool:
        """Whether every figure came out as it is known to."""
        return all(measurement.is_as_documented for measurement in self.measurements)

    @property
    def verdict(self) -> str:
        """The outcome in a few words."""
        if not self.is_as_documented:
            return "NOT AS DOCUMENTED"
        return "holds" if self.holds else "does not hold as told"


def steps_until(values: np.ndarray, bound: float | np.ndarray) -> np.ndarray:
    """The number of steps after which values stay under a bound.

    Args:
        values: Array whose leading axis is steps, from step 0 on.
        bound: Number, or one for each element of a row.

    Returns:
        The steps as floats, of the shape of one row; infinity where the last value is not under
        the bound.
    """
    over = ~(np.asarray(values) < bound)
    last_over = len(over) - np.argmax(over[::-1], axis=0)
    return np.where(over[-1], np.inf, np.where(over.any(axis=0), last_over, 0)).astype("float64")
