"""What values an argument may take, and the error for one that it may not."""

import math
import numbers
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, final

import numpy as np


class Domain(ABC):
    """A set of allowed values that can say what it is in words."""

    @abstractmethod
    def describe(self) -> str:
        """Words that finish the sentence "must be ..."."""

    @abstractmethod
    def normalize(self, value: Any) -> Any:
        """The value as the type that is stored; `TypeError` or `ValueError` if not allowed."""

    def check(self, name: str, value: Any) -> Any:
        """The normalized value, or an error in Keras' style that names the argument."""
        try:
            return self.normalize(value)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"`{name}` must be {self.describe()}. Received: {name}={value!r} "
                f"(of type {type(value).__name__})."
            ) from None


def _plain(value: Any) -> Any:
    """A numpy scalar, or an array of no dimensions, as the Python scalar it holds."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


@final
@dataclass(frozen=True)
class Real(Domain):
    """A finite number between `low` and `high`; an open end is not allowed itself."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def describe(self) -> str:
        if math.isinf(self.low) and math.isinf(self.high):
            return "a finite number"
        if math.isinf(self.high):
            return f"a finite number {'>' if self.open_low else '>='} {self.low:g}"
        if math.isinf(self.low):
            return f"a finite number {'<' if self.open_high else '<='} {self.high:g}"
        left, right = "(" if self.open_low else "[", ")" if self.open_high else "]"
        return f"a number in the range {left}{self.low:g}, {self.high:g}{right}"

    def normalize(self, value: Any) -> float:
        value = _plain(value)
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError
        value = float(value)
        below = value <= self.low if self.open_low else value < self.low
        above = value >= self.high if self.open_high else value > self.high
        if not math.isfinite(value) or below or above:
            raise ValueError
        return value


@final
@dataclass(frozen=True)
class Integer(Domain):
    """A whole number of at least `low`."""

    low: int = 0

    def describe(self) -> str:
        return f"an integer >= {self.low}"

    def normalize(self, value: Any) -> int:
        value = _plain(value)
        if isinstance(value, bool) or not isinstance(value, numbers.Integral):
            raise TypeError
        if value < self.low:
            raise ValueError
        return int(value)


@final
@dataclass(frozen=True)
class Boolean(Domain):
    """`True` or `False`."""

    def describe(self) -> str:
        return "a boolean"

    def normalize(self, value: Any) -> bool:
        value = _plain(value)
        if not isinstance(value, bool):
            raise TypeError
        return value


@final
@dataclass(frozen=True)
class Text(Domain):
    """A string that is not empty."""

    def describe(self) -> str:
        return "a string that is not empty"

    def normalize(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError
        if not value:
            raise ValueError
        return value


@final
@dataclass(frozen=True)
class Choice(Domain):
    """One of a few strings or booleans."""

    values: tuple[str | bool, ...]

    def describe(self) -> str:
        return "one of " + ", ".join(repr(value) for value in self.values)

    def normalize(self, value: Any) -> str | bool:
        if not isinstance(value, tuple({type(allowed) for allowed in self.values})):
            raise TypeError
        if value not in self.values:
            raise ValueError
        return value


@final
@dataclass(frozen=True)
class Listing(Domain):
    """A list or tuple whose items all lie in another domain."""

    item: Domain

    def describe(self) -> str:
        return f"a list in which each item is {self.item.describe()}"

    def normalize(self, value: Any) -> list:
        if not isinstance(value, (list, tuple, np.ndarray)):
            raise TypeError
        return [self.item.normalize(item) for item in value]


@final
@dataclass(frozen=True)
class Optional(Domain):
    """Another domain, or `None`."""

    inner: Domain

    def describe(self) -> str:
        return f"{self.inner.describe()}, or None"

    def normalize(self, value: Any) -> Any:
        return None if value is None else self.inner.normalize(value)


FINITE = Real()
NON_NEGATIVE = Real(low=0.0)
POSITIVE = Real(low=0.0, open_low=True)
FRACTION = Real(low=0.0, high=1.0)
DECAY_RATE = Real(low=0.0, high=1.0, open_high=True)


@final
@dataclass(frozen=True)
class Instance(Domain):
    """An object of one class."""

    type: type

    def describe(self) -> str:
        return f"a {self.type.__name__}"

    def normalize(self, value: Any) -> Any:
        if not isinstance(value, self.type):
            raise TypeError
        return value
