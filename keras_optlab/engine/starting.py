"""What comes before some steps only: slots that start from the parameter, and the training point.

A slot such as schedule-free z starts from the parameter where training does. That may be later than
where the optimizer is built: a weight that is made in a trace has no value yet, and pretrained
weights may be loaded after `build`. So it is taken in the first step, as a branch of it.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras import ops

from keras_optlab.backends import backend

if TYPE_CHECKING:
    from keras_optlab.engine.update import Update


def start(updates: "Sequence[Update]") -> None:
    """Make the state of variables what a step takes, where it is not.

    A custom loop may take a step at the evaluation point: it goes back to where training
    goes on.
    """
    due = []
    conditions: dict[tuple[str, str], Any] = {}
    for update in updates:
        plan, h = update.plan, update.h
        comes_back = plan.formula.algorithm.training_point is not None
        if comes_back:
            conditions["evaluating", plan.dtype] = h["evaluating"] > 0
        for each in plan.starts.values():
            conditions[each.counter, plan.dtype] = ops.equal(h[each.counter], 1)
        if comes_back or plan.starts:
            due.append(update)
    if due:
        backend.start(functools.reduce(ops.logical_or, conditions.values()), due)
