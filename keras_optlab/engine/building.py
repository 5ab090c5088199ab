"""Builds an optimizer for a list of variables."""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras

from keras_optlab.backends import backend
from keras_optlab.engine import plan, random_stream
from keras_optlab.engine.argument_checks import check_together
from keras_optlab.engine.faults import Faults
from keras_optlab.engine.rounding import LARGEST_SEED
from keras_optlab.engine.storage import Stochastic, arithmetic_dtype, widest
from keras_optlab.keras_glue.hooks import held_value

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


def build(
    optimizer: "Optimizer", variables: list[Any], build_of_keras: Callable[[list[Any]], None]
) -> None:
    """Create the plans and slots of all variables, and the variables that hold numbers.

    Also restores state that was loaded before the build.
    """
    check_together(optimizer)
    optimizer.engine.numbers.combinations, groups = plan.assign_groups(optimizer, variables)
    build_of_keras(variables)
    plans = plan.make_plans(optimizer, variables, groups)
    backend.prepare(plans, variables, held_value)
    engine, state = optimizer.engine, optimizer.extra_state
    engine.plans = plans
    engine.dtype = widest(arithmetic_dtype(variable) for variable in variables)
    with keras.name_scope(optimizer.name, caller=optimizer):
        engine.numbers.build(groups)
        if optimizer.evaluates_elsewhere:
            engine.evaluating = state.add("evaluating", 0.0, "float32")
        if any(isinstance(each.formula.storages.parameter, Stochastic) for each in plans):
            seed = random.randrange(LARGEST_SEED)
            engine.rounding_seed = state.add("rounding_seed", seed, "float32")
        if any(random_stream.NUMBER in each.slots for each in plans):
            seed = random.randrange(LARGEST_SEED)
            engine.random_seed = state.add("random_seed", seed, "float32")
        if optimizer.nonfinite != "apply":
            engine.faults = Faults(state)
    # The only attribute set without `keep`, since `tf.train.Checkpoint` follows attributes.
    optimizer.checkpointed = backend.checkpointed(state.variables)
    state.checkpointed = optimizer.checkpointed
    _take_pending(optimizer)


def _take_pending(optimizer: "Optimizer") -> None:
    """Restore the state from a file that was read before the optimizer was built."""
    saved = optimizer.engine.saved_state
    if not saved.pending:
        return
    extra = optimizer.extra_state.contents()
    if saved.take(saved.pending):
        optimizer.extra_state.restore(extra)
    else:
        for setting in vars(optimizer)["settings"].values():
            setting.store(setting.value)
