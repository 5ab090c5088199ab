"""Everything that the kit uses of the engine beyond the documented contract, in one file."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any, NamedTuple, final

import keras
import numpy as np
from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine import random_stream
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.step import Stepper
from keras_optlab.engine.update import Update


@final
class Call(NamedTuple):
    """One call of `step`, with copies of its inputs.

    Args:
        name: Name of the variable.
        elementwise: Whether the engine treats the formula of this variable as elementwise.
        takes_rows: Whether the engine may give the formula only some rows of the variable.
        given: Gradient, parameter, slots and hyperparameters.
        before: The values of all tensors among these before the call, by description.
        step: The step.
        new_slots: The new slots.
    """

    name: str
    elementwise: bool
    takes_rows: bool
    given: tuple[Any, Any, SimpleNamespace, SimpleNamespace]
    before: dict[str, np.ndarray]
    step: Any
    new_slots: dict[str, Any]


def run_plainly(
    optimizer: Any, calls: list[Call] | None = None, written: set[str] | None = None
) -> Any:
    """Make an optimizer run its formula eagerly, on one whole variable after another.

    Keras still does the rest of a step: clipping, accumulation, averages.

    Args:
        optimizer: The optimizer, modified in place.
        calls: List to append the calls of `step` to, or None.
        written: Set to add the names of written slots to, or None.
    """

    def run(updates: list[Update], jit_compile: Any) -> None:
        for update in updates:
            if calls is not None:
                vars(optimizer)["step"] = _recording(optimizer, update, calls)
            try:
                new, new_slots = update.plan.formula(*_tensors(update))
            except Exception as error:
                variable = update.variable
                error.add_note(f"`{variable.name}`, a variable of shape {tuple(variable.shape)}")
                raise
            update.variable.assign(new)
            assign(update, new_slots)

    def measure(updates: list[Update], number: int, jit_compile: Any) -> list[dict[str, Any]]:
        found = []
        for update in updates:
            sums, new_slots = update.plan.formula.measured(number, *_tensors(update))
            assign(update, new_slots)
            found.append(sums)
        return found

    def assign(update: Update, new_slots: dict[str, Any]) -> None:
        for name, value in new_slots.items():
            update.plan.slots[name].assign(value)
        if written is not None:
            written.update(new_slots)

    optimizer.engine.stepper = Stepper(optimizer, run, measure)
    return optimizer


def hooks_of(optimizer: Optimizer, gradients: list[np.ndarray]) -> list[tuple]:
    """Return variable, gradient, placed transform, slots and `h` per variable and transform."""
    found = []

    def run(updates: list[Update], jit_compile: Any) -> None:
        for update in updates:
            slots = {name: slot.value for name, slot in update.plan.slots.items()}
            h = SimpleNamespace(**update.h, shape=tuple(update.variable.shape))
            random_stream.hand_in(SimpleNamespace(**slots), h, update.plan.dtype)
            for each in update.plan.formula.transforms:
                found.append((update.variable, update.gradient, each, slots, h))

    optimizer.engine.stepper = Stepper(optimizer, run)
    optimizer.apply([ops.convert_to_tensor(gradient) for gradient in gradients])
    return found


def _tensors(update: Update) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """Return the inputs of a formula for a whole variable."""
    slots = {name: slot.value for name, slot in update.plan.slots.items()}
    return update.variable.value, update.gradient, slots, update.h


def _recording(
    optimizer: Optimizer, update: Update, calls: list[Call]
) -> Callable[..., tuple[Any, dict[str, Any]]]:
    def step(g: Any, p: Any, s: SimpleNamespace, h: SimpleNamespace) -> tuple[Any, dict[str, Any]]:
        given = _copies((g, p, s, h))
        before = numbers_of(given)
        result = type(optimizer).step(optimizer, *given)
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise TypeError(
                "`step` must return a tuple: the step, and a dictionary of the new slots. "
                f"Received: {result!r}"
            )
        unknown = set(result[1]) - set(vars(given[2]))
        if unknown:
            raise ValueError(
                f"`step` returns the new slot {sorted(unknown)[0]!r}, which is not declared: "
                f"`slots` has {sorted(vars(given[2]))}"
            )
        formula = update.plan.formula
        may_be_cut = formula.elementwise, formula.takes_rows
        calls.append(Call(update.variable.name, *may_be_cut, given, before, *result))
        return result

    return step


def _copies(given: tuple) -> tuple:
    return tuple(
        SimpleNamespace(**{name: _copy(value) for name, value in vars(each).items()})
        if isinstance(each, SimpleNamespace)
        else _copy(each)
        for each in given
    )


def _copy(value: Any) -> Any:
    return ops.copy(value) if ops.is_tensor(value) else value


def numbers_of(given: tuple) -> dict[str, np.ndarray]:
    """Return the values of all tensors that `step` is given, by description."""
    gradient, parameter, slots, h = given
    named = {"the gradient `g`": gradient, "the parameter `p`": parameter}
    named |= {f"the slot `{name}`": value for name, value in vars(slots).items()}
    named |= {f"the hyperparameter `{name}`": value for name, value in vars(h).items()}
    return {name: numpy(value) for name, value in named.items() if ops.is_tensor(value)}


def numpy(value: Any) -> np.ndarray:
    """Copy a tensor or variable to a numpy array."""
    return np.array(ops.convert_to_numpy(value))


def slot_values(optimizer: Optimizer, number: int) -> dict[str, np.ndarray]:
    """Return the slots of a variable, given its index among those the optimizer is built for."""
    slots = optimizer.engine.plans[number].slots.items()
    return {name: numpy(slot) for name, slot in slots if name != random_stream.NUMBER}


def with_fixed_seed(optimizer: Optimizer) -> Optimizer:
    """Give an unbuilt optimizer a fixed random seed, the same for all, and return it."""
    # As if loaded from a file; an optimizer that draws nothing never reads it.
    optimizer.extra_state.restore({"random_seed": np.asarray(1.0, "float32")})
    return optimizer


def no_gradient() -> AbstractContextManager:
    """Return a context in which operations are not recorded for differentiation."""
    return backend.no_gradient()


def lookup_gradient(rows: list[int], values: np.ndarray, shape: tuple[int, ...]) -> Any:
    """Return a table's gradient as a layer that looks up rows of the table produces it."""
    numbers = ops.convert_to_tensor(np.asarray(rows, "int64"))
    return backend.lookups_from(numbers, ops.convert_to_tensor(values), shape)


def arithmetic_dtype(dtype: str) -> str:
    """Return the dtype in which a variable of a given dtype is updated."""
    return "float64" if dtype == "float64" else "float32"


BACKEND = keras.backend.backend()
