"""The part of a variable that a backend passes to a formula."""

from collections.abc import Sequence
from typing import Any, NamedTuple, final


@final
class Block(NamedTuple):
    """Some rows of a variable, or all of it, as a formula sees them.

    Args:
        parameter: The variable's value.
        gradient: Its gradient, of the same shape.
        slots: Slots by name.
        h: Hyperparameters of this step by name, and the sums of earlier passes.
        shape: Shape of the whole variable.
    """

    parameter: Any
    gradient: Any
    slots: dict[str, Any]
    h: dict[str, Any]
    shape: Sequence[int]
