"""AdaBelief."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Boolean,
    Optimizer,
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
from keras_optlab.optimizers.rectification import rectification


@final
class AdaBelief(Optimizer):
    r"""Adam whose second moment is the variance of the gradient around its moving average.

        m ← m + (1 − β₁)(g − m)
        v ← v + (1 − β₂)((g − m)² − v) + ε
        θ ← θ − η m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε)

    With `rectify`, the default in the authors' package, the step is RAdam's with this v. It uses m
    alone while v is too uncertain to divide by (see `RAdam`), and then

        θ ← θ − η r √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    With `amsgrad`, the largest v so far replaces v, but only without `rectify`, as in the authors'
    package.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the authors' package.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule, added to v in every step and to its root. Defaults to
            `1e-16`.
        amsgrad: Boolean. Defaults to `False`.
        rectify: Boolean. Defaults to `True`.

    Source: Zhuang et al., 2020, "AdaBelief optimizer: adapting stepsizes by the belief in observed
    gradients".

    Example:

    >>> model.compile(keras_optlab.optimizers.AdaBelief(1e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-16, NON_NEGATIVE)
    amsgrad: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    rectify: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        slots = {"momentum": Slot(), "velocity": Slot()}
        if self.amsgrad:
            slots["velocity_hat"] = Slot(block=1)
        return slots

    def derive(self, h: Values) -> dict[str, Any]:
        rate = h.learning_rate / bias_correction(h.one_minus_beta_1, h.t)
        v_bias = bias_correction(h.one_minus_beta_2, h.t)
        if not self.rectify:
            return {"rate": rate, "root": ops.sqrt(v_bias)}
        tractable, r = rectification(h.t, h.one_minus_beta_2)
        zero = ops.zeros_like(rate)
        return {
            "adaptive_rate": ops.where(tractable, rate * r * ops.sqrt(v_bias), zero),
            "plain_rate": ops.where(tractable, zero, rate),
        }

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        v = s.velocity + (ops.square(g - m) - s.velocity) * h.one_minus_beta_2 + h.epsilon
        new_slots = {"momentum": m, "velocity": v}
        largest = v
        if self.amsgrad:
            largest = new_slots["velocity_hat"] = maximum(s.velocity_hat, v)
        if self.rectify:
            step = m * (h.adaptive_rate / (ops.sqrt(v) + h.epsilon) + h.plain_rate)
        else:
            step = h.rate * m / (ops.sqrt(largest) / h.root + h.epsilon)
        return step, new_slots
