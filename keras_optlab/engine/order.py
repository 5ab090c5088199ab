"""The order that XLA must keep in a formula, derived from the formula itself.

On CPU, XLA copies a buffer that is overwritten while something else may still read it, and makes a
new one for a result that does not read what it replaces. A trace shows which slots are affected.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, final

import keras

from keras_optlab.engine.algorithm import Algorithm, Values
from keras_optlab.keras_glue.hooks import made_from


@final
class Order(NamedTuple):
    """Constraints on the order of a step.

    Args:
        parameter_first: Whether the step comes before the new slots: either it reads old slots, or
            it shares a computation with a new slot that does not depend on its old value.
        unread: Slots whose new values do not depend on the old ones.
    """

    parameter_first: bool
    unread: tuple[str, ...]


def order_of(algorithm: Algorithm, p: Any, slots: dict[str, Any], h: dict[str, Any]) -> Order:
    """Return the order that a step needs.

    Args:
        algorithm: The algorithm.
        p: The parameter; only its shape and dtype matter.
        slots: Slots by name, in the dtype of the arithmetic.
        h: Numbers by name, as `step` gets them.
    """
    symbolic = {name: _like(slot) for name, slot in slots.items()}
    numbers = {name: _like(x) if hasattr(x, "dtype") else x for name, x in h.items()}
    try:
        step, new_slots = algorithm.step(_like(p), _like(p), Values(**symbolic), Values(**numbers))
    except Exception:
        # A formula written in backend operations has no symbolic form. Computing the parameter
        # first is a valid order, whatever the formula reads.
        return Order(True, ())
    written = [value for value in new_slots.values() if isinstance(value, keras.KerasTensor)]
    read = _sources([step], stop=written)
    reads_old = any(id(symbolic[name]) in read for name in new_slots)
    unread = {
        name: new for name, new in new_slots.items() if id(symbolic[name]) not in _sources([new])
    }
    # XLA would buffer what such a slot and the step share until both have used it.
    shares = any(made_from(new) and id(new) in _sources([step]) for new in unread.values())
    return Order(reads_old or shares, tuple(unread))


def _like(value: Any) -> keras.KerasTensor:
    return keras.KerasTensor(tuple(value.shape), keras.backend.standardize_dtype(value.dtype))


def _sources(tensors: list[Any], stop: Sequence[Any] = ()) -> set[int]:
    """Return the ids of `tensors` and all that they are computed from, cut off at `stop`."""
    stops = {id(tensor) for tensor in stop}
    found: dict[int, Any] = {}
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in found and id(tensor) not in stops:
            # Kept alive, so that no other tensor gets the same id.
            found[id(tensor)] = tensor
            waiting += made_from(tensor)
    return set(found)
