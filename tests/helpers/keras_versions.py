"""What older versions of Keras lack, for the tests that compare ours with a built-in."""

import keras
import pytest

from keras_optlab import optimizers
from keras_optlab.conversion import built_in


def _needs(condition, what):
    return pytest.mark.skipif(not condition, reason=f"Keras {keras.__version__} has no {what}")


needs_multi_optimizer = _needs(hasattr(keras.optimizers, "MultiOptimizer"), "MultiOptimizer")


# Those of the newest Keras, whichever is installed.
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
# The others, whose numbers are compared with their authors'.
BEYOND_KERAS = [name for name in optimizers.__all__ if name not in OF_KERAS]


def needs_built_in(name):
    """A mark for tests that compare an algorithm of ours with the one of Keras."""
    return _needs(built_in(getattr(optimizers, name)), f"{name} like ours")


def with_built_in(names, label=lambda name: name):
    """Values to parametrize with: skipped where Keras has no such algorithm."""
    return [pytest.param(name, marks=needs_built_in(label(name))) for name in names]
