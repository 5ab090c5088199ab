"""Optimizers, learning-rate schedules and callbacks for Keras 3, each a formula you can read."""

import keras

from keras_optlab.version import __version__, check_keras

check_keras(keras.__version__)

from keras_optlab import callbacks, lab, optimizers, schedules, transforms  # noqa: E402
from keras_optlab.conversion import from_keras  # noqa: E402
from keras_optlab.engine.groups import ParameterGroup, layerwise_decay  # noqa: E402
from keras_optlab.engine.optimizer import Optimizer  # noqa: E402
from keras_optlab.lab import find_learning_rate, fit_one_cycle  # noqa: E402
from keras_optlab.loops.training_hooks import install_for  # noqa: E402

if keras.backend.backend() == "torch":
    from keras_optlab.optimizers import fused_on_torch  # noqa: F401

# Nothing in Keras is patched until an optimizer or callback that needs it is created.
Optimizer.when_made.append(install_for)

__all__ = [
    "ParameterGroup",
    "__version__",
    "callbacks",
    "find_learning_rate",
    "fit_one_cycle",
    "from_keras",
    "lab",
    "layerwise_decay",
    "optimizers",
    "schedules",
    "transforms",
]
