"""Optimizers, learning-rate schedules and callbacks for Keras 3, each a formula you can read."""

from keras_optlab import callbacks, optimizers, schedules
from keras_optlab.engine.conversion import from_keras
from keras_optlab.engine.evaluation import install as _install
from keras_optlab.engine.groups import ParameterGroup, layerwise_decay
from keras_optlab.version import __version__

__all__ = [
    "ParameterGroup",
    "__version__",
    "callbacks",
    "from_keras",
    "layerwise_decay",
    "optimizers",
    "schedules",
]

_install()
