"""Adam and its bounded form AMSGrad."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Boolean,
    Choice,
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


@final
class Adam(Optimizer):
    r"""Adaptive moment estimation.

        m ← m + (1 − β₁)(g − m)
        v ← v + (1 − β₂)(g² − v)
        θ ← θ − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    This form, given just before Section 2.1 of the paper ("ε hat"), is the one that Keras uses.
    The other forms of `bias_correction`:

        "algorithm_1":  θ ← θ − η m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
        "none":         θ ← θ − η m / (√v + ε)

    With `amsgrad`, the largest v so far replaces v.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the paper.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`, as in Keras; the paper and
            PyTorch use 1e-8.
        amsgrad: Boolean. Defaults to `False`.
        bias_correction: `"epsilon_hat"`, `"algorithm_1"` (PyTorch, optax) or `"none"`. Defaults to
            `"epsilon_hat"`.

    Sources: Kingma & Ba, 2014; Reddi et al., 2018 (AMSGrad).

    Example:

    >>> model.compile(keras_optlab.optimizers.Adam(1e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    amsgrad: bool = option(False, Boolean())
    bias_correction: str = option(
        "epsilon_hat", Choice(("epsilon_hat", "algorithm_1", "none")), Section.KEYWORD_ONLY
    )

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        slots = {"momentum": Slot(), "velocity": Slot()}
        if self.amsgrad:
            slots["velocity_hat"] = Slot(block=1)
        return slots

    def derive(self, h: Values) -> dict[str, Any]:
        if self.bias_correction == "none":
            return {"alpha": h.learning_rate, "epsilon_hat": h.epsilon}
        if self.bias_correction == "algorithm_1":
            # √v̂ + ε = (√v + ε √(1 − β₂ᵗ)) / √(1 − β₂ᵗ)
            root = ops.sqrt(bias_correction(h.one_minus_beta_2, h.t))
            alpha = h.learning_rate * root / bias_correction(h.one_minus_beta_1, h.t)
            return {"alpha": alpha, "epsilon_hat": h.epsilon * root}
        root = ops.sqrt(1 - h.beta_2**h.t)
        alpha = h.learning_rate * root / (1 - h.beta_1**h.t)
        return {"alpha": alpha, "epsilon_hat": h.epsilon}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        new_slots = {"momentum": m, "velocity": v}
        if self.amsgrad:
            v = new_slots["velocity_hat"] = maximum(s.velocity_hat, v)
        return m * h.alpha / (ops.sqrt(v) + h.epsilon_hat), new_slots
