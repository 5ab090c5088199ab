"""LARS."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Optimizer,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    minimum,
    option,
    sums,
    total,
)


@final
class LARS(Optimizer):
    r"""Momentum with a rate scaled for each variable by the norms of its weights and gradient.

        q = τ ‖θ‖ / (‖g‖ + λ ‖θ‖ + ε)           (1 where either norm is 0)
        v ← β v + (1 − d) q (g + λ θ)            (in the first step without 1 − d)
        θ ← θ − η v                              (with `nesterov`: q (g + λ θ) + β v for v)

    With `always_adapt=False`, as in timm, q is 1 for variables without weight decay λ: typically
    biases and scales (see `exclude_from_weight_decay`), and all variables if there is no decay.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `1.0`.
        momentum: Float in [0, 1] or a schedule, β. Defaults to `0.9`, as in the paper.
        trust_coefficient: Float > 0 or a schedule, τ. Defaults to `0.001`, as in the paper.
        dampening: Float in [0, 1] or a schedule, d. Defaults to `0.0`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        nesterov: Boolean. Defaults to `False`.
        trust_clip: Boolean, whether q is capped at the learning rate, then divided by it (LARC).
            Defaults to `False`.
        always_adapt: Boolean. Defaults to `True`; timm uses False.

    Sources: You et al., 2017, "Large batch training of convolutional networks"; the numbers are
    those of timm's `Lars`.

    Example:

    >>> model.compile(keras_optlab.optimizers.LARS(0.5, weight_decay=1e-4), loss="mse")
    """

    learning_rate: float = learning_rate(1.0)
    momentum: float = hyperparameter(0.9, FRACTION)
    trust_coefficient: float = hyperparameter(0.001, POSITIVE)
    dampening: float = hyperparameter(0.0, FRACTION)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    nesterov: bool = option(False, Boolean())
    trust_clip: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    always_adapt: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    decays_in_update = True
    not_lazy = "its step depends on the norm of the whole table"

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        return {"g_share": ops.where(h.t > 1, 1 - h.dampening, ops.ones_like(h.dampening))}

    @sums()
    def norms(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the squared norms of the weights and the gradient."""
        return {"p_square": total(ops.square(p)), "g_square": total(ops.square(g))}, {}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        d = g if h.decay is None else g + h.decay * p
        if h.decay is not None or self.always_adapt:
            d = d * self.trust(h)
        v = h.momentum * s.momentum + h.g_share * d
        return h.learning_rate * (d + h.momentum * v if self.nesterov else v), {"momentum": v}

    def trust(self, h: Values) -> Any:
        """Return the trust ratio q."""
        p_norm, g_norm = ops.sqrt(h.p_square), ops.sqrt(h.g_square)
        one = ops.ones_like(p_norm)
        decayed = 0.0 if h.decay is None else p_norm * h.decay
        ratio = h.trust_coefficient * p_norm / (g_norm + decayed + h.epsilon)
        ratio = ops.where(ops.logical_and(p_norm > 0, g_norm > 0), ratio, one)
        return minimum(ratio / h.learning_rate, one) if self.trust_clip else ratio
