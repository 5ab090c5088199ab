"""Optimizers, learning-rate schedules and callbacks for Keras 3, each a formula you can read."""

import sys
from pathlib import Path

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

# The command picks the backend, or says that it is missing, before Keras may be imported.
_IS_COMMAND = Path(*sys.argv[:1]).stem == "optlab" or sys.orig_argv[1:3] == ["-m", __name__]

if not _IS_COMMAND:
    from keras_optlab import callbacks, optimizers, schedules
    from keras_optlab.engine.conversion import from_keras
    from keras_optlab.engine.evaluation import install as _install
    from keras_optlab.engine.groups import ParameterGroup, layerwise_decay

    _install()
