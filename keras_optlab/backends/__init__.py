"""The active Keras backend: `from keras_optlab.backends import backend`."""

from importlib import import_module

import keras

from keras_optlab.backends.protocol import Backend

if keras.backend.backend() not in ("tensorflow", "jax", "torch"):
    raise ImportError(
        "keras-optlab trains on the TensorFlow, JAX and torch backends of Keras. "
        f"Received: KERAS_BACKEND={keras.backend.backend()!r}. Set KERAS_BACKEND to "
        "'tensorflow', 'jax' or 'torch' before importing Keras."
    )

# The other two are never imported: they may not be installed.
backend: Backend = import_module(f"{__name__}.{keras.backend.backend()}").BACKEND
