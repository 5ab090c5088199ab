"""Algorithms beyond Keras, and transforms, learn to classify digits at their default rates.

The recorded numbers would miss a fault that our code shares with them.
"""

import keras
import numpy as np
import pytest
from keras_versions import BEYOND_KERAS
from selection import SLOW_ON_ONE, quick
from sklearn.datasets import load_digits

from keras_optlab import optimizers, transforms

# Number of digits for training, out of 1,797; the others are for evaluation.
LEARNT = 1500


def accuracy(optimizer, epochs=20):
    """Return the accuracy of a small network on digits that it has not seen."""
    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    order = np.random.default_rng(0).permutation(len(x))
    learnt, tried = order[:LEARNT], order[LEARNT:]
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss, metrics=["accuracy"])
    model.fit(x[learnt], y[learnt], batch_size=25, epochs=epochs, verbose=0)
    return model.evaluate(x[tried], y[tried], verbose=0, return_dict=True)["accuracy"]


@pytest.mark.parametrize("name", quick(sorted(BEYOND_KERAS), ["Prodigy"]))
def test_an_algorithm_learns_with_its_default_rate(name):
    assert accuracy(getattr(optimizers, name)()) > 0.9


@pytest.mark.parametrize("name", quick(transforms.__all__, [], SLOW_ON_ONE))
def test_adam_learns_with_a_transform(name):
    assert accuracy(optimizers.Adam(3e-3, transforms=[getattr(transforms, name)()])) > 0.9
