"""What numbers were made with."""

import platform
from importlib import metadata

import keras
import numpy as np

from keras_optlab.version import __version__


def versions() -> dict[str, str]:
    """The versions of everything that decides the numbers."""
    backend = keras.backend.backend()
    return {
        "keras-optlab": __version__,
        "keras": keras.__version__,
        "backend": backend,
        backend: metadata.version(backend),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
