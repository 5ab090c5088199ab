"""JAX: a compiled step knows nothing but what is passed in, gradients may be sparse (BCOO).

Keras' trainer compiles the whole step, into which a formula is inlined, traced once for each shape.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import keras
import numpy as np
from jax import numpy as jnp
from jax.experimental.sparse import BCOO, JAXSparse

if TYPE_CHECKING:
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.update import Update

# Whatever is not in `optimizer.variables` becomes a constant of the trace.
STEP_SEES_ONLY_ITS_VARIABLES = True

# Whether `keras.ops.cast(0.9, "float64")` is 0.9 rounded to float32, as it is for most
# hyperparameters of the built-ins.
CAST_ROUNDS_PYTHON_NUMBERS = False

# Whether `lookups` names each row once, with the sum of its gradients.
LOOKUPS_ARE_SUMMED = False

# Keras' Nadam takes 1 - beta after beta was rounded to float32 (0.99900001), except on torch:
# 6e-6 of a step.
NADAM_ROUNDS_BETAS_FIRST = True

# Outside of a compiled step, fewer elements than this are not worth a compilation.
LARGE = 1 << 16


def run(updates: "list[Update]", jit_compile: str | bool) -> None:
    """Update all variables."""
    compiled: dict[tuple, list[Update]] = {}
    for update in updates:
        is_small = math.prod(update.variable.shape) < LARGE
        if not isinstance(update.gradient, jax.core.Tracer) and (
            jit_compile is False or (jit_compile == "auto" and is_small)
        ):
            old = {name: slot.value for name, slot in update.plan.slots.items()}
            formula = update.plan.formula
            _store(update, formula(update.variable.value, update.gradient, old, update.h))
        else:
            compiled.setdefault((update.plan.formula, update.plan.key), []).append(update)
    for (formula, _), alike in compiled.items():
        states = [
            (update.variable.value, {name: slot.value for name, slot in update.plan.slots.items()})
            for update in alike
        ]
        gradients, h = [update.gradient for update in alike], alike[0].h
        if _on_one_cpu() and isinstance(gradients[0], jax.core.Tracer):
            new = formula.all_in_order(states, gradients, h, partial(formula.compiled_by, jax.jit))
        else:
            # Outside of a trace, a loop around the formula would be compiled in each step.
            known = formula.settled(h) if _on_one_cpu() else None
            run_one = formula.compiled_by(jax.jit, known)
            pairs = zip(states, gradients, strict=True)
            new = [run_one(parameter, g, slots, h) for (parameter, slots), g in pairs]
        for update, state in zip(alike, new, strict=True):
            _store(update, state)


def _on_one_cpu() -> bool:
    """Whether order matters: only XLA for CPU copies buffers, and a sharded one loses by it."""
    return jax.default_backend() == "cpu" and jax.device_count() == 1


def _store(update: "Update", state: tuple[Any, dict[str, Any]]) -> None:
    parameter, new_slots = state
    update.variable.assign(parameter)
    for name, new_slot in new_slots.items():
        update.plan.slots[name].assign(new_slot)


def has_replicas() -> bool:
    """Whether this step is that of one of several replicas; JAX spreads arrays instead."""
    return False


def sum_over_replicas(gradients: list[Any]) -> list[Any]:
    """The gradients; there are no replicas."""
    return gradients


def prepare(plans: "list[Plan]", variables: list[Any], held: Callable[[Any], Any]) -> None:
    """Nothing: what a compiled step needs of plans is looked up once, while it is traced."""


def checkpointed(variables: dict[str, keras.Variable]) -> Any:
    """Nothing: what is in `optimizer.variables` is saved here."""
    return None


def conditionally(
    condition: Any, then: Callable[[], None], otherwise: Callable[[], None], variables: list
) -> None:
    """Do one thing or the other with variables, as a boolean scalar says."""
    if not isinstance(condition, jax.core.Tracer):
        return then() if condition else otherwise()

    def branch(function: Callable[[], None]) -> Callable[[list], list]:
        def on_values(values: list) -> list:
            mapping = list(zip(variables, values, strict=True))
            with keras.StatelessScope(state_mapping=mapping) as scope:
                function()
            return [scope.get_current_value(variable) for variable in variables]

        return on_values

    old = [variable.value for variable in variables]
    new = jax.lax.cond(condition, branch(then), branch(otherwise), old)
    for variable, value in zip(variables, new, strict=True):
        variable.assign(value)
    return None


def once_if(condition: Any, update: Callable[[Any, Any], Any], state: Any) -> Any:
    """The state after an update if a condition holds, and else as it is.

    A loop that runs once or not at all: XLA does it in place, and copies what a branch is given.
    """

    def body(carried: tuple) -> tuple:
        count, state = carried
        return count + 1.0, update(count, state)

    limit = condition.astype("float32")
    start = (jnp.float32(0.0), state)
    return jax.lax.while_loop(lambda carried: carried[0] < limit, body, start)[1]


def random_state() -> list[int]:
    """Nothing: layers draw from generators of their own."""
    return []


def set_random_state(state: list[int]) -> None:
    """Put back what `random_state` returned."""


def is_sparse(gradient: Any) -> bool:
    """Whether a gradient is not an ordinary array."""
    return isinstance(gradient, JAXSparse)


def lookups(gradient: Any) -> tuple[Any, Any] | None:
    """Row numbers and values of a sparse gradient; None for any other."""
    if not isinstance(gradient, BCOO) or (gradient.n_batch, gradient.n_sparse) != (0, 1):
        return None
    return gradient.indices[:, 0].astype("int32"), gradient.data


def lookups_from(rows: Any, values: Any, shape: tuple[int, ...]) -> BCOO:
    """A sparse gradient of a variable of a shape; the opposite of `lookups`."""
    return BCOO((values, rows[:, None]), shape=shape)


def read_rows(variable: Any, rows: Any) -> Any:
    """Some rows of a variable."""
    return variable.value[rows]


def write_rows(variable: Any, rows: Any, values: Any) -> None:
    """Overwrite some rows of a variable."""
    variable.assign(variable.value.at[rows].set(values))


def bits_of(x: Any) -> Any:
    """The bits of a float32 array as int32."""
    return jax.lax.bitcast_convert_type(x, jnp.int32)


def float_of(bits: Any) -> Any:
    """The float32 array that has these bits."""
    return jax.lax.bitcast_convert_type(bits, jnp.float32)


def dense(gradient: Any) -> Any:
    """The gradient as an ordinary array; rows that occur more than once are summed."""
    return gradient.todense() if is_sparse(gradient) else gradient


def as_written(function: Callable) -> Callable:
    """The function itself; it is TensorFlow that rewrites functions."""
    return function


def no_gradient() -> AbstractContextManager:
    """A context in which operations are not recorded for differentiation."""
    return nullcontext()


def outside_trace() -> AbstractContextManager:
    """A context in which variables are made and assigned at once, also while tracing."""
    return nullcontext()


def known_as(name: str) -> AbstractContextManager:
    """A context that changes nothing: names are Keras' own here."""
    return nullcontext()


def shared(initializer: Callable[..., Any]) -> Callable[..., Any]:
    """The initializer itself: a step gives away the memory of each variable."""
    return initializer


def to_host(tensor: Any) -> np.ndarray | None:
    """The value as numpy, or None inside a trace, where there is none yet."""
    value = tensor.value if isinstance(tensor, keras.Variable) else tensor
    return None if isinstance(value, jax.core.Tracer) else np.asarray(value)


def decayed(parameter: Any, weight_decay: Any, learning_rate: Any) -> Any:
    """The parameter after decoupled weight decay, in the arithmetic of the built-ins."""
    return parameter - parameter * weight_decay * learning_rate


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element."""
    return jnp.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element."""
    return jnp.minimum(x, y)


def sum_along(x: Any, axis: int) -> Any:
    """The sum over one axis."""
    return jnp.sum(x, axis)


def total(x: Any) -> Any:
    """The sum of all elements, row by row: one long sum in float32 would lose digits."""
    return jnp.sum(jnp.sum(x, -1)) if len(x.shape) else x
