"""What was measured of a claim, and what follows from it."""

import functools
import inspect
import io
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import matplotlib
import numpy as np
from PIL import Image

from keras_optlab.lab.claims.picture import Panel, figure
from keras_optlab.palette import STYLE

RELATIONS = {"<": operator.lt, ">": operator.gt}


@final
@dataclass(frozen=True)
class Measurement:
    """A figure, and the bound that it has to keep for the claim to hold.

    `expected` is False for a part of a claim that is commonly said and documented not to hold. NaN
    keeps no bound.
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
        """Whether it keeps the bound just when it is expected to."""
        return self.passed == self.expected and not np.isnan(self.value)

    @property
    def threshold(self) -> str:
        """The bound in words."""
        return f"{self.relation} {self.bound:.4g}"


@final
@dataclass(frozen=True)
class Evidence:
    """What came out for one claim, as it is commonly put: figures, a text, and a picture.

    The figures decide together, and the text says so where the claim does not hold as it is put.
    The caption says what to see in the panels, which stand from left to right.
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
        return png(self, dpi=80)

    @property
    def holds(self) -> bool:
        """Whether the claim holds as it is commonly put."""
        return all(measurement.passed for measurement in self.measurements)

    @property
    def is_as_documented(self) -> bool:
        """Whether every figure came out as expected."""
        return all(measurement.is_as_documented for measurement in self.measurements)

    @property
    def verdict(self) -> str:
        """The outcome in a few words."""
        if not self.is_as_documented:
            return "NOT AS DOCUMENTED"
        return "holds" if self.holds else "does not hold as claimed"


# What a function finds out about the claim in its docstring, in the order of `Evidence`.
Found = tuple[Measurement | str | Panel, ...]
# What measures each claim, by its number.
MEASURED_BY: dict[int, Callable[..., Evidence]] = {}


def claim(number: int) -> Callable[[Callable[..., Found]], Callable[..., Evidence]]:
    """Make a function measure the claim of a number, which its docstring puts into words."""

    def register(function: Callable[..., Found]) -> Callable[..., Evidence]:
        words = " ".join((inspect.getdoc(function) or "").split())

        @functools.wraps(function)
        def measure(*args: int, **kwargs: int) -> Evidence:
            found = function(*args, **kwargs)
            measurements = [each for each in found if isinstance(each, Measurement)]
            text, caption = (each for each in found if isinstance(each, str))
            panels = [each for each in found if isinstance(each, Panel)]
            return Evidence(number, words, measurements, text, caption, panels)

        MEASURED_BY[number] = measure
        return measure

    return register


def draw(evidence: Evidence, path: str | Path, dpi: int = 110) -> None:
    """Write the picture of a claim to a PNG file, with `dpi` dots an inch."""
    Path(path).write_bytes(png(evidence, dpi))


def png(evidence: Evidence, dpi: int = 110) -> bytes:
    """The picture of a claim as the content of a PNG file."""
    file, small = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(STYLE):
        drawn = figure(f"{evidence.number}. {evidence.claim}", evidence.panels)
        drawn.savefig(file, format="png", dpi=dpi, facecolor="white")
    # A palette makes the file a third as large, and a notebook with it.
    Image.open(file).convert("RGB").quantize(128).save(small, "png", optimize=True)
    return small.getvalue()


def steps_until(values: np.ndarray, bound: float | np.ndarray) -> np.ndarray:
    """The number of steps after which values stay under a bound; infinity where the last does not.

    The leading axis of the values is steps, from step 0 on; each element of a row may have a bound.
    """
    over = ~(np.asarray(values) < bound)
    last_over = len(over) - np.argmax(over[::-1], axis=0)
    return np.where(over[-1], np.inf, np.where(over.any(axis=0), last_over, 0)).astype("float64")
