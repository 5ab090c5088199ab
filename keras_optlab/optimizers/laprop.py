"""LaProp."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Boolean,
    Optimizer,
    Scalar,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    maximum,
    option,
)
from keras_optlab.optimizers.bias import bias_correction

# Number of steps before the variance replaces the second moment.
STEPS_BEFORE_CENTERED = 10


@final
class LaProp(Optimizer):
    r"""Adam in reverse order: normalize the gradient first, then average it.

        v ← v + (1 − β₂)(g² − v)
        d = g / (√(v / (1 − β₂ᵗ)) + ε)
        m ← m + (1 − β₁)(η d − m)
        a ← a + (1 − β₁)(η − a)
        θ ← (θ − η m / a)(1 − λ)

    The learning rate is part of the average m, and a / η corrects the bias of m. Weight decay λ is
    applied after the step and is not multiplied by η, as in the authors' code. With `centered`, v
    minus the square of the average gradient replaces v after 10 steps. With `amsgrad`, the largest
    value so far is used.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `4e-4`, as in the authors' code.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-15`.
        amsgrad: Boolean. Defaults to `False`.
        centered: Boolean. Defaults to `False`.

    Source: Ziyin et al., 2020, "LaProp: separating momentum and adaptivity in Adam".

    Example:

    >>> model.compile(keras_optlab.optimizers.LaProp(4e-4), loss="mse")
    """

    learning_rate: float = learning_rate(4e-4)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-15, NON_NEGATIVE)
    amsgrad: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    centered: bool = option(False, Boolean(), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT
    decays_in_update = True

    def slots(self, variable: Any) -> dict[str, Slot]:
        slots = {"momentum": Slot(), "velocity": Slot()}
        if self.centered:
            slots["average_gradient"] = Slot(block=1)
        if self.amsgrad:
            slots["velocity_hat"] = Slot(block=2)
        return slots

    def scalars(self) -> dict[str, Scalar]:
        return {"average_rate": Scalar(0.0)}

    def derive(self, h: Values) -> dict[str, Any]:
        a = h.average_rate + (h.learning_rate - h.average_rate) * h.one_minus_beta_1
        return {
            "new_average_rate": a,
            "m_share": h.learning_rate / ops.where(a == 0, ops.ones_like(a), a),
            "v_share": 1 / bias_correction(h.one_minus_beta_2, h.t),
            "is_centered": ops.cast(h.t > STEPS_BEFORE_CENTERED, h.t.dtype),
        }

    def advance(self, state: Values, sums: Values, h: Values) -> dict[str, Any]:
        return {"average_rate": h.new_average_rate}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        new_slots = {"velocity": v}
        if self.centered:
            a = s.average_gradient + (g - s.average_gradient) * h.one_minus_beta_2
            new_slots["average_gradient"] = a
            v = v - h.is_centered * ops.square(a)
        if self.amsgrad:
            largest = maximum(s.velocity_hat, v)
            if self.centered:
                # Only variances count towards the maximum.
                largest = ops.where(h.is_centered > 0, largest, s.velocity_hat)
                v = ops.where(h.is_centered > 0, largest, v)
            else:
                v = largest
            new_slots["velocity_hat"] = largest
        d = g / (ops.sqrt(h.v_share * v) + h.epsilon)
        m = new_slots["momentum"] = (
            s.momentum + (h.learning_rate * d - s.momentum) * h.one_minus_beta_1
        )
        step = h.m_share * m
        if h.decay is not None:
            step = step + (p - step) * h.decay
        return step, new_slots
