"""Weights of the schedule-free average (Defazio et al., 2024)."""

from typing import Any

from keras import ops

from keras_optlab.optimizers.base import Scalar, maximum, minimum


def averaging_scalars() -> dict[str, Scalar]:
    """Return the scalars: the largest learning rate so far and the sum of all weights."""
    return {"largest_rate": Scalar(-1.0), "weight_sum": Scalar(0.0)}


def averaging_weight(h: Any, warmup_steps: int) -> dict[str, Any]:
    """Return the rate of this step, its weight c in the average, and the new scalars.

        η = learning rate · min(1, t / warmup_steps)
        w = tʳ (largest η so far)ᵏ,   c = w / Σ w

    Args:
        h: Hyperparameters `learning_rate`, `t`, `polynomial_power` (r) and `rate_power` (k), and
            the scalars.
        warmup_steps: Number of steps over which the rate rises; 0 for no warmup.
    """
    warmup = minimum(h.t / warmup_steps, 1.0) if warmup_steps else 1.0
    rate = h.learning_rate * warmup
    largest = maximum(rate, h.largest_rate)
    w = h.t**h.polynomial_power * largest**h.rate_power
    # State saved by Keras has no sum of weights: Keras weights all steps equally.
    before = ops.where(h.largest_rate < 0, (h.t - 1) * w, h.weight_sum)
    total = before + w
    c = ops.where(total > 0, w / ops.where(total > 0, total, 1.0), 0.0)
    return {"new_largest_rate": largest, "new_weight_sum": total, "rate": rate, "c": c}


def averaged(h: Any) -> dict[str, Any]:
    """Return the new scalars, which `averaging_weight` has put into `h`."""
    return {"largest_rate": h.new_largest_rate, "weight_sum": h.new_weight_sum}
