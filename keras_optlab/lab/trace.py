"""Training that leaves no trace: a model and all that it trains with are restored afterwards.

State recorded on the stack `undo` is restored when the stack is closed, the last recorded first.
"""

import operator
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np

from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.keras_glue.hooks import (
    global_seed_generator,
    parts_to_build,
    replace_global_seed_generator,
)

# Attributes that `fit` and `evaluate` set on a model.
SET_BY_FIT = ("history", "steps_per_execution", "stop_training", "train_function")
SET_BY_EVALUATE = ("stop_evaluating", "test_function")


@contextmanager
def without_trace(model: keras.Model, data: Any, build: Callable[[], None]) -> Iterator[None]:
    """Restore a compiled model and the random generators, however the block ends.

    Parts that get their variables in `build` keep them, with the values that they have after it.
    """
    with ExitStack() as undo:
        undo.callback(random_state(data))
        _note_attributes(undo, model, SET_BY_FIT + SET_BY_EVALUATE)
        if isinstance(data, keras.utils.PyDataset):
            # It is not notified of epochs, so it cannot reorder itself.
            names = ("on_epoch_begin", "on_epoch_end")
            _note_attributes(undo, data, names)
            vars(data).update(dict.fromkeys(names, _do_nothing))
        for part in parts_to_build(model):
            for value in vars(part).values():
                if isinstance(value, list):
                    undo.callback(operator.setitem, value, slice(None), value[:])
            undo.callback(vars(part).update, dict(vars(part)))
            undo.callback(vars(part).clear)
        build()
        _note_state(undo, model)
        yield


def _do_nothing() -> None:
    pass


def _note_attributes(undo: ExitStack, owner: Any, names: tuple[str, ...]) -> None:
    held = vars(owner)
    undo.callback(held.update, {name: held[name] for name in names if name in held})
    for name in names:
        undo.callback(held.pop, name, None)


def _note_state(undo: ExitStack, model: Any) -> None:
    """Record the variables of a model and its optimizers, and their other state."""
    if keras.backend.backend() == "torch":
        for module in model.modules():
            undo.callback(setattr, module, "training", module.training)
        for buffer in model.buffers():
            undo.callback(buffer.detach().copy_, buffer.detach().clone())
    optimizers = [model.optimizer]
    optimizers += [each.inner_optimizer for each in optimizers if hasattr(each, "inner_optimizer")]
    optimizers += [inner for each in optimizers for inner in getattr(each, "optimizers", ())]
    variables = [*model.variables, *model.metrics_variables, *model.optimizer.variables]
    for optimizer in optimizers:
        # Ours record whether a step was compiled, after which a number cannot become a schedule.
        if isinstance(optimizer, Optimizer):
            undo.callback(setattr, optimizer.engine, "traced", optimizer.engine.traced)
        if hasattr(optimizer, "extra_state"):
            state = optimizer.extra_state
            # Last first, so that they are restored in their original order.
            for name, array in reversed(state.arrays.items()):
                undo.callback(state.keep, name, _host_copy(array))
            undo.callback(state.forget)
            variables += state.variables.values()
    for variable in {id(variable): variable for variable in variables}.values():
        undo.callback(variable.assign, _host_copy(variable))


def _host_copy(value: Any) -> np.ndarray:
    """Return a copy that no later step can write to or hand to a device."""
    return np.array(keras.ops.convert_to_numpy(value))


def random_state(data: Any = None) -> Callable[[], None]:
    """Record all random generators that `keras.utils.set_random_seed` sets.

    They are Python's, NumPy's, that of `keras.random`, and those of TensorFlow and torch if they
    are imported, whatever the backend: data may come from either. If the data is a torch
    `DataLoader`, its generators are recorded too. The function returned restores them all.
    """
    undo = ExitStack()
    undo.callback(random.setstate, random.getstate())
    undo.callback(np.random.set_state, np.random.get_state())
    generator = global_seed_generator()
    if generator is not None:
        undo.callback(generator.state.assign, _host_copy(generator.state))
    undo.callback(replace_global_seed_generator, generator)
    if "tensorflow" in sys.modules:
        from tensorflow.python.eager import context

        # TensorFlow has no public access to its generator, and `tf.random.set_seed` restarts it.
        eager: Any = context.context()
        held = vars(eager)
        if held.get("_rng") is not None:
            # A cached operation with the same seed would continue where it stopped.
            undo.callback(eager.clear_kernel_cache)
            undo.callback(held.update, _seed=held["_seed"], _rng=held["_rng"])
            undo.callback(held["_rng"].setstate, held["_rng"].getstate())
    if "torch" in sys.modules:
        import torch

        undo.callback(torch.set_rng_state, torch.get_rng_state())
        undo.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
        for owner in (data, getattr(data, "sampler", None)):
            its_generator = getattr(owner, "generator", None)
            if isinstance(its_generator, torch.Generator):
                undo.callback(its_generator.set_state, its_generator.get_state())
    return undo.close
