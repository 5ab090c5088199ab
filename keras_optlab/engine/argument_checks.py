"""Checks that involve several arguments of an optimizer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_optlab.engine.clipping import CLIPPING
from keras_optlab.engine.storage import SLOT_STORAGES

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


def check_together(optimizer: "Optimizer") -> None:
    """Refuse arguments that exclude each other or that the algorithm does not support.

    Raises:
        ValueError: For arguments that exclude each other, or that the algorithm does not support.
        TypeError: If the algorithm has `scalars` but no `advance` to update them.
    """
    if optimizer.scalars and not optimizer.advance:
        raise TypeError(
            "An algorithm with `scalars` needs `advance(state, sums, h)`, which returns the "
            f"scalars after a step. Received: {type(optimizer).__name__}, which has no `advance`. "
            "Define it."
        )
    takes_rows = optimizer.scope.is_within_rows and not optimizer.periodic
    not_lazy = (
        "it has periodic work, which needs the whole table"
        if optimizer.periodic
        else "its formula may depend on the whole table (`scope` is `Scope.VARIABLE`)"
    )
    slots = SLOT_STORAGES[optimizer.slot_dtype] if optimizer.slot_dtype else None
    refusals = {
        "lazy": optimizer.lazy and (optimizer.not_lazy or (not takes_rows and not_lazy)),
        "slot_dtype": slots and slots.rounds and optimizer.needs_exact_slots,
    }
    for refused, reason in refusals.items():
        if reason:
            raise ValueError(
                f"{type(optimizer).__name__} does not support `{refused}`: {reason}. Received: "
                f"{refused}={getattr(optimizer, refused)!r}. Leave it out."
            )
    around = [each.transform for each in optimizer.engine.transforms]
    if optimizer.lazy and any(each.acts_on_variables for each in around):
        raise ValueError(
            "`lazy` cannot be combined with transforms that act on all rows of a variable. "
            f"Received: lazy=True and transforms={optimizer.transforms!r}. Leave one of them out."
        )
    if optimizer.lazy and slots and not slots.is_elementwise:
        raise ValueError(
            "`lazy` needs slots whose rows can be stored one by one. Received: lazy=True and "
            f"slot_dtype={optimizer.slot_dtype!r}. Leave one of them out."
        )
    optimizer.engine.points.check()
    if optimizer.lazy and optimizer.gradient_accumulation_steps:
        raise ValueError(
            "`lazy` and `gradient_accumulation_steps` exclude each other, since accumulated "
            "gradients are dense. Received: lazy=True and gradient_accumulation_steps="
            f"{optimizer.gradient_accumulation_steps}. Leave one of them out."
        )
    limits = {name: getattr(optimizer, name) for name in CLIPPING}
    if sum(limit is not None for limit in limits.values()) > 1:
        raise ValueError(
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
            + ", ".join(f"{name}={limit}" for name, limit in limits.items())
        )


def check_lengths(gradients: Sequence[Any], variables: Sequence[Any]) -> None:
    """Check that there is a gradient, or None, for each variable, or no gradients at all.

    Raises:
        ValueError: If their numbers differ. A built-in would leave out the surplus silently.
    """
    if len(gradients) not in (0, len(variables)):
        raise ValueError(
            "`grads` must have one gradient, or None, for each of `trainable_variables`. "
            f"Received: {len(gradients)} gradients for {len(variables)} variables."
        )
