"""How the tests of schedules get values out of a schedule."""

import keras
import numpy as np
import pytest


def compile_step(function):
    """The function as the backend compiles it; torch runs eagerly."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def integers(steps):
    return keras.ops.convert_to_tensor(np.asarray(steps, "int32"))


@pytest.fixture(scope="session")
def eager():
    """The values of a schedule at a list of steps."""
    return lambda schedule, steps: keras.ops.convert_to_numpy(schedule(integers(steps)))


@pytest.fixture(scope="session")
def compiled():
    """The values of a schedule at a list of steps, computed in a compiled function of the step."""

    def values(schedule, steps):
        function = compile_step(lambda step: schedule(step))
        return np.array([keras.ops.convert_to_numpy(function(integers(step))) for step in steps])

    return values
