"""Types for parts of Keras that have none, or one that is too wide."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:

    class Callback(keras.callbacks.Callback):
        """A callback as `fit` calls it: by then it has a model and parameters."""

        params: Any

        @property
        def model(self) -> Any: ...
else:
    Callback = keras.callbacks.Callback


def to_numpy(value: Any) -> np.ndarray:
    """Return the value of a tensor, variable or array as a NumPy array on the host."""
    # A type checker sees what any backend's function may return, OpenVINO's included.
    array: Any = keras.ops.convert_to_numpy(value)
    return array
