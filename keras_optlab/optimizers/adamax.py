"""AdaMax."""

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
    maximum,
)


@final
class Adamax(Optimizer):
    r"""Adam with the infinity norm: steps stay bounded after a spike in the gradient.

        m ← m + (1 − β₁)(g − m)
        u ← max(β₂ u, |g|)
        θ ← θ − η / (1 − β₁ᵗ) · m / (u + ε)

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras; the paper uses 0.002.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of u. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`.

    Source: Kingma & Ba, 2014, Algorithm 2.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adamax(2e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "norm": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        return {"alpha": h.learning_rate / (1 - h.beta_1**h.t)}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        u = maximum(h.beta_2 * s.norm, ops.abs(g))
        return h.alpha * m / (u + h.epsilon), {"momentum": m, "norm": u}
