"""Exact sums over large tensors, which TensorFlow's XLA on CPU computes in one loop."""

import math
from typing import Any

import tensorflow as tf

from keras_optlab.backends.tensorflow_updates import LARGE

# Number of parts of a sum that are added first. If a value has more than about 15 uses, XLA
# computes it once and keeps it.
PARTS = 8

# Up to this many numbers can be added one after another without losing digits.
SHORT = 1024


def sum_along(x: Any, axis: int) -> Any:
    """Return the sum over one axis."""
    return tf.reduce_sum(_shorter(x, axis) if _is_large(x) else x, axis)


def total(x: Any) -> Any:
    """Return the sum of all elements, row by row: one long float32 sum would lose digits."""
    if not len(x.shape):
        return x
    rows = sum_along(x, -1)
    # XLA would merge two plain sums into one.
    return tf.reduce_sum(_shorter(rows, 0) if _is_large(x) and len(rows.shape) else rows)


def _is_large(x: Any) -> bool:
    return math.prod(x.shape) >= LARGE and not tf.config.get_visible_devices("GPU")


def _shorter(x: Any, axis: int) -> Any:
    """Return fewer elements with the same sum over an axis.

    XLA on CPU computes a long sum in windows of 32, for which it keeps everything that is summed:
    ten times the cost of the sum. If parts are added up first, it is one loop.
    """
    axis %= len(x.shape)
    length = x.shape[axis]
    width = -(-length // PARTS)
    everything = (slice(None),) * axis
    parts = [x[(*everything, slice(start, start + width))] for start in range(0, length, width)]
    missing = width * len(parts) - length
    if missing:
        around = [[0, missing if dimension == axis else 0] for dimension in range(len(x.shape))]
        parts[-1] = tf.pad(parts[-1], around)
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [a + b for a, b in pairs] + parts[len(parts) & ~1 :]
    return _shorter(parts[0], axis) if width > SHORT else parts[0]
