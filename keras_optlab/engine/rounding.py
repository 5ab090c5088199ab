"""Rounding of full-precision numbers for storage in half precision."""

from typing import Any

import keras
from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine.random_stream import scrambled

HALF = ("bfloat16", "float16")

# Seeds are stored in float32, which is exact for integers up to this one.
LARGEST_SEED = 1 << 24

# Smallest spacing of float16 numbers. bfloat16 has the exponent range of float32.
FLOAT16_SPACING = 2.0**-24
FLOAT16_LARGEST = 65504.0

# Rounding to float16 is off by at most half an ulp: 2^-11 of the size of the number.
FLOAT16_REMAINDERS = 2.0**11


def is_half(dtype: Any) -> bool:
    """Whether a dtype has too few bits to keep small updates."""
    return keras.backend.standardize_dtype(dtype) in HALF


# Compensated rounding: the rounding error is stored with the number.


def compensation_dtype(dtype: Any) -> str:
    """Return the dtype of the compensation slot of a half-precision variable."""
    return "int16" if keras.backend.standardize_dtype(dtype) == "bfloat16" else "float16"


def compensated(value: Any, dtype: Any) -> tuple[Any, Any]:
    """Split a float32 number into the nearest half-precision number and the remainder.

    A bfloat16 is the upper half of a float32, and its remainder the lower half: together they are
    the float32. For float16, the remainder is scaled up to the size of the number, so that it is
    not too small for a float16 itself; together they hold 22 bits.
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
    """Restore the float32 number that `compensated` has split.

    If the variable has been set since, the old remainder shifts the new number by at most half of
    its last bit.
    """
    value = ops.cast(rounded, "float32")
    if keras.backend.standardize_dtype(rounded.dtype) == "float16":
        return value + ops.cast(missing, "float32") / FLOAT16_REMAINDERS
    whole = backend.float_of(backend.bits_of(value) + ops.cast(missing, "int32"))
    # If the variable was set to 0 or infinity, the old remainder would make it a NaN.
    keeps = ops.logical_and(ops.isfinite(value), value != 0.0)
    return ops.where(keeps, whole, value)


# Stochastic rounding: up or down at random, with probabilities that make it unbiased.


def stochastic(value: Any, dtype: Any, seed: Any, *salt: Any) -> Any:
    """Round a float32 number at random to one of its two neighbours in half precision.

    Args:
        value: Number in float32 or float64.
        dtype: `"bfloat16"` or `"float16"`.
        seed: Scalar that differs from step to step.
        *salt: Tensors that make the rounding of equal numbers independent; see `random_bits`.
    """
    value = ops.cast(value, "float32")
    bits, noise = backend.bits_of(value), random_bits(value, seed, *salt)
    if keras.backend.standardize_dtype(dtype) == "bfloat16":
        rounded = backend.float_of(ops.bitwise_and(bits + ops.bitwise_and(noise, 0xFFFF), -0x10000))
        # Infinity and NaN have all exponent bits set: noise would turn one into the other.
        return ops.cast(ops.where(ops.isfinite(value), rounded, value), dtype)
    kept = ops.bitwise_and(bits + ops.bitwise_and(noise, 0x1FFF), -0x2000)
    # Below the normal range, float16 numbers are evenly spaced.
    fraction = ops.cast(ops.bitwise_and(noise, 0x1FFF), "float32") / 0x2000
    even = ops.floor(value / FLOAT16_SPACING + fraction) * FLOAT16_SPACING
    size = ops.abs(value)
    rounded = ops.where(size < 2.0**-14, even, backend.float_of(kept))
    return ops.cast(ops.where(size < FLOAT16_LARGEST, rounded, value), dtype)


def random_bits(value: Any, seed: Any, *salt: Any) -> Any:
    """Return 32 random bits for each number, as int32.

    They are a hash of the number, the seed and the salt: stateless, the same in every run, and
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
