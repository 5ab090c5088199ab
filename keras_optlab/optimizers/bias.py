"""The bias of a moving average that starts from zero."""

from typing import Any

from keras import ops


def bias_correction(one_minus_beta: Any, t: Any) -> Any:
    """1 − βᵗ, what an average of t steps sums to.

    Taken from one minus β: in float32, a β of 0.999 is off by 1e-8, and 1 − β by 1e-5 of itself.

    Args:
        one_minus_beta: Scalar, one minus the decay rate.
        t: Scalar, how many steps the average holds.
    """
    return -ops.expm1(t * ops.log1p(-one_minus_beta))
