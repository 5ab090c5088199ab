"""Replicas of TensorFlow's strategies: each has its part of the batch, and a copy of variables."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf


def resource(variable: Any) -> tf.Variable:
    """A variable as TensorFlow has it; of one that has a copy for each replica, this replica's."""
    whole = variable.value if isinstance(variable, keras.Variable) else variable
    if not has_replicas():
        return whole
    context = tf.distribute.get_replica_context()
    copies = context.strategy.experimental_local_results(whole)
    # Replicas are numbered through all machines, each of which has as many.
    number = tf.get_static_value(context.replica_id_in_sync_group)
    # On TPUs one program serves all replicas, and none of them has a number.
    return whole if number is None else copies[number % len(copies)]


def has_replicas() -> bool:
    """Whether this step is that of one of several replicas, each with its part of the batch."""
    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def sum_over_replicas(gradients: list[Any]) -> list[Any]:
    """The sums over all replicas, the same in each of them."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def conditionally(condition: Any, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
    """Do one thing or the other in a graph, as a boolean scalar says."""
    if not has_replicas():
        tf.cond(condition, _returning(then), _returning(otherwise))
        return

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


@tf.autograph.experimental.do_not_convert
def _call_it(function: Callable[[], None]) -> None:
    function()


def _returning(function: Callable[[], None]) -> Callable[[], tf.Tensor]:
    """A function that a `tf.cond` can take, which wants a result."""

    def with_result() -> tf.Tensor:
        function()
        return tf.constant(True)

    return with_result
