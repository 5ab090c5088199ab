"""Replicas of TensorFlow's strategies, each with its part of the batch and copies of variables."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
import tensorflow as tf


def resource(variable: Any) -> tf.Variable:
    """Return the TensorFlow variable behind a variable, or this replica's copy of it."""
    whole = variable.value if isinstance(variable, keras.Variable) else variable
    if not has_replicas():
        return whole
    context = tf.distribute.get_replica_context()
    copies = context.strategy.experimental_local_results(whole)
    # Replicas are numbered across all machines, which all have the same number of them.
    number = tf.get_static_value(context.replica_id_in_sync_group)
    # On TPUs one program serves all replicas, and no replica has a static number.
    return whole if number is None else copies[number % len(copies)]


def has_replicas() -> bool:
    """Whether this step runs on one of several replicas, each with its part of the batch."""
    context = tf.distribute.get_replica_context()
    return context is not None and context.num_replicas_in_sync > 1


def sum_over_replicas(gradients: list[Any]) -> list[Any]:
    """Return the sums over all replicas, the same on each of them."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def conditionally(condition: Any, then: Callable[[], None], otherwise: Callable[[], None]) -> None:
    """Call `then` or `otherwise` in a graph, depending on a boolean scalar."""
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

    # A step is counted on all replicas at once, which a branch taken by one of them cannot do.
    tf.distribute.get_replica_context().merge_call(for_all, (condition, then, otherwise))


@tf.autograph.experimental.do_not_convert
def _call_it(function: Callable[[], None]) -> None:
    function()


def _returning(function: Callable[[], None]) -> Callable[[], tf.Tensor]:
    """Return a function with a result, which `tf.cond` requires."""

    def with_result() -> tf.Tensor:
        function()
        return tf.constant(True)

    return with_result
