"""The random generators that all code of a process shares, and putting them back."""

import random
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_optlab.keras_glue.hooks import global_seed_generator, replace_global_seed_generator


def random_state(data: Any = None) -> Callable[[], None]:
    """Note where all random generators stand that `keras.utils.set_random_seed` sets.

    They are Python's, NumPy's, that of `keras.random`, and those of TensorFlow and torch if they
    are imported, whatever the backend: data may come from either.

    Args:
        data: What is trained on; if it is a torch `DataLoader`, its generators too.

    Returns:
        A function that puts them back.
    """
    python, numpy = random.getstate(), np.random.get_state()
    others = [keras_state(), tensorflow_state(), torch_state(data)]

    def put_back() -> None:
        random.setstate(python)
        np.random.set_state(numpy)
        for other in others:
            other()

    return put_back


def host_copy(value: Any) -> np.ndarray:
    """A copy that no later step can write to, or give to a device as its own."""
    return np.array(keras.ops.convert_to_numpy(value))


def nothing() -> None:
    """Put back what is not there."""


def keras_state() -> Callable[[], None]:
    """The generator of `keras.random`."""
    generator = global_seed_generator()
    value = None if generator is None else host_copy(generator.state)

    def put_back() -> None:
        replace_global_seed_generator(generator)
        if generator is not None:
            generator.state.assign(value)

    return put_back


def tensorflow_state() -> Callable[[], None]:
    """What TensorFlow seeds the next operation or dataset with."""
    if "tensorflow" not in sys.modules:
        return nothing
    from tensorflow.python.eager import context

    # TensorFlow has no public way to it, and `tf.random.set_seed` starts it anew.
    held = vars(context.context())
    generator = held.get("_rng")
    if generator is None:
        return nothing
    seed, state = held["_seed"], generator.getstate()

    def put_back() -> None:
        generator.setstate(state)
        held.update(_seed=seed, _rng=generator)
        # An operation that was seeded alike before would go on where it stopped.
        present: Any = context.context()
        present.clear_kernel_cache()

    return put_back


def torch_state(data: Any) -> Callable[[], None]:
    """torch's generators of all devices, and those of a `DataLoader`."""
    if "torch" not in sys.modules:
        return nothing
    import torch

    cpu, gpus = torch.get_rng_state(), torch.cuda.get_rng_state_all()
    owners = (data, getattr(data, "sampler", None))
    found = [getattr(owner, "generator", None) for owner in owners]
    own = [(each, each.get_state()) for each in found if isinstance(each, torch.Generator)]

    def put_back() -> None:
        torch.set_rng_state(cpu)
        torch.cuda.set_rng_state_all(gpus)
        for generator, state in own:
            generator.set_state(state)

    return put_back
