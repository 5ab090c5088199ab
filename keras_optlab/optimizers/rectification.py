"""Rectification of a second moment averaged over few steps (Liu et al., 2020)."""

from typing import Any

import keras

from keras_optlab.optimizers.base import arithmetic

# For averages shorter than this, the variance is not finite.
TRACTABLE = 5.0


def rectification(t: Any, one_minus_beta_2: Any) -> tuple[Any, Any]:
    """Return whether the adaptive step's variance is tractable at step t, and the correction r.

        N∞ = 2 / (1 − β₂) − 1,   N = N∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
        r = √((N − 4)(N − 2) N∞ / ((N∞ − 4)(N∞ − 2) N))

    N is the difference of two numbers that are hundreds of times larger, so everything is computed
    in double precision where the device supports it.

    Args:
        t: Scalar, the step counted from 1.
        one_minus_beta_2: Scalar, one minus the decay rate of the second moment.
    """
    dtype = keras.backend.standardize_dtype(t.dtype)
    scope, precision, ops = arithmetic()
    with scope:
        t, rate = (keras.ops.cast(x, precision) for x in (t, one_minus_beta_2))
        power = (1 - rate) ** t
        longest = 2 / rate - 1
        length = longest - 2 * t * power / (1 - power)
        safe = ops.where(length >= TRACTABLE, length, ops.full_like(length, TRACTABLE))
        square = (safe - 4) * (safe - 2) * longest / ((longest - 4) * (longest - 2) * safe)
        # If N∞ is too small, no step is tractable and the square can be negative.
        r = ops.where(square > 0, square, ops.full_like(square, 0.0)) ** 0.5
        return length >= TRACTABLE, keras.ops.cast(r, dtype)
