"""Domains: the values that an argument may take, and the error for any other value."""

import inspect
import math
import numbers
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import keras
import numpy as np

# Longer values are truncated in messages.
LONGEST_SHOWN = 200

# Keras counts steps in int32 on JAX.
LARGEST_INTEGER = 2**31 - 1


class Domain(ABC):
    """A set of allowed values that can describe itself in words."""

    @abstractmethod
    def describe(self) -> str:
        """Return words that complete the sentence "must be ..."."""

    @abstractmethod
    def normalize(self, value: Any) -> Any:
        """Return the value in its stored type; raise `TypeError` or `ValueError` if not allowed."""

    def check(self, name: str, value: Any, keras_says: str = "") -> Any:
        """Return the normalized value, or raise an error in Keras' style that names the argument.

        Args:
            name: Name of the argument.
            value: The value it was given.
            keras_says: The sentence with which Keras rejects a value, if it does. The error then
                begins with that sentence, and our message is added to it as a note.
        """
        try:
            return self.normalize(value)
        except (TypeError, ValueError, OverflowError) as error:
            reason = f" {error}." if str(error) else ""
            ours = f"`{name}` must be {self.describe()}."
            received = f"{name}={shown(value)}"
            if keras_says:
                refusal = ValueError(f"{keras_says} Received: {received}.")
                refusal.add_note(f"{ours} Received a value of type {type(value).__name__}.{reason}")
                raise refusal from None
            raise (TypeError if isinstance(error, TypeError) else ValueError)(
                f"{ours} Received: {received} (of type {type(value).__name__}).{reason}"
            ) from None


def shown(value: Any) -> str:
    """Return any value as text for a message: one line of bounded length."""
    try:
        text = repr(value)
    except Exception:
        # The `repr` of an int of 5,000 digits raises, and so may that of a user's class.
        text = object.__repr__(value)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _plain(value: Any) -> Any:
    """Convert a numpy scalar, or an array without dimensions, to a Python scalar."""
    is_scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    # A masked value would become 0.0, and a duration an integer.
    if is_scalar and not isinstance(value, np.ma.MaskedArray) and value.dtype.kind != "m":
        return value.item()
    return value


def _number(value: Any, kind: type) -> Any:
    """Return a number of type `kind`, including numpy's; raise `TypeError` for anything else."""
    value = _plain(value)
    # Both would pass as integers.
    if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, kind):
        raise TypeError
    return value


def _in_float32(value: float) -> float:
    """Return a number as a float32 step sees it."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(value))


@final
@dataclass(frozen=True)
class Real(Domain):
    """A finite number between `low` and `high`; an open end is excluded.

    The number must be in range in float32 too, since most steps compute in float32: there, a decay
    rate of 0.99999999 is 1, and Adam would divide by 1 - 1.
    """

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
        value = float(_number(value, numbers.Real))
        if not self._contains(value):
            raise ValueError
        if not self._contains(_in_float32(value)):
            raise ValueError(f"In float32 that is {_in_float32(value):g}")
        return value

    def _contains(self, value: float) -> bool:
        below = value <= self.low if self.open_low else value < self.low
        above = value >= self.high if self.open_high else value > self.high
        return math.isfinite(value) and not below and not above


@final
@dataclass(frozen=True)
class NumberOrVariable(Domain):
    """A number, or a variable or tensor whose current value is taken."""

    numbers: Real

    def describe(self) -> str:
        return f"{self.numbers.describe()}, or a variable that holds one"

    def normalize(self, value: Any) -> float:
        if isinstance(value, keras.Variable) or keras.ops.is_tensor(value):
            held = np.asarray(keras.ops.convert_to_numpy(value))
            # The shortest decimal: 0.1, not 0.10000000149.
            value = float(str(held.item() if held.dtype == np.float64 else held[()]))
        return self.numbers.normalize(value)


@final
@dataclass(frozen=True)
class Integer(Domain):
    """An integer of at least `low` that fits in an int32."""

    low: int = 0

    def describe(self) -> str:
        return f"an integer >= {self.low} and < 2**31"

    def normalize(self, value: Any) -> int:
        value = _number(value, numbers.Integral)
        if not self.low <= value <= LARGEST_INTEGER:
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
    """A non-empty string."""

    def describe(self) -> str:
        return "a string that is not empty"

    def normalize(self, value: Any) -> str:
        value = _plain(value)
        if not isinstance(value, str):
            raise TypeError
        if not value:
            raise ValueError
        return value


@final
@dataclass(frozen=True)
class Name(Domain):
    """A string that Keras and TensorFlow accept as a name."""

    def describe(self) -> str:
        return "a string of characters other than '/' that is not empty"

    def normalize(self, value: Any) -> str:
        value = Text().normalize(value)
        if "/" in value:
            raise ValueError
        if not value.isprintable():
            raise ValueError("It has characters that cannot be printed")
        return value


@final
@dataclass(frozen=True)
class Pattern(Domain):
    """A non-empty regular expression."""

    def describe(self) -> str:
        return "a regular expression that is not empty"

    def normalize(self, value: Any) -> str:
        value = Text().normalize(value)
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"It is not a regular expression: {error}") from None
        return value


@final
@dataclass(frozen=True)
class Function(Domain):
    """A function of a given number of positional arguments."""

    arguments: int

    def describe(self) -> str:
        return f"a function that can be called with {self.arguments} argument(s)"

    def normalize(self, value: Any) -> Any:
        # Classes and layers are callable too, but their result is never what the user means.
        if not callable(value) or isinstance(value, (type, keras.Layer)):
            raise TypeError
        try:
            signature = inspect.signature(value)
        except ValueError:
            # Functions written in C may not have a signature.
            return value
        signature.bind(*[None] * self.arguments)
        return value


@final
@dataclass(frozen=True)
class Choice(Domain):
    """One of a few strings or booleans."""

    values: Collection[str | bool]

    def describe(self) -> str:
        return "one of " + ", ".join(repr(value) for value in self.values)

    def normalize(self, value: Any) -> str | bool:
        value = _plain(value)
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

    def normalize(self, value: Any) -> tuple:
        if not isinstance(value, (list, tuple, np.ndarray)) or isinstance(value, np.ma.MaskedArray):
            raise TypeError
        # A tuple, since items appended to a list later would go unchecked.
        return tuple(self.item.normalize(item) for item in value)


@final
@dataclass(frozen=True)
class Optional(Domain):
    """Another domain, or `None`."""

    inner: Domain

    def describe(self) -> str:
        return f"{self.inner.describe()}, or None"

    def normalize(self, value: Any) -> Any:
        return None if value is None else self.inner.normalize(value)


@final
@dataclass(frozen=True)
class WordOr(Domain):
    """One fixed word, or a value of another domain."""

    word: str
    other: Domain

    def describe(self) -> str:
        return f"{self.word!r}, or {self.other.describe()}"

    def normalize(self, value: Any) -> Any:
        if isinstance(value, str):
            return Choice((self.word,)).normalize(value)
        return self.other.normalize(value)


@final
@dataclass(frozen=True)
class FilePath(Domain):
    """The path of a file or folder, whether or not it exists."""

    def describe(self) -> str:
        return "a path that is not empty, of characters that file names can have"

    def normalize(self, value: Any) -> Path:
        if not isinstance(value, (str, os.PathLike)):
            raise TypeError
        name = os.fspath(value)
        if not name or b"\0" in os.fsencode(name):
            raise ValueError
        return Path(value)


@final
@dataclass(frozen=True)
class PatternOrFunction(Domain):
    """A regular expression, or a function of one argument."""

    def describe(self) -> str:
        return f"{Pattern().describe()}, or {Function(1).describe()}"

    def normalize(self, value: Any) -> Any:
        return (Pattern() if isinstance(value, str) else Function(1)).normalize(value)


FINITE = Real()
NON_NEGATIVE = Real(low=0.0)
POSITIVE = Real(low=0.0, open_low=True)
INITIAL_RATE = NumberOrVariable(NON_NEGATIVE)
FRACTION = Real(low=0.0, high=1.0)
DECAY_RATE = Real(low=0.0, high=1.0, open_high=True)


@final
@dataclass(frozen=True)
class Instance(Domain):
    """An instance of a class."""

    type: type

    def describe(self) -> str:
        return f"a {self.type.__name__}"

    def normalize(self, value: Any) -> Any:
        if not isinstance(value, self.type):
            raise TypeError
        return value
