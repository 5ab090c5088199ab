"""Sums over large tensors that TensorFlow's XLA for CPU makes in one loop, and that are exact."""

import math
from typing import Any

import tensorflow as tf

from keras_optlab.backends.tensorflow_updates import LARGE

# Parts of a sum that are added first. XLA computes what is summed once and keeps it where it has
# more than about 15 uses.
PARTS = 8

# As many numbers can be added one after another without losing digits.
SHORT = 1024


def sum_along(x: Any, axis: int) -> Any:
    """The sum over one axis."""
    return tf.reduce_sum(_shorter(x, axis) if _is_large(x) else x, axis)


def total(x: Any) -> Any:
    """The sum of all elements, row by row: one long sum in float32 would lose digits."""
    if not len(x.shape):
        return x
    rows = sum_along(x, -1)
    # Of two plain sums XLA would make the one.
    return tf.reduce_sum(_shorter(rows, 0) if _is_large(x) and len(rows.shape) else rows)


def _is_large(x: Any) -> bool:
    return math.prod(x.shape) >= LARGE and not tf.config.get_visible_devices("GPU")


def _shorter(x: Any, axis: int) -> Any:
    """Fewer elements that have the same sum over an axis.

    XLA for CPU makes a long sum in windows of 32, and keeps all that is summed to do so: ten times
    what the sum takes. Added up in parts first, it is one loop.
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
