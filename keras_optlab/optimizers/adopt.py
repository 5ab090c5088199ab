"""ADOPT."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    POSITIVE,
    Optimizer,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    maximum,
    minimum,
)


@final
class ADOPT(Optimizer):
    r"""Adam that converges with any β₂: it normalizes first, by the v of the previous step.

        t = 1:  v ← g²
        t > 1:  d = clip(g / max(√v, ε), ± c (t − 1)^q)
                m ← m + (1 − β₁)(d − m)
                θ ← θ − η m
                v ← v + (1 − β₂)(g² − v)

    The first step only initializes v: the weights are neither updated nor decayed, and m does not
    change.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the authors' code.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.9999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-6`.
        clip_scale: Float > 0, a schedule or None, c. None disables clipping, as in the first
            version of the paper. Defaults to `1.0`.
        clip_exponent: Float >= 0 or a schedule, q. Defaults to `0.25`.

    Source: Taniguchi et al., 2024, "ADOPT: modified Adam can converge with any β₂ with the
    optimal rate" (version 2).

    Example:

    >>> model.compile(keras_optlab.optimizers.ADOPT(1e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.9999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-6, NON_NEGATIVE)
    clip_scale: float | None = hyperparameter(1.0, POSITIVE, Section.KEYWORD_ONLY, optional=True)
    clip_exponent: float = hyperparameter(0.25, NON_NEGATIVE, Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT
    decays_in_update = True

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        moves = ops.cast(h.t > 1, h.t.dtype)
        derived = {
            "rate": h.learning_rate * moves,
            "m_share": h.one_minus_beta_1 * moves,
            "v_share": moves * h.one_minus_beta_2 + (1 - moves),
        }
        if self.uses("clip_scale"):
            derived["limit"] = h.clip_scale * (h.t - 1) ** h.clip_exponent
        return derived

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        d = g / maximum(ops.sqrt(s.velocity), h.epsilon)
        if self.uses("clip_scale"):
            d = minimum(maximum(d, -h.limit), h.limit)
        m = s.momentum + (d - s.momentum) * h.m_share
        v = s.velocity + (ops.square(g) - s.velocity) * h.v_share
        step = h.rate * (m if h.decay is None else m + h.decay * p)
        return step, {"momentum": m, "velocity": v}
