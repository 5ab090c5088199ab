"""Bias correction of a moving average that starts from zero."""

from typing import Any

from keras import ops


def bias_correction(one_minus_beta: Any, t: Any) -> Any:
    """Return 1 − βᵗ, the sum of the weights in an average of t steps.

    It is computed from 1 − β, because in float32 a β of 0.999 is off by 1e-8, which is a relative
    error of 1e-5 in 1 − β.

    Args:
        one_minus_beta: Scalar, one minus the decay rate.
        t: Scalar, number of steps in the average.
    """
    return -ops.expm1(t * ops.log1p(-one_minus_beta))
