"""Measurements of a claim, and the verdict that follows."""

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
    """A figure, and the bound it must meet for the claim to hold.

    `expected` is False for a part of a claim that is commonly made but documented not to hold. NaN
    meets no bound.
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
        """Whether the figure meets the bound."""
        return bool(RELATIONS[self.relation](self.value, self.bound))

    @property
    def is_as_documented(self) -> bool:
        """Whether the figure meets the bound exactly when it is expected to."""
        return self.passed == self.expected and not np.isnan(self.value)

    @property
    def threshold(self) -> str:
        """The bound as text, such as `< 0.1`."""
        return f"{self.relation} {self.bound:.4g}"


@final
@dataclass(frozen=True)
class Evidence:
    """The result for one claim, as commonly put: figures, a text, and a picture.

    The claim holds only if every figure meets its bound; the text says where it does not hold as
    put. The caption says what to see in the panels, which are drawn from left to right.
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
        """Whether the claim holds as commonly put."""
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


# What a function returns about the claim in its docstring, in the order of `Evidence`.
Found = tuple[Measurement | str | Panel, ...]
# The function that measures each claim, by number.
MEASURED_BY: dict[int, Callable[..., Evidence]] = {}


def claim(number: int) -> Callable[[Callable[..., Found]], Callable[..., Evidence]]:
    """Register a function that measures a claim; its docstring is the wording of the claim."""

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
    """Write the picture of a claim to a PNG file, at `dpi` dots per inch."""
    Path(path).write_bytes(png(evidence, dpi))


def png(evidence: Evidence, dpi: int = 110) -> bytes:
    """Return the picture of a claim as the content of a PNG file."""
    file, small = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(STYLE):
        drawn = figure(f"{evidence.number}. {evidence.claim}", evidence.panels)
        drawn.savefig(file, format="png", dpi=dpi, facecolor="white")
    # A palette cuts the file, and a notebook that holds it, to a third of the size.
    Image.open(file).convert("RGB").quantize(128).save(small, "png", optimize=True)
    return small.getvalue()


def steps_until(values: np.ndarray, bound: float | np.ndarray) -> np.ndarray:
    """Return the number of steps after which values stay below a bound.

    Infinity where the last value is not below the bound. The leading axis of the values is steps,
    starting at step 0; each element of a row may have a different bound.
    """
    over = ~(np.asarray(values) < bound)
    last_over = len(over) - np.argmax(over[::-1], axis=0)
    return np.where(over[-1], np.inf, np.where(over.any(axis=0), last_over, 0)).astype("float64")
