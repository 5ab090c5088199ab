"""Functions for formulas: exact in float64 on every backend, and traceable."""

from typing import Any

import keras
from keras import ops

from keras_optlab.backends import backend


def maximum(x: Any, y: Any) -> Any:
    """Return the elementwise maximum; `keras.ops.maximum` gives float32 on torch."""
    return ops.maximum(x, y) if _is_symbolic(x, y) else backend.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """Return the elementwise minimum; `keras.ops.minimum` gives float32 on torch."""
    return ops.minimum(x, y) if _is_symbolic(x, y) else backend.minimum(x, y)


def sum_along(x: Any, axis: int) -> Any:
    """Return the sum over one axis."""
    return ops.sum(x, axis) if _is_symbolic(x) else backend.sum_along(x, axis)


def total(x: Any) -> Any:
    """Return the sum of all elements, row by row: one long float32 sum would lose digits."""
    return ops.sum(x) if _is_symbolic(x) else backend.total(x)


def _is_symbolic(*values: Any) -> bool:
    return any(isinstance(value, keras.KerasTensor) for value in values)
