"""NAdamW."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Optimizer,
    Scope,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
)
from keras_optlab.optimizers.bias import bias_correction


@final
class NAdamW(Optimizer):
    r"""AdamW with Nesterov momentum, the baseline of the AlgoPerf benchmark.

        m ← m + (1 − β₁)(g − m)
        v ← v + (1 − β₂)(g² − v)
        m̂ = β₁ m / (1 − β₁ᵗ⁺¹) + (1 − β₁) g / (1 − β₁ᵗ)
        θ ← θ − η m̂ / (√(v / (1 − β₂ᵗ)) + ε) − η λ θ

    This is not Keras' `Nadam`, whose momentum follows a schedule.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`.
        weight_decay: Float >= 0, None or a schedule, λ. Defaults to `1e-4`, as in optax.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.

    Sources: Dozat, 2016; Dahl et al., 2023, "Benchmarking neural network training algorithms"; the
    numbers are those of `optax.nadamw`.

    Example:

    >>> model.compile(keras_optlab.optimizers.NAdamW(1e-3, weight_decay=0.01), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    weight_decay: Any = hyperparameter(1e-4, NON_NEGATIVE, optional=True)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "m_share": h.learning_rate * h.beta_1 / bias_correction(h.one_minus_beta_1, h.t + 1),
            "g_share": h.learning_rate
            * h.one_minus_beta_1
            / bias_correction(h.one_minus_beta_1, h.t),
            "v_share": 1 / bias_correction(h.one_minus_beta_2, h.t),
        }

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        step = (h.m_share * m + h.g_share * g) / (ops.sqrt(h.v_share * v) + h.epsilon)
        return step, {"momentum": m, "velocity": v}
