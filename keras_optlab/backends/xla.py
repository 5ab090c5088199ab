"""What XLA for CPU needs for a formula to be computed in place; TensorFlow and JAX share it.

XLA copies a buffer that is overwritten while something else may still read it, and keeps whatever
is used twice. Here each part of a formula gets a data dependency on what has to be done before.
What comes before what is read from a trace of the formula (`Formula.order`).
"""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_optlab.backends.block import Block

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula

# Below this number of elements, a copy takes XLA less time than to keep an order.
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
    """The new parameter and slots, so that XLA copies nothing and keeps no large intermediate.

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
                # Once more, since a slot may be written when the sums are taken of the old.
                _, new_slots = formula.run_pass(each, now)
        if new_slots:
            written |= new_slots
            now = after([*sums.values(), *written.values()])
    new_parameter, new_slots = formula.finish(now)
    order = formula.order(now)
    if formula.storages.writes_slots_alone:
        # XLA writes each of them by itself, those last that others are computed from.
        done = new_parameter
        for name in reversed(list(new_slots)):
            done = new_slots[name] = formula.finish(after([done]))[1][name]
    elif order.parameter_first:
        _, new_slots = formula.finish(after([new_parameter]))
    for name in order.unread:
        # Without reading the old one, XLA would make a new buffer.
        never = _impossible([new_parameter])
        new_slots[name] = ops.where(never, slots[name], new_slots[name])
    return new_parameter, written | new_slots


def _later(values: Any, done: Iterable[Any]) -> Any:
    """The same values, which XLA cannot have before some arrays are done, nor take for the same."""
    impossible = _impossible(done)

    def later(value: Any) -> Any:
        if isinstance(value, (bool, float)):
            return value
        if keras.backend.standardize_dtype(value.dtype) == "bool":
            return ops.logical_or(value, impossible)
        return value + ops.cast(impossible, value.dtype)

    return keras.tree.map_structure(later, values)


def _impossible(done: Iterable[Any]) -> Any:
    """False, which XLA does not know before some arrays are done."""
    # Unlike a product with 0, no NaN comes of it.
    firsts = [array[(0,) * len(array.shape)] for array in done]
    numbers: list[Any] = [ops.cast(first, "float32") for first in firsts]
    return sum(numbers) < -math.inf
