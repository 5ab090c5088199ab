"""AdEMAMix."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Integer,
    Optimizer,
    Optional,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    minimum,
    option,
)
from keras_optlab.optimizers.bias import bias_correction


@final
class AdEMAMix(Optimizer):
    r"""Adam with a second, slow average of the gradients.

        m ← m + (1 − β₁)(g − m)
        n ← n + (1 − β₃)(g − n)
        v ← v + (1 − β₂)(g² − v)
        θ ← θ − η (m / (1 − β₁ᵗ) + α n) / (√(v / (1 − β₂ᵗ)) + ε)

    The slow average keeps using gradients from thousands of steps ago. Over the first
    `alpha_warmup` steps, α rises linearly from 0. Over the first `beta_3_warmup` steps, β₃ rises
    from β₁, linearly in the half-life of the average.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the authors' code.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        beta_3: Float in [0, 1) or a schedule, decay rate of n. Defaults to `0.9999`.
        alpha: Float >= 0 or a schedule, weight of n. Defaults to `2.0`, as in the authors' torch
            code; their paper uses 5 to 10.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        alpha_warmup: Integer >= 1 or None, number of steps over which α rises. Defaults to
            `None`; the paper uses the whole training.
        beta_3_warmup: Integer >= 1 or None, number of steps over which β₃ rises. Defaults to
            `None`.

    Source: Pagliardini et al., 2024, "The AdEMAMix optimizer: better, faster, older".

    Example:

    >>> optimizer = keras_optlab.optimizers.AdEMAMix(1e-3, alpha=5.0, alpha_warmup=1000)
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    beta_3: float = hyperparameter(0.9999, DECAY_RATE, complement=True)
    alpha: float = hyperparameter(2.0, NON_NEGATIVE)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    alpha_warmup: int | None = option(None, Optional(Integer(1)), Section.KEYWORD_ONLY)
    beta_3_warmup: int | None = option(None, Optional(Integer(1)), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "slow_momentum": Slot(), "velocity": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        alpha, rate = h.alpha, h.one_minus_beta_3
        if self.alpha_warmup:
            alpha = alpha * minimum(h.t / self.alpha_warmup, 1.0)
        if self.beta_3_warmup:
            part = h.t / self.beta_3_warmup
            mixed = (1 - part) * half_life(h.beta_1) + part * half_life(h.beta_3)
            rising = 1 - ops.power(0.5, 1 / (mixed + 1))
            rate = ops.where(part < 1, rising, rate)
        return {
            "m_share": h.learning_rate / bias_correction(h.one_minus_beta_1, h.t),
            "n_share": h.learning_rate * alpha,
            "v_share": 1 / bias_correction(h.one_minus_beta_2, h.t),
            "slow_rate": rate,
        }

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        n = s.slow_momentum + (g - s.slow_momentum) * h.slow_rate
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        step = (h.m_share * m + h.n_share * n) / (ops.sqrt(h.v_share * v) + h.epsilon)
        return step, {"momentum": m, "slow_momentum": n, "velocity": v}


def half_life(beta: Any) -> Any:
    """Return the half-life of a gradient's weight in an average, in steps, minus one."""
    # The authors add 1e-8, which keeps the logarithm finite for a beta of 0.
    return -0.6931471805599453 / ops.log(beta + 1e-8) - 1
