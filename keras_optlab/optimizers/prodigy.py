"""Prodigy."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Optimizer,
    Real,
    Scalar,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    maximum,
    minimum,
    option,
    sums,
    total,
)
from keras_optlab.optimizers.bias import bias_correction


@final
class Prodigy(Optimizer):
    r"""Adam that finds its learning rate from an estimate d of the distance to the solution.

    The sums run over all variables, θ₀ are the initial weights, and a = d η (with
    `bias_correction`, times Adam's bias correction √(1 − β₂ᵗ) / (1 − β₁ᵗ)):

        r ← β₃ r + (d / d₀) a Σ g (θ₀ − θ)
        s ← β₃ s + (d / d₀) a g                   (d for a with `safeguard_warmup`)
        m ← β₁ m + (1 − β₁) d g
        v ← β₂ v + (1 − β₂) d² g²
        d̂ = c r / Σ |s|,   D ← max(D, d̂)          (D starts as d₀)
        d ← min(D, d · growth_rate)               (D without a `growth_rate`)
        θ ← θ − a (m / (√v + d ε) + λ θ)          (a as above, of the old d)

    The learning rate η multiplies the estimate. It is best left at 1, or decayed from 1 by a
    schedule. While η is 0, only the step count changes.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `1.0`.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. With 0 there is no m. Defaults to
            `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        beta_3: Float in [0, 1), None or a schedule, decay rate of r and s. None means √β₂.
            Defaults to `None`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        initial_d: Float > 0, d₀. Defaults to `1e-6`.
        d_coefficient: Float > 0 or a schedule, c: a factor on the estimate. Defaults to `1.0`.
        growth_rate: Float >= 1, None or a schedule: the largest factor by which d grows in a
            step. None sets no limit. Defaults to `None`.
        bias_correction: Boolean. Defaults to `False`, as in the authors' package.
        safeguard_warmup: Boolean, whether to leave η out of s, for schedules with a warmup.
            Defaults to `False`.

    Source: Mishchenko & Defazio, 2023, "Prodigy: an expeditiously adaptive parameter-free learner".

    Example:

    >>> model.compile(keras_optlab.optimizers.Prodigy(), loss="mse")
    """

    learning_rate: float = learning_rate(1.0)
    beta_1: float = hyperparameter(0.9, DECAY_RATE, off=0.0, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    beta_3: float | None = hyperparameter(None, DECAY_RATE)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    initial_d: float = option(1e-6, POSITIVE)
    d_coefficient: float = hyperparameter(1.0, POSITIVE)
    growth_rate: float | None = hyperparameter(None, Real(1.0))
    bias_correction: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    safeguard_warmup: bool = option(False, Boolean(), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT
    decays_in_update = True
    not_lazy = "its step depends on sums over the whole model"

    def slots(self, variable: Any) -> dict[str, Slot]:
        slots = {"momentum": Slot()} if self.uses("beta_1") else {}
        return slots | {
            "velocity": Slot(),
            "gradient_sum": Slot(),
            "start": Slot(initial=lambda variable: variable, exact=True),
        }

    def scalars(self) -> dict[str, Scalar]:
        return {"d": Scalar(self.initial_d), "d_max": Scalar(self.initial_d), "r": Scalar(0.0)}

    def derive(self, h: Values) -> dict[str, Any]:
        rate = h.d * h.learning_rate
        if self.bias_correction:
            v_share = bias_correction(h.one_minus_beta_2, h.t)
            rate = rate * ops.sqrt(v_share) / bias_correction(h.one_minus_beta_1, h.t)
        # Nothing moves while the learning rate is 0.
        moves = ops.cast(h.learning_rate > 0, h.t.dtype)
        beta_3 = h.beta_3 if self.uses("beta_3") else ops.sqrt(h.beta_2)
        return {
            "rate": rate,
            "g_rate": h.d / self.initial_d * rate,
            "s_rate": h.d / self.initial_d * (h.d if self.safeguard_warmup else rate) * moves,
            "s_share": 1 - moves * (1 - beta_3),
            "r_share": beta_3,
            "moves": moves,
            "old_d": h.d,
            "first_d": ops.full_like(h.d, self.initial_d),
        }

    @sums(over=Scope.MODEL)
    def measure(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the sums from which d is estimated, and the new m, v and s."""
        gradient_sum = h.s_share * s.gradient_sum + h.s_rate * g
        v_share = h.moves * h.one_minus_beta_2
        new_slots = {
            "gradient_sum": gradient_sum,
            "velocity": s.velocity + (ops.square(h.d * g) - s.velocity) * v_share,
        }
        if self.uses("beta_1"):
            m_share = h.moves * h.one_minus_beta_1
            new_slots["momentum"] = s.momentum + (h.d * g - s.momentum) * m_share
        sums = {"progress": total(g * (s.start - p)), "gradient_size": total(ops.abs(gradient_sum))}
        return sums, new_slots

    def advance(self, state: Values, sums: Values, h: Values) -> dict[str, Any]:
        r = h.r_share * state.r + h.g_rate * sums.progress
        found = sums.gradient_size > 0
        size = ops.where(found, sums.gradient_size, ops.ones_like(sums.gradient_size))
        d_hat = h.d_coefficient * r / size
        d_max = maximum(state.d_max, d_hat)
        d = ops.where(ops.equal(state.d, h.first_d), maximum(state.d, d_hat), state.d)
        d = minimum(d_max, d * h.growth_rate) if self.uses("growth_rate") else d_max
        moves = ops.logical_and(found, h.moves > 0)
        new = {"d": d, "d_max": d_max, "r": r}
        return {name: ops.where(moves, x, getattr(state, name)) for name, x in new.items()}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum if self.uses("beta_1") else h.old_d * g
        direction = m / (ops.sqrt(s.velocity) + h.d * h.epsilon)
        if h.decay is not None:
            direction = direction + h.decay * p
        return h.rate * direction, {}
