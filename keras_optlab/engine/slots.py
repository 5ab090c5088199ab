"""State that an algorithm keeps: one slot a variable, or one scalar for the whole optimizer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, final


@final
@dataclass(frozen=True)
class Slot:
    """State kept for each variable, such as a moving average of its gradient.

    Args:
        initial: Number that fills it, or a function of the variable that gives its first value.
        shape: Shape, or None for that of the variable.
        block: The built-ins save some slots side by side (m, v of one variable, then of the
            next) and others as blocks (all accumulators, then all momentums). Slots of a lower
            block come first; within one they stand side by side.
        by_rows: Whether its first axis goes with the variable's.
        exact: Whether it must keep the precision of the arithmetic, whatever `slot_dtype` says:
            the parameter is computed from it alone, or from a difference of large numbers.
    """

    initial: float | Callable[[Any], Any] = 0.0
    shape: tuple[int, ...] | None = None
    block: int = 0
    by_rows: bool = True
    exact: bool = False


@final
class Start(NamedTuple):
    """How a slot is taken from the parameter in the first step.

    Args:
        counter: Name in `h` of the number of steps, which is 1 then.
        initial: Function of the parameter.
    """

    counter: str
    initial: Callable[[Any], Any]


@final
@dataclass(frozen=True)
class Scalar:
    """State kept once for all variables (of a group), advanced once a step.

    Args:
        initial: Number that it starts from.
        saved_by_keras: Whether the built-in keeps it too, as its last variable.
    """

    initial: float
    saved_by_keras: bool = False
