"""How a number is brought to the dtype that it is stored in."""

from typing import Any

import keras
from keras import ops

from keras_optlab.engine import backend


def stored(value: Any, dtype: Any, step: Any) -> Any:
    """A new slot in the dtype of its variable.

    bfloat16 keeps 8 bits, so that nearest rounding would lose every change of less than 1 part in
    512, which is all that a moving average with a rate of 0.999 makes. It is therefore rounded up
    or down at random, with the chances that make the mean right. The random bits are a hash of the
    number and the step: no state, the same in every run.

    Args:
        value: New value in float32 or float64.
        dtype: Dtype of the slot.
        step: Step count as a scalar.
    """
    if keras.backend.standardize_dtype(dtype) != "bfloat16":
        return ops.cast(value, dtype)
    bits = backend.bits_of(ops.cast(value, "float32"))
    noise = _scrambled(bits + _scrambled(backend.bits_of(ops.cast(step, "float32"))))
    rounded = backend.float_of(ops.bitwise_and(bits + ops.bitwise_and(noise, 0xFFFF), -0x10000))
    # Infinity and NaN have all exponent bits set: noise would turn one into the other.
    return ops.cast(ops.where(ops.isfinite(value), rounded, value), dtype)


def _scrambled(bits: Any) -> Any:
    """A hash of each 32-bit integer, whose bits are as good as independent of the number's.

    The multipliers are those of the "lowbias32" hash (Wellons, 2018).
    """
    bits = _folded(bits, 16) * 0x7FEB352D
    bits = _folded(bits, 15) * -0x7B935975
    return _folded(bits, 16)


def _folded(bits: Any, shift: int) -> Any:
    # An arithmetic shift, of which only the bits that a logical one has are kept.
    shifted = ops.bitwise_and(ops.right_shift(bits, shift), 2 ** (32 - shift) - 1)
    return ops.bitwise_xor(bits, shifted)
