"""How numbers are stored: what a slot or a variable means is one thing, what is kept of it another.

The engine decodes what is stored at the start of an update and encodes what is new at its end; no
other file asks for a dtype.
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
    """float64 for float64 variables, float32 for all others."""
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return dtype if dtype == "float64" else "float32"


def widest(dtypes: Iterable[str]) -> str:
    """float64 where any is, else float32."""
    return "float64" if "float64" in set(dtypes) else "float32"


# The part of a stored array that has its shape; of a variable it is the variable.
MAIN = ""

# What the parts of a variable are called by among its slots, as in `parameter.compensation`.
PARAMETER = "parameter"


@final
class Part(NamedTuple):
    """One of the arrays that keep another."""

    shape: tuple[int, ...]
    dtype: str


class Storage(metaclass=ABCMeta):
    """Turns an array into the arrays that are kept of it, and back; abstract.

    A pure function of tensors, which runs inside the compiled step.
    """

    # Whether each number is stored by itself, so that an array may be cut anywhere.
    is_elementwise: ClassVar[bool] = True
    # Whether a number may come back as another one.
    rounds: ClassVar[bool] = True
    # Whether a new value costs so much to encode that XLA would keep it in a buffer, were it to
    # write several of them side by side.
    is_written_alone: ClassVar[bool] = False

    @abstractmethod
    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """The arrays that keep one of a shape, by name; `MAIN` is the one of the same shape."""

    @cached_property
    def other_parts(self) -> tuple[str, ...]:
        """Names of the parts but the main one."""
        return tuple(self.parts(()).keys() - {MAIN})

    @abstractmethod
    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """What is kept of an array, by the names of the parts.

        Args:
            value: The array, in the dtype of the arithmetic.
            *seeds: Tensors to take random bits from, the first of them a scalar; none where the
                array is not new, and is to be rounded to the nearest.
        """

    @abstractmethod
    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """The array that was encoded, in the dtype of the arithmetic."""


@final
@dataclass(frozen=True)
class Plain(Storage):
    """The numbers themselves, rounded to the nearest of a dtype.

    Args:
        dtype: The dtype.
    """

    dtype: str

    rounds: ClassVar[bool] = False

    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """The array."""
        return {MAIN: Part(shape, self.dtype)}

    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """A cast."""
        return {MAIN: ops.cast(value, self.dtype)}

    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """A cast."""
        return ops.cast(parts[MAIN], dtype)


@final
@dataclass(frozen=True)
class Stochastic(Storage):
    """Half precision, rounded up or down at random with the chances that make the mean right.

    bfloat16 has 8 bits: nearest rounding would lose every change of less than 1 part in 512, which
    is all that a moving average with a rate of 0.999 makes.

    Args:
        dtype: `"bfloat16"` or `"float16"`.
    """

    dtype: str

    is_written_alone: ClassVar[bool] = True

    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """The array."""
        return {MAIN: Part(shape, self.dtype)}

    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """The rounded numbers."""
        if not seeds:
            return {MAIN: ops.cast(value, self.dtype)}
        return {MAIN: rounding.stochastic(value, self.dtype, *seeds)}

    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """A cast."""
        return ops.cast(parts[MAIN], dtype)


@final
@dataclass(frozen=True)
class Compensated(Storage):
    """Half precision, plus what rounding has taken away.

    Args:
        dtype: `"bfloat16"` or `"float16"`.
    """

    dtype: str

    def parts(self, shape: tuple[int, ...]) -> dict[str, Part]:
        """The array, and the compensation."""
        compensation = rounding.compensation_dtype(self.dtype)
        return {MAIN: Part(shape, self.dtype), "compensation": Part(shape, compensation)}

    def encode(self, value: Any, *seeds: Any) -> dict[str, Any]:
        """The nearest numbers, and what is missing from them."""
        rounded, missing = rounding.compensated(value, self.dtype)
        return {MAIN: rounded, "compensation": missing}

    def decode(self, parts: dict[str, Any], dtype: str) -> Any:
        """Both together."""
        return ops.cast(rounding.restored(parts[MAIN], parts["compensation"]), dtype)


# What `slot_dtype` may be.
SLOT_STORAGES: dict[str, Storage] = {
    "bfloat16": Stochastic("bfloat16"),
    "float32": Plain("float32"),
}


@cache
def of_parameter(dtype: str, method: str) -> Storage:
    """How the variables of a dtype are stored, with the optimizer's `rounding`."""
    if not rounding.is_half(dtype):
        return Plain(dtype)
    storages = {"compensated": Compensated, "stochastic": Stochastic, "nearest": Plain}
    return storages[method](dtype)


def part_name(name: str, part: str) -> str:
    """The name of a part of a slot, or of the parameter, among the stored slots."""
    return f"{name}.{part}" if part else name


@final
@dataclass(frozen=True)
class Storages:
    """How a variable and its slots are stored.

    Args:
        parameter: Storage of the variable.
        slots: Storage of each slot, with its name.
    """

    parameter: Storage
    slots: tuple[tuple[str, Storage], ...]

    @cached_property
    def by_slot(self) -> dict[str, Storage]:
        """The storages of the slots, by name."""
        return dict(self.slots)

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether all of them store each number by itself."""
        return all(each.is_elementwise for each in (self.parameter, *self.by_slot.values()))

    @cached_property
    def writes_slots_alone(self) -> bool:
        """Whether XLA is to write one array after the other."""
        return not self.others[PARAMETER] and any(
            each.is_written_alone for each in self.by_slot.values()
        )

    @cached_property
    def others(self) -> dict[str, tuple[str, ...]]:
        """The parts but the main one of each slot and of the parameter."""
        everything = {PARAMETER: self.parameter, **self.by_slot}
        return {name: each.other_parts for name, each in everything.items()}

    def decode_parameter(self, value: Any, stored: dict[str, Any], dtype: str) -> Any:
        """The parameter, from the variable's value and everything stored with it."""
        return self.parameter.decode(self._parts(PARAMETER, value, stored), dtype)

    def decode_slots(self, stored: dict[str, Any], dtype: str) -> dict[str, Any]:
        """The slots by name, from all that is stored."""
        return {
            name: storage.decode(self._parts(name, stored[name], stored), dtype)
            for name, storage in self.slots
        }

    def _parts(self, name: str, main: Any, stored: dict[str, Any]) -> dict[str, Any]:
        return {MAIN: main} | {part: stored[part_name(name, part)] for part in self.others[name]}

    def encode_parameter(self, value: Any, seeds: Iterable[Any]) -> tuple[Any, dict[str, Any]]:
        """The variable's new value, and what is stored with it."""
        parts = self.parameter.encode(value, *seeds)
        main = parts.pop(MAIN)
        return main, {part_name(PARAMETER, part): x for part, x in parts.items()}

    def encode_slot(self, name: str, value: Any, seeds: Iterable[Any]) -> dict[str, Any]:
        """What is stored of a slot."""
        parts = self.by_slot[name].encode(value, *seeds)
        return {part_name(name, part): x for part, x in parts.items()}
