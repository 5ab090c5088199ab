"""Adan."""

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
    option,
)
from keras_optlab.optimizers.bias import bias_correction


@final
class Adan(Optimizer):
    r"""Adaptive Nesterov momentum, with the difference of successive gradients.

        d = g − g of the step before (0 in the first)
        m ← m + (1 − β₁)(g − m)
        u ← u + (1 − β₂)(d − u)
        v ← v + (1 − β₃)((g + β₂ d)² − v)
        θ ← (θ − η (m / (1 − β₁ᵗ) + β₂ u / (1 − β₂ᵗ)) / (√(v / (1 − β₃ᵗ)) + ε)) / (1 + η λ)

    The betas are decay rates, as in the authors' code; the paper's are one minus these. With
    `proximal_weight_decay=False`, the weights are multiplied by 1 − η λ before the step. With
    `global_clipnorm`, ε is added to the global norm of the gradients, as in the authors' code.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the authors' code; use 5 to 10 times Adam's rate.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.98`.
        beta_2: Float in [0, 1) or a schedule, decay rate of u. Defaults to `0.92`.
        beta_3: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.99`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        proximal_weight_decay: Boolean. Defaults to `True`.

    Source: Xie et al., 2022, "Adan: adaptive Nesterov momentum algorithm for faster optimizing
    deep models".

    Example:

    >>> model.compile(keras_optlab.optimizers.Adan(5e-3, weight_decay=0.02), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.98, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.92, DECAY_RATE, complement=True)
    beta_3: float = hyperparameter(0.99, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    proximal_weight_decay: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT
    decays_in_update = True
    global_clip_epsilon = "epsilon"

    def slots(self, variable: Any) -> dict[str, Slot]:
        names = ("momentum", "difference", "velocity", "previous_gradient")
        return {name: Slot() for name in names}

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "m_share": h.learning_rate / bias_correction(h.one_minus_beta_1, h.t),
            "u_share": h.learning_rate * h.beta_2 / bias_correction(h.one_minus_beta_2, h.t),
            "v_share": 1 / bias_correction(h.one_minus_beta_3, h.t),
            "has_previous": ops.cast(h.t > 1, h.t.dtype),
        }

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        d = (g - s.previous_gradient) * h.has_previous
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        u = s.difference + (d - s.difference) * h.one_minus_beta_2
        v = s.velocity + (ops.square(g + h.beta_2 * d) - s.velocity) * h.one_minus_beta_3
        step = (h.m_share * m + h.u_share * u) / (ops.sqrt(h.v_share * v) + h.epsilon)
        if h.decay is not None:
            decay = h.learning_rate * h.decay
            step = step + decay * p
            if self.proximal_weight_decay:
                step = step / (1 + decay)
        return step, {"momentum": m, "difference": u, "velocity": v, "previous_gradient": g}
