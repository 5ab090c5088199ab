"""TensorFlow: a step can read any variable; gradients of embeddings are `IndexedSlices`.

`tensorflow_updates` explains how updates run.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, final

import keras
import tensorflow as tf

from keras_optlab.backends import tensorflow_replicas, tensorflow_sums, tensorflow_updates
from keras_optlab.backends.protocol import Backend

if TYPE_CHECKING:
    from keras_optlab.engine.update import Update


@final
class TensorFlow(Backend):
    """The TensorFlow backend."""

    def run(self, updates: "Sequence[Update]", jit_compile: str | bool) -> None:
        tensorflow_updates.run(updates, jit_compile)

    def measure(
        self, updates: "Sequence[Update]", number: int, jit_compile: str | bool
    ) -> list[dict[str, Any]]:
        return tensorflow_updates.measure(updates, number, jit_compile)

    def start(self, condition: Any, updates: "Sequence[Update]") -> None:
        tensorflow_updates.start(condition, updates)

    def conditionally(
        self,
        condition: Any,
        then: Callable[[], None],
        otherwise: Callable[[], None],
        variables: list[Any],
    ) -> None:
        if tf.executing_eagerly():
            super().conditionally(condition, then, otherwise, variables)
        else:
            tensorflow_replicas.conditionally(condition, then, otherwise)

    def branch(self, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        if tf.executing_eagerly():
            return super().branch(condition, then, otherwise)
        return tf.cond(condition, then, otherwise)

    def in_trace(self) -> bool:
        return not tf.executing_eagerly()

    def outside_trace(self) -> AbstractContextManager:
        return tf.init_scope()

    def as_written(self, function: Callable) -> Callable:
        # AutoGraph would take time to rewrite it.
        return tf.autograph.experimental.do_not_convert(function)

    def to_host(self, tensor: Any) -> Any:
        return super().to_host(tensor) if tf.executing_eagerly() else None

    def known_as(self, name: str) -> AbstractContextManager:
        # A variable takes twice as long to create if its name is new to TensorFlow.
        return tf.variable_creator_scope(lambda make, **settings: make(**settings | {"name": name}))

    def shared(self, initializer: Callable[..., Any]) -> Callable[..., Any]:
        # TensorFlow copies the tensor for each variable at its first update.
        return cache(initializer)

    def checkpointed(self, variables: dict[str, keras.Variable]) -> Any:
        return tf.train.Checkpoint(**{name: variable.value for name, variable in variables.items()})

    def read_rows(self, variable: Any, rows: Any) -> Any:
        return tf.gather(tensorflow_replicas.resource(variable), rows)

    def write_rows(self, variable: Any, rows: Any, values: Any) -> None:
        resource = tensorflow_replicas.resource(variable)
        resource.scatter_update(tf.IndexedSlices(values, rows))

    def has_replicas(self) -> bool:
        return tensorflow_replicas.has_replicas()

    def sum_over_replicas(self, gradients: list[Any]) -> list[Any]:
        return tensorflow_replicas.sum_over_replicas(gradients)

    def shaped(self, gradient: Any, shape: tuple[int, ...]) -> Any:
        # In a graph the shape may be unknown.
        if self.is_sparse(gradient):
            values, indices = gradient.values, gradient.indices
            if not values.shape[1:].is_fully_defined():
                values = tf.ensure_shape(values, (None, *shape[1:]))
                indices = tf.ensure_shape(indices, (None,))
            return tf.IndexedSlices(values, indices, gradient.dense_shape)
        if not tf.is_symbolic_tensor(gradient) or gradient.shape.is_fully_defined():
            return gradient
        return tf.ensure_shape(gradient, shape)

    def is_sparse(self, gradient: Any) -> bool:
        return isinstance(gradient, tf.IndexedSlices)

    def lookups(self, gradient: Any) -> tuple[Any, Any] | None:
        if not self.is_sparse(gradient):
            return None
        return tf.cast(gradient.indices, "int32"), gradient.values

    def lookups_from(self, rows: Any, values: Any, shape: tuple[int, ...]) -> tf.IndexedSlices:
        return tf.IndexedSlices(values, rows, tf.constant(shape))

    def dense(self, gradient: Any) -> Any:
        return tf.convert_to_tensor(gradient) if self.is_sparse(gradient) else gradient

    def bits_of(self, x: Any) -> Any:
        return tf.bitcast(x, tf.int32)

    def float_of(self, bits: Any) -> Any:
        return tf.bitcast(bits, tf.float32)

    def maximum(self, x: Any, y: Any) -> Any:
        # A Python number takes the dtype of the first argument.
        return tf.maximum(x, y) if tf.is_tensor(x) else tf.maximum(y, x)

    def minimum(self, x: Any, y: Any) -> Any:
        return tf.minimum(x, y) if tf.is_tensor(x) else tf.minimum(y, x)

    def sum_along(self, x: Any, axis: int) -> Any:
        return tensorflow_sums.sum_along(x, axis)

    def total(self, x: Any) -> Any:
        return tensorflow_sums.total(x)


BACKEND = TensorFlow()
