"""How updates run on TensorFlow.

Keras runs a step on CPU as a graph of single operations, each a pass over memory. Here a formula is
one XLA call in that graph, compiled once per shape. Many variables of one shape share calls, which
also makes for a smaller graph and a faster first step.
"""

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

from keras_optlab.backends import xla
from keras_optlab.backends.tensorflow_replicas import resource

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula
    from keras_optlab.engine.update import Update

# Fewer elements than this are updated as fast by single operations, which need no compiling.
LARGE = 1 << 16

# How many variables of one shape share one call: the more, the fewer operations in the graph, but
# the longer it takes to compile. Each variable left over gets a separately compiled call.
BATCHES = range(8, 17)

# Fewer small variables of one shape than this are not worth compiling.
FEWEST_OF_A_SHAPE = 8


def run(updates: "Sequence[Update]", jit_compile: str | bool) -> None:
    """Update all variables."""
    # A private name: TensorFlow has no public way to ask whether XLA compiles the current trace.
    in_xla = GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    by_shape: dict[tuple, list] = {}
    for update in updates:
        shape = tuple(update.variable.shape)
        slots = update.plan.slots
        dtypes = (str(update.gradient.dtype), *(slot.dtype for slot in slots.values()))
        kind = (update.plan.formula, update.plan.key, shape, update.variable.dtype, dtypes)
        by_shape.setdefault(kind, []).append(update)
    for (formula, _, shape, *_), alike in by_shape.items():
        many = len(alike) >= FEWEST_OF_A_SHAPE
        worth_it = many or (math.prod(shape) >= LARGE and not in_xla)
        if (jit_compile == "auto" and worth_it) or (jit_compile is True and not in_xla):
            for batch in _in_batches(alike):
                resources = [_resources(update) for update in batch]
                _call(formula)(resources, batch[0].h)
        elif in_xla:
            _run_in_xla(formula, [_resources(update) for update in alike], alike[0].h)
        else:
            for update in alike:
                variable, gradient, slots = _resources(update)
                parameter, old = _state(variable, slots)
                _store(variable, slots, formula(parameter, gradient, old, update.h))


def start(condition: Any, updates: "Sequence[Update]") -> None:
    """Set the state of variables to what a step starts from, if a condition holds."""

    def started(count: Any) -> tuple[Any]:
        for update in updates:
            variable, _, slots = _resources(update)
            parameter, old = _state(variable, slots)
            state = update.plan.formula.started(parameter, old, update.h, update.plan.starts)
            _store(variable, slots, state)
        return (count + 1.0,)

    # A loop that runs at most once, not a branch: XLA copies what a branch may change.
    limit, zero = tf.cast(condition, tf.float32), tf.constant(0.0)
    tf.while_loop(lambda count: count < limit, started, (zero,))


def measure(
    updates: "Sequence[Update]", number: int, jit_compile: str | bool
) -> list[dict[str, Any]]:
    """Run pass `number` over the model, and return each variable's part of its sums."""
    in_xla = GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
    found = []
    for update in updates:
        formula = update.plan.formula
        large = math.prod(update.variable.shape) >= LARGE
        resources = _resources(update)
        if not in_xla and (jit_compile is True or (jit_compile == "auto" and large)):
            key = ("measured", number)
            if key not in formula.cache:
                formula.cache[key] = tf.function(
                    partial(_measure, formula, number), jit_compile=True, autograph=False
                )
            found.append(formula.cache[key](resources, update.h))
        else:
            found.append(_measure(formula, number, resources, update.h))
    return found


def _measure(
    formula: "Formula", number: int, resources: tuple, h: dict[str, Any]
) -> dict[str, Any]:
    variable, gradient, slots = resources
    parameter, old = _state(variable, slots)
    sums, new_slots = formula.measured(number, parameter, gradient, old, h)
    for name, value in new_slots.items():
        slots[name].assign(value, read_value=False)
    return sums


def _in_batches(alike: list) -> list[list]:
    """Split a list into batches of one size, and single items for what is left over."""
    size = min(BATCHES, key=lambda size: (len(alike) % size, -size))
    whole = len(alike) - len(alike) % size
    batches = [alike[start : start + size] for start in range(0, whole, size)]
    return batches + [[each] for each in alike[whole:]]


def _resources(update: "Update") -> tuple[tf.Variable, tf.Tensor, dict[str, tf.Variable]]:
    slots = {name: resource(slot) for name, slot in update.plan.slots.items()}
    return resource(update.variable), update.gradient, slots


def _call(formula: "Formula") -> Any:
    """Return a formula as an XLA call that updates the variables it is given."""
    if "call" not in formula.cache:

        @tf.function(jit_compile=True, autograph=False)
        def call(resources: list, h: dict[str, Any]) -> None:
            _run_in_xla(formula, resources, h)

        formula.cache["call"] = call
    return formula.cache["call"]


def _run_in_xla(formula: "Formula", resources: list, h: dict[str, Any]) -> None:
    """Update variables in code that XLA compiles."""
    states = [_state(variable, slots) for variable, _, slots in resources]
    new = _new_states(formula, states, [gradient for _, gradient, _ in resources], h)
    for (variable, _, slots), state in zip(resources, new, strict=True):
        _store(variable, slots, state)


def _state(
    variable: tf.Variable, slots: dict[str, tf.Variable]
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    values = {name: tf.convert_to_tensor(slot) for name, slot in slots.items()}
    return tf.convert_to_tensor(variable), values


def _new_states(formula: "Formula", states: list, gradients: list, h: dict[str, Any]) -> list:
    # Only XLA on CPU copies buffers if nothing sets an order.
    on_gpu = bool(tf.config.get_visible_devices("GPU"))
    run_one = formula if on_gpu else partial(xla.in_order, formula)
    pairs = zip(states, gradients, strict=True)
    return [run_one(parameter, g, slots, h) for (parameter, slots), g in pairs]


def _store(
    variable: tf.Variable, slots: dict[str, tf.Variable], state: tuple[Any, dict[str, Any]]
) -> None:
    parameter, new_slots = state
    variable.assign(parameter, read_value=False)
    for name, value in new_slots.items():
        slots[name].assign(value, read_value=False)
