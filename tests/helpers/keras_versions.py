"""Skip marks for tests that compare ours with a built-in which older versions of Keras lack."""

import keras
import pytest

from keras_optlab import optimizers
from keras_optlab.conversion import built_in


def _needs(condition, what):
    return pytest.mark.skipif(not condition, reason=f"Keras {keras.__version__} has no {what}")


needs_multi_optimizer = _needs(hasattr(keras.optimizers, "MultiOptimizer"), "MultiOptimizer")


# Optimizers of the newest Keras, whichever version is installed.
OF_KERAS = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "SGD",
    "ScheduleFreeAdamW",
]
# The others; tests compare their numbers with their authors'.
BEYOND_KERAS = [name for name in optimizers.__all__ if name not in OF_KERAS]


def needs_built_in(name):
    """Return a mark for tests that compare one of our algorithms with Keras' built-in."""
    return _needs(built_in(getattr(optimizers, name)), f"{name} like ours")


def with_built_in(names, label=lambda name: name):
    """Return values to parametrize with, skipped where Keras has no such algorithm."""
    return [pytest.param(name, marks=needs_built_in(label(name))) for name in names]
