"""In-place evaluation of formulas by XLA on CPU, for TensorFlow and JAX.

XLA copies a buffer that is overwritten while something else may still read it, and makes a buffer
for any value that is used twice. Here each part of a formula gets a data dependency on what must be
done first. That order is read from a trace of the formula (`Formula.order`).
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_optlab.backends.block import Block

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula

# Below this many elements, copies cost XLA less time than keeping an order.
LARGE = 1 << 16

# A parameter and its slots by name.
State = tuple[Any, dict[str, Any]]


def in_order(
    formula: "Formula",
    parameter: Any,
    gradient: Any,
    slots: dict[str, Any],
    h: dict[str, Any],
) -> State:
    """Return the new parameter and slots, without copies or large intermediates in XLA.

    Args:
        formula: The formula.
        parameter: The variable's value.
        gradient: Its gradient, of the same shape.
        slots: Slots by name.
        h: Hyperparameters of this step by name.
    """
    if math.prod(parameter.shape) < LARGE:
        return formula(parameter, gradient, slots, h)
    shape = tuple(parameter.shape)
    written: dict[str, Any] = {}
    sums: dict[str, Any] = {}

    def after(done: Iterable[Any]) -> Block:
        values = (parameter, gradient, slots | written, h | sums)
        later_parameter, later_gradient, later_slots, later_h = _later(values, done)
        return Block(later_parameter, later_gradient, later_slots, later_h, shape)

    now = Block(parameter, gradient, slots, h, shape)
    for each in formula.last_passes:
        own_sums, new_slots = formula.run_pass(each, now)
        if own_sums:
            sums |= own_sums
            now = after([*sums.values(), *written.values()])
            if any(math.prod(slot.shape) >= LARGE for slot in new_slots.values()):
                # Run again: sums read the old slots, so new ones can only be written after them.
                _, new_slots = formula.run_pass(each, now)
        if new_slots:
            written |= new_slots
            now = after([*sums.values(), *written.values()])
    new_parameter, new_slots = formula.finish(now)
    order = formula.order(now)
    if formula.storages.writes_slots_alone:
        # XLA writes one slot at a time; those that others are computed from come last.
        done = new_parameter
        for name in reversed(list(new_slots)):
            done = new_slots[name] = formula.finish(after([done]))[1][name]
    elif order.parameter_first:
        _, new_slots = formula.finish(after([new_parameter]))
    for name in order.unread:
        # If the old slot is not read, XLA makes a new buffer for the new one.
        never = _impossible([new_parameter])
        new_slots[name] = ops.where(never, slots[name], new_slots[name])
    return new_parameter, written | new_slots


def _later(values: Any, done: Iterable[Any]) -> Any:
    """Optimization barrier: same values, cannot be scheduled before `done` or CSE'd."""
    impossible = _impossible(done)

    def later(value: Any) -> Any:
        if isinstance(value, (bool, float)):
            return value
        if keras.backend.standardize_dtype(value.dtype) == "bool":
            return ops.logical_or(value, impossible)
        return value + ops.cast(impossible, value.dtype)

    return keras.tree.map_structure(later, values)


def _impossible(done: Iterable[Any]) -> Any:
    """Return False, in a form that XLA cannot evaluate before some arrays are done."""
    # A comparison, since a product with 0 may be NaN.
    firsts = [array[(0,) * len(array.shape)] for array in done]
    numbers: list[Any] = [ops.cast(first, "float32") for first in firsts]
    return sum(numbers) < -math.inf
