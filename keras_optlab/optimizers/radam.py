"""RAdam."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Choice,
    Optimizer,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    option,
)
from keras_optlab.optimizers.bias import bias_correction
from keras_optlab.optimizers.rectification import rectification


@final
class RAdam(Optimizer):
    r"""Adam with rectified first steps instead of a warmup.

        m ← m + (1 − β₁)(g − m),   v ← v + (1 − β₂)(g² − v)
        N∞ = 2 / (1 − β₂) − 1,   N = N∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
        N ≥ 5:  r = √((N − 4)(N − 2) N∞ / ((N∞ − 4)(N∞ − 2) N))
                θ ← θ − η r √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)
        else:   θ ← θ − η m / (1 − β₁ᵗ)

    In the first steps (five with the default β₂), v is too uncertain to divide by. There, PyTorch
    steps by momentum alone; the authors' code does not change the weights, not even by weight decay
    (`early_steps="none"`).

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        early_steps: `"momentum"` (PyTorch) or `"none"` (the authors' code). Defaults to
            `"momentum"`.

    Source: Liu et al., 2020, "On the variance of the adaptive learning rate and beyond".

    Example:

    >>> model.compile(keras_optlab.optimizers.RAdam(1e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    early_steps: str = option("momentum", Choice(("momentum", "none")), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT
    decays_in_update = True

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        v_bias = bias_correction(h.one_minus_beta_2, h.t)
        tractable, r = rectification(h.t, h.one_minus_beta_2)
        rate = h.learning_rate / bias_correction(h.one_minus_beta_1, h.t)
        zero = ops.zeros_like(rate)
        moves = self.early_steps == "momentum"
        return {
            "adaptive_rate": ops.where(tractable, rate * r * ops.sqrt(v_bias), zero),
            "plain_rate": ops.where(tractable, zero, rate if moves else zero),
            "decay_rate": h.learning_rate if moves else ops.where(tractable, h.learning_rate, zero),
        }

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        step = m * (h.adaptive_rate / (ops.sqrt(v) + h.epsilon) + h.plain_rate)
        if h.decay is not None:
            step = step + h.decay_rate * h.decay * p
        return step, {"momentum": m, "velocity": v}
