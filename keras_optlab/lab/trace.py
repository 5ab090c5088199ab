"""Training that leaves no trace: a model and all that it trains with, afterwards as before.

What each function notes is put back when the stack `undo` is closed, the last first.
"""

import operator
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras

from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.keras_glue.hooks import parts_to_build
from keras_optlab.lab.random_state import host_copy, random_state

# What `fit` and `evaluate` set on a model.
ATTRIBUTES = (
    "history",
    "steps_per_execution",
    "stop_evaluating",
    "stop_training",
    "test_function",
    "train_function",
)


@contextmanager
def without_trace(model: keras.Model, data: Any = None) -> Iterator[Callable[[], None]]:
    """Put a compiled model, and the random generators, back as they were, however the block ends.

    The block calls the function that it gets once everything is built, before the first step. What
    has variables by then keeps them, with their values of that moment.
    """
    with ExitStack() as undo:
        undo.callback(random_state(data))
        note_attributes(undo, model)
        for part in parts_to_build(model):
            note_unbuilt(undo, part)
        yield lambda: note_state(undo, model)


def note_attributes(undo: ExitStack, model: keras.Model) -> None:
    """What `fit` and `evaluate` set on a model."""
    held = model.__dict__
    undo.callback(held.update, {name: held[name] for name in ATTRIBUTES if name in held})
    for name in ATTRIBUTES:
        undo.callback(held.pop, name, None)


def note_unbuilt(undo: ExitStack, part: Any) -> None:
    """An object that was not built yet."""
    held = vars(part)
    for value in held.values():
        if isinstance(value, list):
            undo.callback(operator.setitem, value, slice(None), value[:])
    undo.callback(held.update, dict(held))
    undo.callback(held.clear)


def note_state(undo: ExitStack, model: keras.Model) -> None:
    """The variables of a model and its optimizers, and what else they hold."""
    optimizers = all_optimizers(model)
    extra = [each.extra_state for each in optimizers if hasattr(each, "extra_state")]
    if keras.backend.backend() == "torch":
        note_torch_modules(undo, model)
    for optimizer in optimizers:
        # Ours note whether a step was compiled, after which a number cannot become a schedule.
        if isinstance(optimizer, Optimizer):
            engine = optimizer.engine
            undo.callback(setattr, engine, "compiled", engine.compiled)
    for state in extra:
        # The last first, so that they are put back in their order.
        for name, array in reversed(state.arrays.items()):
            undo.callback(state.keep, name, host_copy(array))
        undo.callback(state.forget)
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    variables += [variable for state in extra for variable in state.variables.values()]
    for variable in {id(variable): variable for variable in variables}.values():
        undo.callback(variable.assign, host_copy(variable))


def all_optimizers(model: keras.Model) -> list[Any]:
    """A model's optimizer, and those inside it."""
    outer = [model.optimizer]
    outer += [each.inner_optimizer for each in outer if hasattr(each, "inner_optimizer")]
    return outer + [inner for each in outer for inner in getattr(each, "optimizers", ())]


def note_torch_modules(undo: ExitStack, model: Any) -> None:
    """The mode and the buffers of torch's modules, which a model on torch may hold."""
    for module in model.modules():
        undo.callback(setattr, module, "training", module.training)
    for buffer in model.buffers():
        undo.callback(buffer.detach().copy_, buffer.detach().clone())
