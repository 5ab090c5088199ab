"""Fixtures that evaluate schedules."""

import keras
import numpy as np
import pytest


def compiled_function(function):
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
def compile_step():
    """Compile a function of the step with the backend; torch runs it eagerly."""
    return compiled_function


@pytest.fixture(scope="session")
def eager():
    """Return the values of a schedule at a list of steps."""

    def values(schedule, steps):
        # JAX compiles each operation once per shape, so lists are padded to a few lengths.
        padded = np.resize(steps, -(-len(steps) // 128) * 128)
        return keras.ops.convert_to_numpy(schedule(integers(padded)))[: len(steps)]

    return values


@pytest.fixture(scope="session")
def compiled():
    """Return the values of a schedule at a list of steps, from a compiled function of the step."""

    def values(schedule, steps):
        function = compiled_function(lambda step: schedule(step))
        return np.array([keras.ops.convert_to_numpy(function(integers(step))) for step in steps])

    return values
