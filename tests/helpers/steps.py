"""Optimizer steps as a trainer takes them: in a compiled function where the backend has one."""

import keras
import numpy as np

BACKEND = keras.backend.backend()


def compiled_step(optimizer, variables, jit_compile=False):
    """Return a function that takes one step on backend gradients, dense or sparse."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda g: optimizer.apply(g, variables), jit_compile=jit_compile)
    if BACKEND == "torch":
        return lambda gradients: optimizer.apply(gradients, variables)
    import jax

    apply = jax.jit(optimizer.stateless_apply, donate_argnums=(0, 2))

    def step(gradients):
        state = [variable.value for variable in optimizer.variables]
        values, state = apply(state, gradients, [variable.value for variable in variables])
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)

    return step


def compiled(function):
    """Return a function of one tensor compiled by XLA; on torch, return it unchanged."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    if BACKEND == "torch":
        return function
    import jax

    return jax.jit(function)


def train(optimizer, start, gradients, jit_compile=False):
    """Return the weights after a compiled step for each list of dense gradients."""
    variables = [keras.Variable(value.copy(), name="w") for value in start]
    optimizer.build(variables)
    step = compiled_step(optimizer, variables, jit_compile)
    for gradient in gradients:
        step([keras.ops.convert_to_tensor(value) for value in gradient])
    optimizer.finalize_variable_values(variables)
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def lookup_gradient(rows, values, shape):
    """Return the gradient of a table as a layer that looks up some of its rows gives it."""
    values = keras.ops.convert_to_tensor(values)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.IndexedSlices(values, tf.constant(rows), tf.constant(shape))
    if BACKEND == "torch":
        import torch

        return torch.sparse_coo_tensor(
            torch.as_tensor(rows)[None], values, shape, check_invariants=True
        )
    from jax.experimental.sparse import BCOO

    return BCOO((values, keras.ops.convert_to_tensor(rows)[:, None]), shape=shape)
