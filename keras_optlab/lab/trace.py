"""Training that leaves no trace: a model and all that it trains with, afterwards as before."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras

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


@contextlib.contextmanager
def without_trace(model: keras.Model, data: Any = None) -> Iterator[Callable[[], None]]:
    """Put a model back as it was, however the block ends.

    Weights, all other state of the layers, metrics, the optimizer with its step count, slots
    and hyperparameters, `history`, `stop_training`, the compiled train function, and the random
    generators of `random_state`.

    Args:
        model: A compiled model.
        data: What it is trained on.

    Yields:
        A function to call, in the block, once everything is built and before the first step.
        What has variables by then keeps them, with their values of that moment.
    """
    undo = [attributes(model), random_state(data)]
    undo += [unbuilt(part) for part in parts_to_build(model)]
    try:
        yield lambda: undo.insert(0, state(model))
    finally:
        for put_back in undo:
            put_back()


def attributes(model: keras.Model) -> Callable[[], None]:
    """What `fit` and `evaluate` set on a model."""
    held = model.__dict__
    before = {name: held[name] for name in ATTRIBUTES if name in held}

    def put_back() -> None:
        for name in ATTRIBUTES:
            held.pop(name, None)
        held.update(before)

    return put_back


def unbuilt(part: Any) -> Callable[[], None]:
    """An object that was not built yet."""
    held = vars(part)
    before = dict(held)
    lists = [(value, value[:]) for value in before.values() if isinstance(value, list)]

    def put_back() -> None:
        held.clear()
        held.update(before)
        for value, content in lists:
            value[:] = content

    return put_back


def state(model: keras.Model) -> Callable[[], None]:
    """The variables of a model and its optimizers, and what else they hold."""
    optimizers = all_optimizers(model)
    extra = [each.extra_state for each in optimizers if hasattr(each, "extra_state")]
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    variables += [variable for each in extra for variable in each.variables.values()]
    values = {id(variable): (variable, host_copy(variable)) for variable in variables}
    arrays = [{name: host_copy(array) for name, array in each.arrays.items()} for each in extra]
    # Ours note whether a step was compiled, after which a number cannot become a schedule.
    compiled = [(each, vars(each)["compiled"]) for each in optimizers if "compiled" in vars(each)]
    modules = torch_modules(model)

    def put_back() -> None:
        for variable, value in values.values():
            variable.assign(value)
        for each, before in zip(extra, arrays, strict=True):
            each.forget()
            for name, array in before.items():
                each.keep(name, array)
        for optimizer, before in compiled:
            vars(optimizer)["compiled"] = before
        modules()

    return put_back


def all_optimizers(model: keras.Model) -> list[Any]:
    """A model's optimizer, and those inside it."""
    outer = [model.optimizer]
    outer += [each.inner_optimizer for each in outer if hasattr(each, "inner_optimizer")]
    return outer + [inner for each in outer for inner in getattr(each, "optimizers", ())]


def torch_modules(model: keras.Model) -> Callable[[], None]:
    """The mode and the buffers of torch's own modules, which a model on torch may hold."""
    if keras.backend.backend() != "torch":
        return lambda: None
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]

    def put_back() -> None:
        for module, training in modes:
            module.training = training
        for buffer, value in buffers:
            buffer.detach().copy_(value)

    return put_back
