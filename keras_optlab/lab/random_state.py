"""The random generators that all code of a process shares, and putting them back."""

import random
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import keras
import numpy as np

from keras_optlab.keras_glue.hooks import global_seed_generator, replace_global_seed_generator


def random_state(data: Any = None) -> Callable[[], None]:
    """Note where all random generators stand that `keras.utils.set_random_seed` sets.

    They are Python's, NumPy's, that of `keras.random`, and those of TensorFlow and torch if they
    are imported, whatever the backend: data may come from either. If the data is a torch
    `DataLoader`, so are its generators. What is returned puts them back.
    """
    undo = ExitStack()
    undo.callback(random.setstate, random.getstate())
    undo.callback(np.random.set_state, np.random.get_state())
    note_keras(undo)
    if "tensorflow" in sys.modules:
        note_tensorflow(undo)
    if "torch" in sys.modules:
        note_torch(undo, data)
    return undo.close


def host_copy(value: Any) -> np.ndarray:
    """A copy that no later step can write to, or give to a device."""
    return np.array(keras.ops.convert_to_numpy(value))


def note_keras(undo: ExitStack) -> None:
    """The generator of `keras.random`."""
    generator = global_seed_generator()
    if generator is not None:
        undo.callback(generator.state.assign, host_copy(generator.state))
    undo.callback(replace_global_seed_generator, generator)


def note_tensorflow(undo: ExitStack) -> None:
    """What TensorFlow seeds the next operation or dataset with."""
    from tensorflow.python.eager import context

    # TensorFlow has no public way to it, and `tf.random.set_seed` starts it anew.
    eager: Any = context.context()
    held = vars(eager)
    generator = held.get("_rng")
    if generator is not None:
        # An operation that was seeded alike before would go on where it stopped.
        undo.callback(eager.clear_kernel_cache)
        undo.callback(held.update, _seed=held["_seed"], _rng=generator)
        undo.callback(generator.setstate, generator.getstate())


def note_torch(undo: ExitStack, data: Any) -> None:
    """torch's generators of all devices, and those of a `DataLoader`."""
    import torch

    undo.callback(torch.set_rng_state, torch.get_rng_state())
    undo.callback(torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all())
    for owner in (data, getattr(data, "sampler", None)):
        generator = getattr(owner, "generator", None)
        if isinstance(generator, torch.Generator):
            undo.callback(generator.set_state, generator.get_state())
