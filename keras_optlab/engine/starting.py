"""Preparation for some steps only: initializing slots, returning to the training point.

A slot such as z of schedule-free methods starts from the value of the parameter when training
starts. This may be later than `build`: a weight created in a trace has no value yet, and pretrained
weights may be loaded after `build`. So a branch of the step sets the slot in the first step.
"""

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras import ops

from keras_optlab.backends import backend

if TYPE_CHECKING:
    from keras_optlab.engine.update import Update


def start(updates: "Sequence[Update]") -> None:
    """Prepare the state of variables for a step, where necessary.

    A custom loop may take a step at the evaluation point: the variables then return to the
    training point first.
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
