"""Lamb."""

from typing import Any, final

from keras import ops

from keras_optlab.engine.backend import total
from keras_optlab.engine.domain import DECAY_RATE, NON_NEGATIVE
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class Lamb(Optimizer):
    r"""Adam's direction, scaled for each variable to the norm of its weights.

        m ← m + (1 − β₁)(g − m),  m̂ = m / (1 − β₁ᵗ)
        v ← v + (1 − β₂)(g² − v),  v̂ = v / (1 − β₂ᵗ)
        d = m̂ / (√v̂ + ε)
        θ ← θ − η ‖θ‖ / ‖d‖ · d        (the ratio is 1 where either norm is 0)

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`; the paper takes 1e-6.

    Source: You et al., 2020, "Large batch optimization for deep learning".

    Example:

    >>> model.compile(keras_optlab.optimizers.Lamb(2e-3, weight_decay=0.01), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement="exact", cast_by_keras=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement="exact", cast_by_keras=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)

    not_lazy = "its step depends on the norm of the whole table"

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        return {"m_share": 1 / (1 - h.beta_1**h.t), "v_share": 1 / (1 - h.beta_2**h.t)}

    def norms(self, parameter: Any, gradient: Any, slots: Values, h: Values) -> dict[str, Any]:
        """The squared norms of the weights and of the direction."""
        _, _, d = self.direction(gradient, slots, h)
        return {
            "parameter_square": total(ops.square(parameter)),
            "d_square": total(ops.square(d)),
        }

    totals = (norms,)

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        m, v, d = self.direction(gradient, slots, h)
        usable = ops.logical_and(h.parameter_square > 0, h.d_square > 0)
        d_norm = ops.sqrt(ops.where(usable, h.d_square, 1.0))
        ratio = ops.where(usable, ops.sqrt(h.parameter_square) / d_norm, 1.0)
        return parameter - ratio * h.learning_rate * d, {"momentum": m, "velocity": v}

    def direction(self, gradient: Any, slots: Values, h: Values) -> tuple[Any, Any, Any]:
        """The new m and v, and Adam's direction d."""
        m = slots.momentum + (gradient - slots.momentum) * h.one_minus_beta_1
        v = slots.velocity + (ops.square(gradient) - slots.velocity) * h.one_minus_beta_2
        return m, v, h.m_share * m / (ops.sqrt(h.v_share * v) + h.epsilon)
