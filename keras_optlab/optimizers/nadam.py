"""Nadam."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Optimizer,
    Scalar,
    Scope,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
)

SCHEDULE_DECAY = 0.96


@final
class Nadam(Optimizer):
    r"""Adam with Nesterov momentum and Dozat's momentum schedule.

        μₜ = β₁ (1 − 0.96ᵗ / 2)
        m ← m + (1 − β₁)(g − m)
        v ← v + (1 − β₂)(g² − v)
        m̂ = μₜ₊₁ m / (1 − μ₁ ⋯ μₜ₊₁) + (1 − μₜ) g / (1 − μ₁ ⋯ μₜ)
        θ ← θ − η m̂ / (√(v / (1 − β₂ᵗ)) + ε)

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras; the paper uses 0.002.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`.

    Source: Dozat, 2016 ("Incorporating Nesterov Momentum into Adam"; schedule: the report's
    Section 3.2 with decay 0.96 per step).

    Example:

    >>> model.compile(keras_optlab.optimizers.Nadam(1e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def scalars(self) -> dict[str, Scalar]:
        return {"u_product": Scalar(1.0, saved_by_keras=True)}

    def derive(self, h: Values) -> dict[str, Any]:
        u = h.beta_1 * (1 - 0.5 * SCHEDULE_DECAY**h.t)
        u_next = h.beta_1 * (1 - 0.5 * SCHEDULE_DECAY ** (h.t + 1))
        product = h.u_product * h.beta_1 * (1 - 0.5 * SCHEDULE_DECAY**h.t)
        return {
            "new_product": product,
            "m_share": u_next / (1 - product * u_next),
            "g_share": (1 - u) / (1 - product),
            "v_share": 1 / (1 - h.beta_2**h.t),
        }

    def advance(self, state: Values, sums: Values, h: Values) -> dict[str, Any]:
        return {"u_product": h.new_product}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        m_hat = h.m_share * m + h.g_share * g
        step = h.learning_rate * m_hat / (ops.sqrt(h.v_share * v) + h.epsilon)
        return step, {"momentum": m, "velocity": v}
