"""Schedule-free gradient descent."""

from typing import Any, final

from keras_optlab.optimizers.averaging import averaged, averaging_scalars, averaging_weight
from keras_optlab.optimizers.base import (
    NON_NEGATIVE,
    Integer,
    Optimizer,
    Real,
    Scalar,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    option,
)


@final
class ScheduleFreeSGD(Optimizer):
    r"""Gradient descent with an averaged iterate instead of a learning-rate schedule.

        η = learning rate · min(1, t / warmup_steps)
        c = w / Σ w,   w = tʳ (largest η so far)ᵏ
        d = g + λ y
        y ← y + c (z − y) + η (β (1 − c) − 1) d
        z ← z − η d

    Training takes place at y, where gradients are computed; the averaged point
    x = y + (1 − 1/β)(z − y) is the one to evaluate and to keep. `fit`, `evaluate`, `predict` and
    saved files use x automatically; see `ScheduleFreeAdamW` for custom loops.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `1.0`, as in the authors' package; use 10 to 50 times the rate of SGD with
            momentum.
        momentum: Float in (0, 1), β, the position of y between z and x. Defaults to `0.9`.
        warmup_steps: Integer >= 0. Defaults to `0`.
        polynomial_power: Float >= 0 or a schedule, r. Defaults to `0.0`.
        rate_power: Float >= 0 or a schedule, k. Defaults to `2.0`.

    Source: Defazio et al., 2024, "The road less scheduled".

    Example:

    >>> model.compile(keras_optlab.optimizers.ScheduleFreeSGD(1.0), loss="mse")
    """

    learning_rate: float = learning_rate(1.0)
    momentum: float = hyperparameter(
        0.9, Real(0.0, 1.0, open_low=True, open_high=True), complement=True
    )
    warmup_steps: int = option(0, Integer(0))
    polynomial_power: float = hyperparameter(0.0, NON_NEGATIVE, Section.KEYWORD_ONLY)
    rate_power: float = hyperparameter(2.0, NON_NEGATIVE, Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT
    decays_in_update = True
    not_lazy = "averaging changes all weights in every step"

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"base_point": Slot(initial=lambda variable: variable, exact=True)}

    def scalars(self) -> dict[str, Scalar]:
        return averaging_scalars()

    def derive(self, h: Values) -> dict[str, Any]:
        weight = averaging_weight(h, self.warmup_steps)
        pull = weight["rate"] * (h.momentum * (1 - weight["c"]) - 1)
        return {**weight, "pull": pull}

    def advance(self, state: Values, sums: Values, h: Values) -> dict[str, Any]:
        return averaged(h)

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        z = s.base_point
        d = g if h.decay is None else g + h.decay * p
        return h.c * (p - z) - h.pull * d, {"base_point": z - h.rate * d}

    def evaluation_point(self, p: Any, s: Values, h: Values) -> Any:
        return p + (1 - 1 / h.momentum) * (s.base_point - p)

    def training_point(self, p: Any, s: Values, h: Values) -> Any:
        return p + h.one_minus_momentum * (s.base_point - p)
