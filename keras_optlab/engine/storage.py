"""Storage formats, which separate the value of a slot or variable from its stored representation.

The engine decodes stored arrays at the start of an update and encodes new values at its end;
algorithms and transforms never see the stored dtypes.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, NamedTuple, final

import keras
from keras import ops

from keras_optlab.engine import rounding


def arithmetic_dtype(variable: Any) -> str:
    """Return the dtype of the arithmetic: float64 for float64 variables, float32 for all others."""
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return dtype if dtype == "float64" else "float32"


def widest(dtypes: Iterable[str]) -> str:
    """Return float64 if any dtype is float64, else float32."""
    return "float64" if "float64" in set(dtypes) else "float32"


# The part with the shape of the stored array; for a variable, it is the variable.
MAIN = ""

# Prefix of the variable's parts among its slots, as in `parameter.compensation`.
PARAMETER = "parameter"


@final
class Part(NamedTuple):
    """Shape and dtype of one of the arrays that store a value."""

    shape: tuple[int, ...]
    dtype: str


class Storage(metaclass=ABCMeta):
    """Encodes an array as one or more stored arrays, its parts, and decodes them; abstract.

    Both are pure functions of tensors, which run inside the compiled step.
    """

    # Whether each element is stored independently, so that an array may be cut anywhere.
    is_elementwise: ClassVar[bool] = True
    # Whether a decoded number may differ from the encoded one.
    rounds: ClassVar[bool] = True
    # Whether encoding is so expensive that XLA would buffer new values if it wrote several arrays
    # at once.
    is_written_alone: ClassVar[bool] = False

    @abstractmethod
    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """Return the parts that store an array of a shape, by name; `MAIN` has the same shape."""

    @cached_property
    def other_parts(self) -> tuple[str, ...]:
        """Names of all parts except the main one."""
        return tuple(self.parts(()).keys() - {MAIN})

    @abstractmethod
    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """Return the parts that store an array, by name.

        Args:
            value: The array, in the dtype of the arithmetic.
            *seeds: Tensors to derive random bits from, the first of them a scalar. None are given
                for an array that is not new, which is rounded to the nearest.
        """

    @abstractmethod
    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """Return the array that was encoded, in the dtype of the arithmetic."""


@final
@dataclass(frozen=True)
class Plain(Storage):
    """Storage of the numbers themselves, rounded to the nearest in a dtype.

    Args:
        dtype: The dtype.
    """

    dtype: str

    rounds: ClassVar[bool] = False

    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """Return the only part, of the same shape."""
        return {MAIN: Part(shape, self.dtype)}

    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """Cast to the stored dtype."""
        return {MAIN: ops.cast(value, self.dtype)}

    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """Cast to the dtype of the arithmetic."""
        return ops.cast(parts[MAIN], dtype)


@final
@dataclass(frozen=True)
class Stochastic(Storage):
    """Half precision with stochastic rounding: up or down at random, unbiased.

    bfloat16 has 8 bits: rounding to the nearest would lose every change of less than 1 part in 512,
    and a moving average with a rate of 0.999 makes only such changes.

    Args:
        dtype: `"bfloat16"` or `"float16"`.
    """

    dtype: str

    is_written_alone: ClassVar[bool] = True

    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """Return the only part, of the same shape."""
        return {MAIN: Part(shape, self.dtype)}

    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """Round at random, or to the nearest without seeds."""
        if not seeds:
            return {MAIN: ops.cast(value, self.dtype)}
        return {MAIN: rounding.stochastic(value, self.dtype, *seeds)}

    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """Cast to the dtype of the arithmetic."""
        return ops.cast(parts[MAIN], dtype)


@final
@dataclass(frozen=True)
class Compensated(Storage):
    """Half precision, plus the rounding error.

    Args:
        dtype: `"bfloat16"` or `"float16"`.
    """

    dtype: str

    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """Return the rounded array and the compensation, both of the same shape."""
        compensation = rounding.compensation_dtype(self.dtype)
        return {MAIN: Part(shape, self.dtype), "compensation": Part(shape, compensation)}

    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """Split into the nearest half-precision numbers and the remainders."""
        rounded, missing = rounding.compensated(value, self.dtype)
        return {MAIN: rounded, "compensation": missing}

    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """Combine the two parts."""
        return ops.cast(rounding.restored(parts[MAIN], parts["compensation"]), dtype)


# Allowed values of `slot_dtype`.
SLOT_STORAGES: dict[str, Storage] = {
    "bfloat16": Stochastic("bfloat16"),
    "float32": Plain("float32"),
}


@cache
def of_parameter(dtype: str, method: str) -> Storage:
    """Return how variables of a dtype are stored under the optimizer's `rounding`."""
    if not rounding.is_half(dtype):
        return Plain(dtype)
    storages = {"compensated": Compensated, "stochastic": Stochastic, "nearest": Plain}
    return storages[method](dtype)


def part_name(name: str, part: str) -> str:
    """Return the name of a part of a slot or of the parameter among the stored slots."""
    return f"{name}.{part}" if part else name


@final
@dataclass(frozen=True)
class Storages:
    """How a variable and its slots are stored.

    Args:
        parameter: Storage of the variable.
        slots: Name and storage of each slot.
    """

    parameter: Storage
    slots: tuple[tuple[str, Storage], ...]

    @cached_property
    def by_slot(self) -> dict[str, Storage]:
        """The storages of the slots, by name."""
        return dict(self.slots)

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether all of them store each element independently."""
        return all(each.is_elementwise for each in (self.parameter, *self.by_slot.values()))

    @cached_property
    def writes_slots_alone(self) -> bool:
        """Whether XLA must write the arrays one after another."""
        return not self.others[PARAMETER] and any(
            each.is_written_alone for each in self.by_slot.values()
        )

    @cached_property
    def others(self) -> dict[str, tuple[str, ...]]:
        """Names of all parts except the main one, for each slot and for the parameter."""
        everything = {PARAMETER: self.parameter, **self.by_slot}
        return {name: each.other_parts for name, each in everything.items()}

    def decode_parameter(self, value: Any, stored: dict[str, Any], dtype: str) -> Any:
        """Return the parameter, given the variable's value and everything stored with it."""
        return self.parameter.decode(self._parts(PARAMETER, value, stored), dtype)

    def decode_slots(self, stored: dict[str, Any], dtype: str) -> dict[str, Any]:
        """Return the slots by name, given everything that is stored."""
        return {
            name: storage.decode(self._parts(name, stored[name], stored), dtype)
            for name, storage in self.slots
        }

    def _parts(self, name: str, main: Any, stored: dict[str, Any]) -> dict[str, Any]:
        return {MAIN: main} | {part: stored[part_name(name, part)] for part in self.others[name]}

    def encode_parameter(self, value: Any, seeds: Iterable[Any]) -> tuple[Any, dict[str, Any]]:
        """Return the variable's new value, and the other parts stored with it."""
        parts = self.parameter.encode(value, *seeds)
        main = parts.pop(MAIN)
        return main, {part_name(PARAMETER, part): x for part, x in parts.items()}

    def encode_slot(self, name: str, value: Any, seeds: Iterable[Any]) -> dict[str, Any]:
        """Return the parts that store a slot, by name."""
        parts = self.by_slot[name].encode(value, *seeds)
        return {part_name(name, part): x for part, x in parts.items()}
