"""Lamb."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Boolean,
    Optimizer,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    option,
    sums,
    total,
)


@final
class Lamb(Optimizer):
    r"""Adam's direction, scaled for each variable to the norm of its weights.

        m ← m + (1 − β₁)(g − m),  m̂ = m / (1 − β₁ᵗ)
        v ← v + (1 − β₂)(g² − v),  v̂ = v / (1 − β₂ᵗ)
        d = m̂ / (√v̂ + ε)
        θ ← θ − η ‖θ‖ / ‖d‖ · d        (the ratio is 1 where either norm is 0)

    As in Keras, weight decay λ is applied before the step. With `decay_in_direction`, as in the
    paper, d + λ θ replaces d.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`; the paper uses 1e-6.
        decay_in_direction: Boolean. Defaults to `False`; the paper, timm and optax use True.

    Source: You et al., 2020, "Large batch optimization for deep learning".

    Example:

    >>> model.compile(keras_optlab.optimizers.Lamb(2e-3, weight_decay=0.01), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    decay_in_direction: bool = option(False, Boolean(), Section.KEYWORD_ONLY)

    not_lazy = "its step depends on the norm of the whole table"

    # A constant in most classes; here it depends on an argument.
    @property
    def decays_in_update(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.decay_in_direction

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        return {"m_share": 1 / (1 - h.beta_1**h.t), "v_share": 1 / (1 - h.beta_2**h.t)}

    @sums()
    def moments(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the new m and v, and the squared norms of the weights and the direction."""
        m = s.momentum + (g - s.momentum) * h.one_minus_beta_1
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        d_square = total(ops.square(self.direction(m, v, p, h)))
        norms = {"parameter_square": total(ops.square(p)), "d_square": d_square}
        return norms, {"momentum": m, "velocity": v}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        usable = ops.logical_and(h.parameter_square > 0, h.d_square > 0)
        d_norm = ops.sqrt(ops.where(usable, h.d_square, 1.0))
        ratio = ops.where(usable, ops.sqrt(h.parameter_square) / d_norm, 1.0)
        return ratio * h.learning_rate * self.direction(s.momentum, s.velocity, p, h), {}

    def direction(self, m: Any, v: Any, p: Any, h: Values) -> Any:
        """Return Adam's direction d, plus the weight decay with `decay_in_direction`."""
        d = h.m_share * m / (ops.sqrt(h.v_share * v) + h.epsilon)
        return d + h.decay * p if self.decay_in_direction and h.decay is not None else d
