"""What Keras leaves without a type, or with one that is too wide, typed."""

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
    """The value of a tensor, variable or array on the host."""
    # For a type checker, it is what any backend's function returns, OpenVINO's among them.
    array: Any = keras.ops.convert_to_numpy(value)
    return array
