"""Versions of the software that results were made with."""

import platform
from importlib import metadata

import keras
import numpy as np

from keras_optlab.version import __version__


def versions() -> dict[str, str]:
    """Return the versions of everything that decides the numbers."""
    backend = keras.backend.backend()
    try:
        version = metadata.version(backend)
    except metadata.PackageNotFoundError:
        # It may be `tensorflow-cpu`. Plugins may use the same import name; their names are longer.
        version = metadata.version(min(metadata.packages_distributions()[backend], key=len))
    return {
        "keras-optlab": __version__,
        "keras": keras.__version__,
        "backend": backend,
        backend: version,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
