"""MARS."""

from functools import cached_property
from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Algorithm,
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
    sums,
    total,
)
from keras_optlab.optimizers.bias import bias_correction


@final
class MARS(Optimizer):
    r"""AdamW with variance-reduced gradients, corrected by the gradient of the previous step.

    Matrices:

        c = g + γ β₁ / (1 − β₁) (g − g of the step before)
        c ← c / max(1, ‖c‖)
        m ← m + (1 − β₁)(c − m),   v ← v + (1 − β₂)(c² − v)
        θ ← θ − η (m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε) + λ θ)

    All other variables are updated by AdamW with `beta_1_1d`, `beta_2_1d`, `weight_decay_1d` and
    the rate η `learning_rate_ratio_1d`; with `optimize_1d`, they are treated like matrices. This is
    the AdamW form of MARS, in the approximation that takes the previous gradient from the previous
    batch.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.003`, as in the authors' code.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.95`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.99`.
        gamma: Float >= 0 or a schedule, γ. Defaults to `0.025`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        amsgrad: Boolean, whether the largest v so far replaces v. Defaults to `False`.
        optimize_1d: Boolean. Defaults to `False`.
        learning_rate_ratio_1d: Float >= 0 or a schedule. Defaults to `1.0`.
        beta_1_1d: Float in [0, 1) or a schedule. Defaults to `0.9`.
        beta_2_1d: Float in [0, 1) or a schedule. Defaults to `0.95`.
        weight_decay_1d: Float >= 0, None or a schedule. Defaults to `0.1`.

    Source: Yuan et al., 2024, "MARS: unleashing the power of variance reduction for training large
    models".

    Example:

    >>> model.compile(keras_optlab.optimizers.MARS(3e-3, weight_decay=0.01), loss="mse")
    """

    learning_rate: float = learning_rate(0.003)
    beta_1: float = hyperparameter(0.95, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.99, DECAY_RATE, complement=True)
    gamma: float = hyperparameter(0.025, NON_NEGATIVE)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    amsgrad: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    optimize_1d: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    learning_rate_ratio_1d: float = hyperparameter(1.0, NON_NEGATIVE, Section.KEYWORD_ONLY)
    beta_1_1d: float = hyperparameter(0.9, DECAY_RATE, Section.KEYWORD_ONLY, complement=True)
    beta_2_1d: float = hyperparameter(0.95, DECAY_RATE, Section.KEYWORD_ONLY, complement=True)
    weight_decay_1d: float | None = hyperparameter(
        0.1, NON_NEGATIVE, Section.KEYWORD_ONLY, optional=True
    )

    decays_in_update = True
    not_lazy = "it divides by the norm of the whole table"

    def route(self, variable: Any) -> Algorithm:
        return self if self.optimize_1d or len(variable.shape) == 2 else self.others

    @cached_property
    def others(self) -> Algorithm:
        """The algorithm for all variables that are not matrices."""
        return FallbackAdamW(self.amsgrad)

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {**slots_of_adamw(self.amsgrad), "previous_gradient": Slot(block=2)}

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "excess": h.gamma * h.beta_1 / h.one_minus_beta_1,
            "m_share": 1 / bias_correction(h.one_minus_beta_1, h.t),
            "v_share": 1 / bias_correction(h.one_minus_beta_2, h.t),
        }

    @sums()
    def norm(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the squared norm of the corrected gradient."""
        return {"c_square": total(ops.square(self.corrected(g, s, h)))}, {}

    def corrected(self, g: Any, s: Values, h: Values) -> Any:
        """Return the gradient plus its scaled change since the previous step."""
        return g + h.excess * (g - s.previous_gradient)

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        c = self.corrected(g, s, h) / maximum(ops.sqrt(h.c_square), 1.0)
        m = s.momentum + (c - s.momentum) * h.one_minus_beta_1
        v = s.velocity + (ops.square(c) - s.velocity) * h.one_minus_beta_2
        step, new_slots = step_of_adamw(m, v, p, s, h.learning_rate, h, self.amsgrad)
        return step, {**new_slots, "previous_gradient": g}


@final
class FallbackAdamW(Algorithm):
    """AdamW as MARS applies it to all variables that are not matrices.

    Args:
        amsgrad: As in `MARS`.
    """

    scope = Scope.ELEMENT
    decay_hyperparameter = "weight_decay_1d"
    decays_in_update = True

    def __init__(self, amsgrad: bool) -> None:
        self.amsgrad = amsgrad

    def slots(self, variable: Any) -> dict[str, Slot]:
        return slots_of_adamw(self.amsgrad)

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "rate": h.learning_rate * h.learning_rate_ratio_1d,
            "m_share": 1 / bias_correction(h.one_minus_beta_1_1d, h.t),
            "v_share": 1 / bias_correction(h.one_minus_beta_2_1d, h.t),
        }

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1_1d
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2_1d
        return step_of_adamw(m, v, p, s, h.rate, h, self.amsgrad)


def slots_of_adamw(amsgrad: bool) -> dict[str, Slot]:
    """Return the slots m and v, and with `amsgrad` the largest v."""
    slots = {"momentum": Slot(), "velocity": Slot()}
    return slots | ({"velocity_hat": Slot(block=1)} if amsgrad else {})


def step_of_adamw(
    m: Any, v: Any, p: Any, s: Values, rate: Any, h: Values, amsgrad: bool
) -> tuple[Any, dict[str, Any]]:
    """Return AdamW's step from the new m and v, and the new slots."""
    new_slots = {"momentum": m, "velocity": v}
    if amsgrad:
        v = new_slots["velocity_hat"] = maximum(s.velocity_hat, v)
    step = rate * h.m_share * m / (ops.sqrt(h.v_share * v) + h.epsilon)
    return (step if h.decay is None else step + rate * h.decay * p), new_slots
