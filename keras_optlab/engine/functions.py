"""Functions for formulas that are exact in float64 on every backend, and may be traced."""

from typing import Any

import keras
from keras import ops

from keras_optlab.backends import backend


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element; `keras.ops.maximum` is float32 on torch."""
    return ops.maximum(x, y) if _is_symbolic(x, y) else backend.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element; `keras.ops.minimum` is float32 on torch."""
    return ops.minimum(x, y) if _is_symbolic(x, y) else backend.minimum(x, y)


def sum_along(x: Any, axis: int) -> Any:
    """The sum over one axis."""
    return ops.sum(x, axis) if _is_symbolic(x) else backend.sum_along(x, axis)


def total(x: Any) -> Any:
    """The sum of all elements, row by row: one long sum in float32 would lose digits."""
    return ops.sum(x) if _is_symbolic(x) else backend.total(x)


def _is_symbolic(*values: Any) -> bool:
    return any(isinstance(value, keras.KerasTensor) for value in values)
