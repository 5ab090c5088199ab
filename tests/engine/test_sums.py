"""Sums over large variables are exact to float32's rounding, whatever their shape."""

import keras
import numpy as np
import pytest
from steps import compiled

from keras_optlab.backends import backend

# First a shape that XLA divides evenly, one that it does not, and one with fewer rows than parts.
SHAPES = [(1024, 1000), (1021, 503), (3, 100_003), (200_003,), (64, 40, 50), (5, 7), ()]


def almost_ones(shape):
    """Return summands that a running sum in float32 all rounds the same way."""
    random = np.random.default_rng(3)
    return (1 - 1e-5 * random.random(shape)).astype("float32")


@pytest.mark.parametrize("shape", SHAPES)
def test_total(shape):
    x = almost_ones(shape)
    result = compiled(backend.total)(keras.ops.convert_to_tensor(x))
    expected = x.astype("float64").sum()
    np.testing.assert_allclose(keras.ops.convert_to_numpy(result), expected, rtol=4e-6)


@pytest.mark.parametrize("axis", [-1, -2])
@pytest.mark.parametrize("shape", [shape for shape in SHAPES if len(shape) > 1])
def test_sum_along(shape, axis):
    x = almost_ones(shape)
    result = compiled(lambda x: backend.sum_along(x, axis))(keras.ops.convert_to_tensor(x))
    expected = x.astype("float64").sum(axis)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(result), expected, rtol=4e-6)
