"""TensorFlow: a step reads any variable it is given, gradients of embeddings are IndexedSlices.

Keras runs a step on CPU as a graph of single operations, each a pass over memory. Here a formula is
one XLA call in that graph, compiled once for each shape; many variables of one shape share calls,
which also makes the graph small, and with it the time to the first step.
"""

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.update import Update

# A tf.function captures variables by reference, wherever they are kept.
STEP_SEES_ONLY_ITS_VARIABLES = False

# Whether `keras.ops.cast(0.9, "float64")` is 0.9 rounded to float32, as it is for most
# hyperparameters of the built-ins.
CAST_ROUNDS_PYTHON_NUMBERS = True

# Whether `lookups` names each row once, with the sum of its gradients.
LOOKUPS_ARE_SUMMED = False

# Keras' Nadam takes 1 - beta after beta was rounded to float32 (0.99900001), except on torch:
# 6e-6 of a step.
NADAM_ROUNDS_BETAS_FIRST = True

# Fewer elements than this are updated as quickly by single operations, and need no compiling.
LARGE = 1 << 16

# How many variables of one shape share one call: the more, the fewer operations in the graph, and
# the longer it takes to compile. What is left over takes a call each, compiled for itself.
BATCHES = range(8, 17)

# Fewer small variables of one shape than this are not worth compiling.
FEWEST_OF_A_SHAPE = 8

# Parts of a sum that are added first. XLA computes what is summed once and keeps it where it has
# more than about 15 uses.
PARTS = 8

# So many numbers are added one after another without losing digits.
SHORT = 1024


def run(updates: "list[Update]", jit_compile: str | bool) -> None:
    """Update all variables."""
    # A private name: TensorFlow has no public way to ask whether XLA compiles what is traced now.
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


def _in_batches(alike: list) -> list[list]:
    """A list cut into pieces of one size, and what is left over one by one."""
    size = min(BATCHES, key=lambda size: (len(alike) % size, -size))
    whole = len(alike) - len(alike) % size
    batches = [alike[start : start + size] for start in range(0, whole, size)]
    return batches + [[each] for each in alike[whole:]]


def _resources(update: "Update") -> tuple[tf.Variable, tf.Tensor, dict[str, tf.Variable]]:
    slots = {name: _resource(slot) for name, slot in update.plan.slots.items()}
    return _resource(update.variable), update.gradient, slots


def _resource(variable: Any) -> tf.Variable:
    """A variable as TensorFlow has it; of one that has a copy for each replica, this replica's."""
    resource = variable.value if isinstance(variable, keras.Variable) else variable
    if not has_replicas():
        return resource
    context = tf.distribute.get_replica_context()
    copies = context.strategy.experimental_local_results(resource)
    # Replicas are numbered through all machines, each of which has as many.
    number = tf.get_static_value(context.replica_id_in_sync_group)
    # On TPUs one program serves all replicas, and none of them has a number.
    return resource if number is None else copies[number % len(copies)]


def _call(formula: "Formula") -> Any:
    """A formula as an XLA call that updates the variables it is given."""
    if "call" not in formula.compiled:

        @tf.function(jit_compile=True, autograph=False)
        def call(resources: list, h: dict[str, Any]) -> None:
            _run_in_xla(formula, resources, h)

        formula.compiled["call"] = call
    return formula.compiled["call"]


def _run_in_xla(formula: "Formula", resources: list, h: dict[str, Any]) -> None:
    """Update variables in what XLA compiles."""
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
    if tf.config.get_visible_devices("GPU"):
        # Only XLA for CPU copies buffers without an order.
        run, pairs = _called(formula), zip(states, gradients, strict=True)
        return [run(parameter, g, slots, h) for (parameter, slots), g in pairs]
    return formula.all_in_order(states, gradients, h, partial(_called, formula))


def _called(formula: "Formula", known: dict[str, Any] | None = None) -> Callable[..., Any]:
    """A formula for variables of one kind; in order, if some values are given as settled.

    TensorFlow brings each operation into XLA by itself, which takes 5 ms for a root or a sign, and
    puts functions that are called in the place of their calls before. What it brings over once,
    however often it occurs, is a branch; of a choice between one, nothing is left in the program.
    """
    function = formula.compiled_by(partial(tf.function, autograph=False), known)
    branch = None

    def call(*arguments: Any) -> Any:
        nonlocal branch
        branch = branch or function.get_concrete_function(*arguments)
        new = tf.raw_ops.StatelessCase(
            branch_index=tf.constant(0),
            input=[*tf.nest.flatten(arguments), *branch.captured_inputs],
            Tout=[tensor.dtype for tensor in branch.outputs],
            branches=[branch],
            output_shapes=[tensor.shape for tensor in branch.outputs],
        )
        return tf.nest.pack_sequence_as(branch.structured_outputs, new)

    return call


def _store(
    variable: tf.Variable, slots: dict[str, tf.Variable], state: tuple[Any, dict[str, Any]]
) -> None:
    parameter, new_slots = state
    variable.assign(parameter, read_value=False)
    for name, value in new_slots.items():
        slots[name].assign(value, read_value=False)


def has_replicas() -> bool:
    """Whether this step is that of one of several replicas, each with its part of the batch."""
    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def sum_over_replicas(gradients: list[Any]) -> list[Any]:
    """The sums over all replicas, the same in each of them."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def prepare(plans: "list[Plan]", variables: list[Any], held: Callable[[Any], Any]) -> None:
    """Nothing: what a compiled step needs of plans is looked up once, while it is traced."""


def checkpointed(variables: dict[str, keras.Variable]) -> Any:
    """The variables as an object that a `tf.train.Checkpoint` saves with its owner."""
    return tf.train.Checkpoint(**{name: variable.value for name, variable in variables.items()})


def conditionally(
    condition: Any, then: Callable[[], None], otherwise: Callable[[], None], variables: list
) -> None:
    """Do one thing or the other with variables, as a boolean scalar says."""
    if tf.executing_eagerly():
        return then() if condition else otherwise()
    if not has_replicas():
        tf.cond(condition, _returning(then), _returning(otherwise))
        return None

    def for_all(
        strategy: tf.distribute.Strategy, condition: Any, then: Any, otherwise: Any
    ) -> None:
        # The condition is the same in all replicas.
        first = strategy.experimental_local_results(condition)[0]
        branches = (
            _returning(partial(strategy.run, _call_it, (each,))) for each in (then, otherwise)
        )
        tf.cond(first, *branches)

    # A step counts itself in all replicas at once, which it cannot in a branch that one has taken.
    tf.distribute.get_replica_context().merge_call(for_all, (condition, then, otherwise))
    return None


@tf.autograph.experimental.do_not_convert
def _call_it(function: Callable[[], None]) -> None:
    function()


def _returning(function: Callable[[], None]) -> Callable[[], tf.Tensor]:
    """A function that a `tf.cond` can take, which wants a result."""

    def with_result() -> tf.Tensor:
        function()
        return tf.constant(True)

    return with_result


def once_if(condition: Any, update: Callable[[Any, Any], Any], state: Any) -> Any:
    """The state after an update if a condition holds, and else as it is.

    A loop that runs once or not at all: XLA does it in place, and copies what a branch is given.
    """

    def body(count: Any, state: Any) -> tuple:
        return count + 1.0, update(count, state)

    limit = tf.cast(condition, tf.float32)
    return tf.while_loop(lambda count, _: count < limit, body, (tf.constant(0.0), state))[1]


def random_state() -> list[int]:
    """Nothing: layers draw from generators of their own."""
    return []


def set_random_state(state: list[int]) -> None:
    """Put back what `random_state` returned."""


def is_sparse(gradient: Any) -> bool:
    """Whether a gradient is one of those that TensorFlow has for embeddings."""
    return isinstance(gradient, tf.IndexedSlices)


def lookups(gradient: Any) -> tuple[Any, Any] | None:
    """Row numbers and values of a sparse gradient; None for any other."""
    if not is_sparse(gradient):
        return None
    return tf.cast(gradient.indices, "int32"), gradient.values


def lookups_from(rows: Any, values: Any, shape: tuple[int, ...]) -> tf.IndexedSlices:
    """A sparse gradient of a variable of a shape; the opposite of `lookups`."""
    return tf.IndexedSlices(values, rows, tf.constant(shape))


def read_rows(variable: Any, rows: Any) -> Any:
    """Some rows of a variable."""
    return tf.gather(_resource(variable), rows)


def write_rows(variable: Any, rows: Any, values: Any) -> None:
    """Overwrite some rows of a variable."""
    _resource(variable).scatter_update(tf.IndexedSlices(values, rows))


def bits_of(x: Any) -> Any:
    """The bits of a float32 tensor as int32."""
    return tf.bitcast(x, tf.int32)


def float_of(bits: Any) -> Any:
    """The float32 tensor that has these bits."""
    return tf.bitcast(bits, tf.float32)


def dense(gradient: Any) -> Any:
    """The gradient as an ordinary tensor; rows that occur more than once are summed."""
    if is_sparse(gradient):
        return tf.convert_to_tensor(gradient)
    return gradient


def as_written(function: Callable) -> Callable:
    """A function that `tf.function` traces as it is; rewriting by AutoGraph takes longer."""
    return tf.autograph.experimental.do_not_convert(function)


def no_gradient() -> AbstractContextManager:
    """A context in which operations are not recorded for differentiation."""
    return nullcontext()


def outside_trace() -> AbstractContextManager:
    """A context in which variables are made and assigned at once, also while tracing."""
    return tf.init_scope()


def known_as(name: str) -> AbstractContextManager:
    """A context in which TensorFlow knows all variables that are made by one name.

    It takes twice as long to make one of a name that it has not seen.
    """
    return tf.variable_creator_scope(lambda make, **settings: make(**settings | {"name": name}))


def shared(initializer: Callable[..., Any]) -> Callable[..., Any]:
    """An initializer that makes one tensor for all variables of a shape.

    TensorFlow copies it for each of them with their first update.
    """
    return cache(initializer)


def to_host(tensor: Any) -> np.ndarray | None:
    """The value as numpy, or None inside a graph, where there is none yet."""
    if not tf.executing_eagerly():
        return None
    return keras.ops.convert_to_numpy(tensor)


def decayed(parameter: Any, weight_decay: Any, learning_rate: Any) -> Any:
    """The parameter after decoupled weight decay, in the arithmetic of the built-ins."""
    return parameter - parameter * weight_decay * learning_rate


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element."""
    # The first argument decides the dtype of a Python number.
    return tf.maximum(x, y) if tf.is_tensor(x) else tf.maximum(y, x)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element."""
    return tf.minimum(x, y) if tf.is_tensor(x) else tf.minimum(y, x)


def sum_along(x: Any, axis: int) -> Any:
    """The sum over one axis."""
    return tf.reduce_sum(_shorter(x, axis) if _is_large(x) else x, axis)


def total(x: Any) -> Any:
    """The sum of all elements, row by row: one long sum in float32 would lose digits."""
    if not len(x.shape):
        return x
    rows = sum_along(x, -1)
    # Of two plain sums XLA would make the one.
    return tf.reduce_sum(_shorter(rows, 0) if _is_large(x) and len(rows.shape) else rows)


def _is_large(x: tf.Tensor) -> bool:
    return math.prod(x.shape) >= LARGE and not tf.config.get_visible_devices("GPU")


def _shorter(x: tf.Tensor, axis: int) -> tf.Tensor:
    """Fewer elements that have the same sum over an axis.

    XLA for CPU makes a long sum in windows of 32, and keeps all that is summed to do so: ten times
    what the sum takes. Added up in parts first, it is one loop.
    """
    axis %= len(x.shape)
    length = x.shape[axis]
    width = -(-length // PARTS)
    everything = (slice(None),) * axis
    parts = [x[(*everything, slice(start, start + width))] for start in range(0, length, width)]
    missing = width * len(parts) - length
    if missing:
        around = [[0, missing if dimension == axis else 0] for dimension in range(len(x.shape))]
        parts[-1] = tf.pad(parts[-1], around)
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [a + b for a, b in pairs] + parts[len(parts) & ~1 :]
    return _shorter(parts[0], axis) if width > SHORT else parts[0]
