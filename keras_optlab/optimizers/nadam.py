"""Nadam."""

from typing import Any, final

import numpy as np
from keras import ops

from keras_optlab.engine import backend
from keras_optlab.engine.domain import DECAY_RATE, NON_NEGATIVE
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Scalar, Slot

COMPLEMENT = "rounded" if backend.NADAM_ROUNDS_BETAS_FIRST else "exact"
# Rounded where the built-in rounds it, or float64 weights differ by 5e-8 of the way.
SCHEDULE_DECAY = float(np.float32(0.96)) if backend.CAST_ROUNDS_PYTHON_NUMBERS else 0.96


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
            Defaults to `0.001`, as in Keras; the paper takes 0.002.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`.

    Source: Dozat, 2016 ("Incorporating Nesterov Momentum into Adam"; schedule: the report's
    Section 3.2 with decay 0.96 per step).

    Example:

    >>> model.compile(keras_optlab.optimizers.Nadam(1e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=COMPLEMENT, cast_by_keras=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=COMPLEMENT, cast_by_keras=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def scalars(self) -> dict[str, Scalar]:
        return {"u_product": Scalar(1.0, saved_by_keras=True)}

    def advance(self, state: Values, h: Values) -> dict[str, Any]:
        return {"u_product": state.u_product * h.beta_1 * (1 - 0.5 * SCHEDULE_DECAY**h.t)}

    def derive(self, h: Values) -> dict[str, Any]:
        u = h.beta_1 * (1 - 0.5 * SCHEDULE_DECAY**h.t)
        u_next = h.beta_1 * (1 - 0.5 * SCHEDULE_DECAY ** (h.t + 1))
        return {
            "m_share": u_next / (1 - h.u_product * u_next),
            "g_share": (1 - u) / (1 - h.u_product),
            "v_share": 1 / (1 - h.beta_2**h.t),
        }

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        m = slots.momentum + (gradient - slots.momentum) * h.one_minus_beta_1
        v = slots.velocity + (ops.square(gradient) - slots.velocity) * h.one_minus_beta_2
        m_hat = h.m_share * m + h.g_share * gradient
        step = h.learning_rate * m_hat / (ops.sqrt(h.v_share * v) + h.epsilon)
        return parameter - step, {"momentum": m, "velocity": v}
