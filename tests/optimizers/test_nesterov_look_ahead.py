"""Keras' form of Nesterov's method is the look-ahead form, written at the point ahead."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers

CURVATURES = np.array([1.0, 10.0, 50.0])
RATE, BETA = 2**-7, 0.875


def gradient(w):
    """Return the gradient of a bowl with a ripple, which is not a linear function."""
    return CURVATURES * w + np.sin(3 * w)


def test_it_takes_the_gradient_at_the_point_ahead():
    w, v = np.ones(3), np.zeros(3)
    optimizer = optimizers.SGD(RATE, momentum=BETA, nesterov=True)
    variable = keras.Variable(np.ones(3), dtype="float32")
    for _ in range(40):
        # The variable holds the point θ + βv, where the gradient is taken.
        held = np.array(keras.ops.convert_to_numpy(variable))
        np.testing.assert_allclose(held, w + BETA * v, rtol=0, atol=2e-6)
        optimizer.apply([keras.ops.convert_to_tensor(gradient(held).astype("float32"))], [variable])
        v = BETA * v - RATE * gradient(w + BETA * v)
        w = w + v
    assert np.max(np.abs(w + BETA * v)) < 0.6  # it did move, and the loop is stable


@pytest.mark.parametrize("nesterov", [False, True])
def test_plain_momentum_does_not_look_ahead(nesterov):
    w, v = np.ones(3), np.zeros(3)
    optimizer = optimizers.SGD(RATE, momentum=BETA, nesterov=nesterov)
    variable = keras.Variable(np.ones(3), dtype="float32")
    for _ in range(10):
        held = np.array(keras.ops.convert_to_numpy(variable))
        optimizer.apply([keras.ops.convert_to_tensor(gradient(held).astype("float32"))], [variable])
        v = BETA * v - RATE * gradient(w)
        w = w + v
    difference = np.max(np.abs(keras.ops.convert_to_numpy(variable) - w))
    assert difference > 0.01 if nesterov else difference < 2e-6
