"""Adam and its bounded form AMSGrad."""

from typing import Any, final

from keras import ops

from keras_optlab.engine.backend import maximum
from keras_optlab.engine.declaration import Section
from keras_optlab.engine.domain import DECAY_RATE, NON_NEGATIVE, Boolean, Choice
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate, option
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class Adam(Optimizer):
    r"""Adaptive moment estimation.

        m ← m + (1 − β₁)(g − m)
        v ← v + (1 − β₂)(g² − v)
        θ ← θ − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε)

    This is the form before Section 2.1 of the paper ("ε hat"), which Keras uses. The other
    forms of `bias_correction`:

        "algorithm_1":  θ ← θ − η m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
        "none":         θ ← θ − η m / (√v + ε)

    With `amsgrad`, the largest v so far stands in place of v.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the paper.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`, as in Keras; the paper and
            PyTorch take 1e-8.
        amsgrad: Boolean. Defaults to `False`.
        bias_correction: `"epsilon_hat"`, `"algorithm_1"` (PyTorch, optax) or `"none"`.

    Sources: Kingma & Ba, 2014; Reddi et al., 2018 (AMSGrad).

    Example:

    >>> model.compile(keras_optlab.optimizers.Adam(1e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement="exact", cast_by_keras=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement="exact", cast_by_keras=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    amsgrad: bool = option(False, Boolean())
    bias_correction: str = option(
        "epsilon_hat", Choice(("epsilon_hat", "algorithm_1", "none")), Section.KEYWORD_ONLY
    )

    def slots(self, variable: Any) -> dict[str, Slot]:
        slots = {"momentum": Slot(), "velocity": Slot()}
        if self.amsgrad:
            slots["velocity_hat"] = Slot(block=1)
        return slots

    def derive(self, h: Values) -> dict[str, Any]:
        if self.bias_correction == "none":
            return {"alpha": h.learning_rate, "epsilon_hat": h.epsilon}
        root = ops.sqrt(1 - h.beta_2**h.t)
        alpha = h.learning_rate * root / (1 - h.beta_1**h.t)
        # √v̂ + ε = (√v + ε √(1 − β₂ᵗ)) / √(1 − β₂ᵗ)
        scale = root if self.bias_correction == "algorithm_1" else 1.0
        return {"alpha": alpha, "epsilon_hat": h.epsilon * scale}

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        m = slots.momentum + (gradient - slots.momentum) * h.one_minus_beta_1
        v = slots.velocity + (ops.square(gradient) - slots.velocity) * h.one_minus_beta_2
        new_slots = {"momentum": m, "velocity": v}
        if self.amsgrad:
            v = new_slots["velocity_hat"] = maximum(slots.velocity_hat, v)
        return parameter - m * h.alpha / (ops.sqrt(v) + h.epsilon_hat), new_slots
