"""The order that XLA has to keep in a formula, read from the formula itself.

XLA on CPU copies a buffer that is overwritten while something else may still read it, and makes a
new one for a result that does not read what it replaces. Which slots those are, a trace shows.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, final

import keras

from keras_optlab.engine.algorithm import Algorithm, Values
from keras_optlab.keras_glue.hooks import made_from


@final
class Order(NamedTuple):
    """What has to come before what.

    Args:
        parameter_first: Whether the step comes before the new slots, since it reads old ones, or
            shares with a new one what does not depend on the old.
        unread: Slots whose new values do not depend on the old.
    """

    parameter_first: bool
    unread: tuple[str, ...]


def order_of(algorithm: Algorithm, p: Any, slots: dict[str, Any], h: dict[str, Any]) -> Order:
    """The order in a step.

    Args:
        algorithm: The algorithm.
        p: The parameter, of which shape and dtype matter.
        slots: Slots by name, in the dtype of the arithmetic.
        h: Numbers by name, as `step` gets them.
    """
    symbolic = {name: _like(slot) for name, slot in slots.items()}
    numbers = {name: _like(x) if hasattr(x, "dtype") else x for name, x in h.items()}
    try:
        step, new_slots = algorithm.step(_like(p), _like(p), Values(**symbolic), Values(**numbers))
    except Exception:
        # A formula in operations of the backend has no symbolic form. With the parameter first, it
        # is in order whatever it reads.
        return Order(True, ())
    written = [value for value in new_slots.values() if isinstance(value, keras.KerasTensor)]
    read = _sources([step], stop=written)
    reads_old = any(id(symbolic[name]) in read for name in new_slots)
    unread = {
        name: new for name, new in new_slots.items() if id(symbolic[name]) not in _sources([new])
    }
    # What such a slot and the step share would be kept in a buffer until both have used it.
    shares = any(made_from(new) and id(new) in _sources([step]) for new in unread.values())
    return Order(reads_old or shares, tuple(unread))


def _like(value: Any) -> keras.KerasTensor:
    return keras.KerasTensor(tuple(value.shape), keras.backend.standardize_dtype(value.dtype))


def _sources(tensors: list[Any], stop: Sequence[Any] = ()) -> set[int]:
    """Identities of all tensors that some are computed from, but not beyond those of `stop`."""
    stops = {id(tensor) for tensor in stop}
    found: dict[int, Any] = {}
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        if id(tensor) not in found and id(tensor) not in stops:
            # Kept, so that no other tensor gets its identity.
            found[id(tensor)] = tensor
            waiting += made_from(tensor)
    return set(found)
