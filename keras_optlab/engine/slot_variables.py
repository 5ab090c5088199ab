"""Creation of slot variables, and of what is stored alongside half-precision variables."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, final

import keras
from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine import random_stream
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.slots import Slot, Start
from keras_optlab.engine.storage import (
    MAIN,
    PARAMETER,
    SLOT_STORAGES,
    Part,
    Plain,
    Storage,
    Storages,
    arithmetic_dtype,
    of_parameter,
    part_name,
)
from keras_optlab.engine.transform import AGE, Placed

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


@final
class Made(NamedTuple):
    """State variables created for one variable of the model.

    Args:
        variables: All state variables by name: slots, and parts of slots and of the variable.
        storages: How slots and the variable are stored.
        partial: Names of the slots whose first axis does not correspond to the variable's.
        starts: How the slots that start from the parameter are initialized, by name.
    """

    variables: dict[str, keras.Variable]
    storages: Storages
    partial: frozenset[str]
    starts: dict[str, Start]


def make(
    optimizer: "Optimizer",
    variables: Sequence[Any],
    declared: Sequence[dict[str, Slot]],
    transforms: Sequence[tuple[Placed, ...]],
    draws: Sequence[bool],
) -> list[Made]:
    """Create the state variables for all variables of a model.

    Args:
        optimizer: The optimizer being built.
        variables: The variables that it updates.
        declared: The algorithm's slots for each variable.
        transforms: The transforms that act on each variable.
        draws: For each variable, whether its algorithm or any of its transforms draws random
            numbers.
    """
    stored = [
        {name: _storage_of(optimizer, variable, slot) for name, slot in slots.items()}
        for variable, slots in zip(variables, declared, strict=True)
    ]
    kept = _algorithm_slots(optimizer, variables, declared, stored)
    made = []
    for number, (variable, slots) in enumerate(zip(variables, declared, strict=True)):
        dtype = keras.backend.standardize_dtype(variable.dtype)
        parameter = of_parameter(dtype, optimizer.rounding)
        storages = stored[number]
        for name, slot in slots.items():
            kept[number] |= _parts(optimizer, variable, number, name, slot, storages[name])
        counters = dict.fromkeys(slots, "t")
        extra: dict[str, Slot] = {}
        for each in transforms[number]:
            own = each.named(each.transform.slots(variable))
            counters |= dict.fromkeys(own, f"{each.name}.{AGE}")
            extra |= own
        if draws[number]:
            extra[random_stream.NUMBER] = Slot(float(number), (), by_rows=False, exact=True)
        for name, slot in extra.items():
            storages[name] = _storage_of(optimizer, variable, slot, is_extra=True)
            part = storages[name].parts(_shape(variable, slot))[MAIN]
            kept[number][name] = _extra(optimizer, variable, f"{name}_{number}", slot, part)
        slots = slots | extra
        kept[number] |= _parts(optimizer, variable, number, PARAMETER, Slot(), parameter)
        partial = frozenset(name for name, slot in slots.items() if not slot.by_rows)
        starts = {
            name: Start(counters[name], slot.initial)
            for name, slot in slots.items()
            if callable(slot.initial)
        }
        made.append(
            Made(kept[number], Storages(parameter, tuple(storages.items())), partial, starts)
        )
    return made


def _storage_of(
    optimizer: "Optimizer", variable: Any, slot: Slot, is_extra: bool = False
) -> Storage:
    """Return how a slot is stored; an extra slot is saved undecoded, so it must have one part."""
    slot_dtype = optimizer.slot_dtype
    whole = Plain(arithmetic_dtype(variable))
    if slot.exact or slot_dtype is None:
        return whole
    asked = SLOT_STORAGES[slot_dtype]
    return whole if is_extra and asked.other_parts else asked


def _shape(variable: Any, slot: Slot) -> tuple[int, ...]:
    return tuple(variable.shape) if slot.shape is None else slot.shape


def _algorithm_slots(
    optimizer: "Optimizer",
    variables: Sequence[Any],
    declared: Sequence[dict[str, Slot]],
    stored: Sequence[dict[str, Storage]],
) -> list[dict[str, keras.Variable]]:
    """Create the slots of the algorithm, in the order in which the built-in saves them."""
    made: list[dict[str, keras.Variable]] = [{} for _ in variables]
    filled_with = cache(_filled_with)
    for block in sorted({slot.block for slots in declared for slot in slots.values()}):
        for variable, slots, storages, own in zip(variables, declared, stored, made, strict=True):
            for name, slot in slots.items():
                if slot.block == block:
                    storage = storages[name]
                    with backend.known_as(name):
                        own[name] = _slot(optimizer, variable, name, slot, storage, filled_with)
    return made


def _filled_with(number: float) -> Callable[..., Any]:
    """Return an initializer whose tensor variables share where the backend allows it."""
    constant = keras.initializers.Constant(number) if number else keras.initializers.Zeros()
    return backend.shared(constant)


def _slot(
    optimizer: "Optimizer",
    variable: Any,
    name: str,
    slot: Slot,
    storage: Storage,
    filled_with: Callable[[float], Callable[..., Any]],
) -> keras.Variable:
    """Create a slot of the algorithm, or its main part."""
    dtype = storage.parts(_shape(variable, slot))[MAIN].dtype
    # A variable created in a trace has no value yet: the first step reads it.
    takes_variable = callable(slot.initial) and not optimizer.engine.built_in_trace

    def first(shape: tuple, dtype: str | None = None) -> Any:
        # A copy: a slot that shares the variable's memory would be updated with it.
        return ops.copy(_first(optimizer, variable, slot, storage)[MAIN])

    initializer: Any = first
    if not takes_variable and not storage.other_parts:
        initializer = filled_with(0.0 if callable(slot.initial) else slot.initial)
    if slot.shape is None:
        return optimizer.add_variable_from_reference(variable, name, initializer, dtype)
    name = f"{path_of(variable).replace('/', '_')}_{name}"
    return optimizer.add_variable(slot.shape, initializer, dtype, name=name)


def _first(optimizer: "Optimizer", variable: Any, slot: Slot, storage: Storage) -> dict[str, Any]:
    """Return the stored representation of a slot before the first step."""
    if callable(slot.initial):
        value = (
            ops.zeros_like(variable) if optimizer.engine.built_in_trace else slot.initial(variable)
        )
    else:
        value = ops.full(_shape(variable, slot), slot.initial)
    return storage.encode(ops.cast(value, arithmetic_dtype(variable)))


def _extra(
    optimizer: "Optimizer", variable: Any, name: str, slot: Slot, part: Part
) -> keras.Variable:
    """Create a variable that no built-in has, kept separate from the built-in's state."""
    is_alike = part.shape == tuple(variable.shape)
    return optimizer.extra_state.add_filled(
        name.replace(".", "_"),
        # A function of the parameter is evaluated in the first step.
        0.0 if callable(slot.initial) else slot.initial,
        part.shape,
        part.dtype,
        optimizer.layout_of(variable) if is_alike else None,
    )


def _parts(
    optimizer: "Optimizer", variable: Any, number: int, name: str, slot: Slot, storage: Storage
) -> dict[str, keras.Variable]:
    """Create all parts of a slot or of the parameter except the main one."""
    made: dict[str, keras.Variable] = {}
    if not storage.other_parts:
        return made
    parts = storage.parts(_shape(variable, slot))
    for part in storage.other_parts:
        # Names of the variable's parts have had no prefix since 0.1.0.
        prefix = "" if name == PARAMETER else f"{name}_"
        full = part_name(name, part)
        made[full] = _extra(optimizer, variable, f"{prefix}{part}_{number}", Slot(), parts[part])
        if name != PARAMETER:
            made[full].assign(_first(optimizer, variable, slot, storage)[part])
    return made
