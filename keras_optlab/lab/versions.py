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
        backend: version_of(backend),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def version_of(module: str) -> str:
    """The version of a module's distribution, which may be `tensorflow-cpu` or `tf-nightly`."""
    try:
        return metadata.version(module)
    except metadata.PackageNotFoundError:
        # Plugins may put files under the same name; theirs is longer.
        return metadata.version(min(metadata.packages_distributions()[module], key=len))
