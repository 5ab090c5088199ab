"""Training for the tests of optimizers: a few arrays and given gradients, step by step."""

import keras
import numpy as np

SHAPES = [(), (5,), (4, 3), (2, 5), (2, 2, 3, 4)]


def problem(steps, seed=0, shapes=SHAPES, dtype="float64"):
    """Return the start of each array, and the gradients of each step."""
    random = np.random.default_rng(seed)

    def arrays():
        return [np.asarray(random.normal(size=shape), dtype) for shape in shapes]

    return arrays(), [arrays() for _ in range(steps)]


def train(optimizer, start, gradients):
    """Return the weights after a step of the optimizer for each list of gradients."""
    # Copies, because on torch variables share memory with the array that they are made from.
    variables = [keras.Variable(w.copy(), dtype=str(w.dtype), name="w") for w in start]
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradient], variables)
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def flat(arrays):
    """Return all arrays concatenated as one vector."""
    return np.concatenate([np.ravel(array) for array in arrays])


def largest_difference(ours, theirs):
    """Return the largest difference between two lists of arrays."""
    return max(np.max(np.abs(a - b)) for a, b in zip(ours, theirs, strict=True))
