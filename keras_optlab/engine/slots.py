"""State that an algorithm keeps: slots per variable, or scalars for the whole optimizer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, final


@final
@dataclass(frozen=True)
class Slot:
    """State kept for each variable, such as a moving average of its gradient.

    Args:
        initial: Number to fill it with, or function of the variable that returns its first value.
        shape: Shape, or None for the variable's.
        block: Position in the saved order. The built-ins save some slots variable by variable
            (m, v of one variable, then of the next) and others in blocks (all accumulators, then
            all momentums). Lower blocks come first; within a block, slots are saved variable by
            variable.
        by_rows: Whether its first axis corresponds to the variable's.
        exact: Whether it must keep the precision of the arithmetic, whatever `slot_dtype` is,
            because the parameter is computed from it alone, or from a difference of large numbers.
    """

    initial: float | Callable[[Any], Any] = 0.0
    shape: tuple[int, ...] | None = None
    block: int = 0
    by_rows: bool = True
    exact: bool = False


@final
class Start(NamedTuple):
    """Initialization of a slot from the parameter in the first step.

    Args:
        counter: Name in `h` of the step count, which is 1 in the first step.
        initial: Function of the parameter.
    """

    counter: str
    initial: Callable[[Any], Any]


@final
@dataclass(frozen=True)
class Scalar:
    """State shared by all variables (of a group), advanced once per step.

    Args:
        initial: Initial value.
        saved_by_keras: Whether the built-in has it too, as its last variable.
    """

    initial: float
    saved_by_keras: bool = False
