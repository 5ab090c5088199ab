"""Linear regression in Keras and in plain NumPy, for the tests of callbacks."""

import keras
import numpy as np
from pytorch_cycle import pytorch_cycle  # noqa: F401, for the tests of 1cycle

BATCHES, BATCH_SIZE, FEATURES = 5, 4, 3

generator = np.random.default_rng(7)
X = generator.normal(size=(BATCHES * BATCH_SIZE, FEATURES)).astype("float32")
Y = (X @ [[1.0], [-2.0], [0.5]] + 0.1 * generator.normal(size=(len(X), 1))).astype("float32")
START = np.array([0.5, 0.4, -0.3, 0.2])


def linear_model(optimizer, built=True, **compile_arguments):
    """Return a model of three weights and a bias, at START."""
    layers = [keras.Input((FEATURES,))] if built else []
    kernel = keras.initializers.Constant(START[:FEATURES, None])
    bias = keras.initializers.Constant(START[FEATURES])
    model = keras.Sequential(
        [*layers, keras.layers.Dense(1, kernel_initializer=kernel, bias_initializer=bias)]
    )
    model.compile(optimizer, loss="mse", **compile_arguments)
    return model


def fit(model, epochs, callbacks=(), **arguments):
    """Train on the batches in their order."""
    return model.fit(
        X,
        Y,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=list(callbacks),
        **arguments,
    )


def weights(model):
    return np.concatenate([np.ravel(weight) for weight in model.get_weights()])


def gradients(count, accumulated=1):
    """Yield the gradient of each of the first updates, as a function of the weights."""
    inputs, targets = np.hstack([X, np.ones((len(X), 1))]), np.ravel(Y)
    for update in range(count):
        first = update * accumulated
        parts = [batch % BATCHES for batch in range(first, first + accumulated)]
        rows = [slice(part * BATCH_SIZE, (part + 1) * BATCH_SIZE) for part in parts]

        def gradient(w, rows=rows):
            each = [2 * inputs[r].T @ (inputs[r] @ w - targets[r]) / BATCH_SIZE for r in rows]
            return np.mean(each, axis=0)

        yield gradient


def sgd(rates, momenta, accumulated=1, w=START, v=0.0):
    """Return the weights after SGD with momentum: v ← β v − η g; w ← w + v."""
    for gradient, eta, beta in zip(gradients(len(rates), accumulated), rates, momenta, strict=True):
        v = beta * v - eta * gradient(w)
        w = w + v
    return w


def adam(rates, betas, accumulated=1):
    """Return the weights after Adam in Keras' form with β₂ = 0.9, ε = 1e-7.

    In float32, `1 - β₂` is off by 1e-7 here; with β₂ = 0.999 it would be off by 1e-5.
    """
    w, m, v = START, 0.0, 0.0
    every = enumerate(zip(gradients(len(rates), accumulated), rates, betas, strict=True), start=1)
    for t, (gradient, eta, beta) in every:
        g = gradient(w)
        m = m + (1 - beta) * (g - m)
        v = v + 0.1 * (g**2 - v)
        w = w - eta * np.sqrt(1 - 0.9**t) / (1 - beta**t) * m / (np.sqrt(v) + 1e-7)
    return w


def assert_reached(model, expected):
    """Assert that the weights are as expected, up to float32 rounding along the way."""
    expected = np.asarray(expected)
    distance = np.linalg.norm(expected - START)
    np.testing.assert_allclose(weights(model), expected, rtol=0, atol=2e-6 * distance)


class InterruptionError(Exception):
    """The error with which tests interrupt training."""


class Interrupt(keras.callbacks.Callback):
    """Raises in a hook, at the given epoch or at the given batch of the first epoch."""

    def __init__(self, hook, at):
        super().__init__()

        def interrupt(index, logs=None):
            if index == at:
                raise InterruptionError

        setattr(self, hook, interrupt)
