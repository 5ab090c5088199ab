"""How numbers of full precision are kept in the dtype of the variable that they are stored in."""

from typing import Any

import keras
from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine.random_stream import scrambled

HALF = ("bfloat16", "float16")

# Seeds stand in a float32, which counts this far.
LARGEST_SEED = 1 << 24

# float16 holds no smaller steps than this, bfloat16 as small as float32 does.
FLOAT16_SPACING = 2.0**-24
FLOAT16_LARGEST = 65504.0

# A float16 is at most half an ulp from the number it stands for: 2^-11 of its size.
FLOAT16_REMAINDERS = 2.0**11


def is_half(dtype: Any) -> bool:
    """Whether a dtype has too few bits to keep small updates."""
    return keras.backend.standardize_dtype(dtype) in HALF


# Compensated: what rounding takes away is kept with the number.


def compensation_dtype(dtype: Any) -> str:
    """Dtype of the slot for the compensation of a half-precision variable."""
    return "int16" if keras.backend.standardize_dtype(dtype) == "bfloat16" else "float16"


def compensated(value: Any, dtype: Any) -> tuple[Any, Any]:
    """A float32 number as the nearest number of half precision, and what is missing from it.

    With bfloat16, which is the upper half of a float32, the missing part is the lower half, so that
    both together are the float32. With float16 it is the remainder, enlarged to the size of the
    number, so that it is not too small for a float16 itself; together they hold 22 bits.
    """
    if keras.backend.standardize_dtype(dtype) == "bfloat16":
        bits = backend.bits_of(value)
        upper = ops.bitwise_and(bits + 0x8000, -0x10000)
        rounded = ops.where(ops.isfinite(value), backend.float_of(upper), value)
        return ops.cast(rounded, dtype), ops.cast(bits - upper, "int16")
    rounded = ops.cast(value, dtype)
    missing = (value - ops.cast(rounded, "float32")) * FLOAT16_REMAINDERS
    return rounded, ops.cast(ops.where(ops.isfinite(missing), missing, 0.0), "float16")


def restored(rounded: Any, missing: Any) -> Any:
    """The float32 number that `compensated` has taken apart.

    If somebody has set the variable since, the rest of the old number moves the new one by half of
    its last bit at most.
    """
    value = ops.cast(rounded, "float32")
    if keras.backend.standardize_dtype(rounded.dtype) == "float16":
        return value + ops.cast(missing, "float32") / FLOAT16_REMAINDERS
    whole = backend.float_of(backend.bits_of(value) + ops.cast(missing, "int32"))
    # Where a variable was set to 0 or infinity, the old bits would make it a NaN.
    keeps = ops.logical_and(ops.isfinite(value), value != 0.0)
    return ops.where(keeps, whole, value)


# Stochastic: rounded up or down at random, with the chances that make the mean right.


def stochastic(value: Any, dtype: Any, seed: Any, *salt: Any) -> Any:
    """A float32 number rounded at random to one of its two neighbours in half precision.

    Args:
        value: Number in float32 or float64.
        dtype: `"bfloat16"` or `"float16"`.
        seed: Scalar that differs from step to step.
        *salt: What makes the roundings of equal numbers independent, see `random_bits`.
    """
    value = ops.cast(value, "float32")
    bits, noise = backend.bits_of(value), random_bits(value, seed, *salt)
    if keras.backend.standardize_dtype(dtype) == "bfloat16":
        rounded = backend.float_of(ops.bitwise_and(bits + ops.bitwise_and(noise, 0xFFFF), -0x10000))
        # Infinity and NaN have all exponent bits set: noise would turn one into the other.
        return ops.cast(ops.where(ops.isfinite(value), rounded, value), dtype)
    kept = ops.bitwise_and(bits + ops.bitwise_and(noise, 0x1FFF), -0x2000)
    # Below its normal range float16 has evenly spaced numbers.
    fraction = ops.cast(ops.bitwise_and(noise, 0x1FFF), "float32") / 0x2000
    even = ops.floor(value / FLOAT16_SPACING + fraction) * FLOAT16_SPACING
    size = ops.abs(value)
    rounded = ops.where(size < 2.0**-14, even, backend.float_of(kept))
    return ops.cast(ops.where(size < FLOAT16_LARGEST, rounded, value), dtype)


def random_bits(value: Any, seed: Any, *salt: Any) -> Any:
    """32 random bits for each number, as int32.

    They are a hash of the number, the seed and the salt: no state, the same in every run, and
    independent of how a variable is cut into blocks.

    Args:
        value: Number in float32 or float64.
        seed: Scalar that differs from step to step.
        *salt: Scalars, or arrays of the shape of `value`; where these differ, the bits of equal
            numbers are independent.
    """
    noise = scrambled(backend.bits_of(ops.cast(seed, "float32")))
    for more in (*salt, value):
        noise = scrambled(noise + backend.bits_of(ops.cast(more, "float32")))
    return noise
