"""Schedule-free AdamW."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.averaging import averaged, averaging_scalars, averaging_weight
from keras_optlab.optimizers.base import (
    DECAY_RATE,
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
from keras_optlab.optimizers.bias import bias_correction


@final
class ScheduleFreeAdamW(Optimizer):
    r"""Adam with an averaged iterate instead of a learning-rate schedule.

        η = learning rate · min(1, t / warmup_steps)
        c = w / Σ w,   w = tʳ (largest η so far)ᵏ
        v ← v + (1 − β₂)(g² − v)
        d = g / (√(v / (1 − β₂ᵗ)) + ε) + λ y
        y ← y + c (z − y) + η (β₁ (1 − c) − 1) d
        z ← z − η d

    Training takes place at y = (1 − β₁) z + β₁ x, where gradients are computed; the averaged
    point x is the one to evaluate and to keep. `fit`, `evaluate`, `predict` and saved files use
    x automatically, and the next `fit` continues from y. In a custom training loop, call
    `optimizer.to_evaluation_point()` before evaluating or saving, and
    `optimizer.to_training_point()` before training again.

    The numbers match the authors' package `schedulefree` up to rounding. Keras'
    ScheduleFreeAdamW differs: on TensorFlow and torch it reads z after it was updated (after 30
    steps, weights are off by 2e-3, 7 % of the distance travelled); on all backends it averages
    with 1/t even during warmup, decays only y, and leaves the variables at y.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.0025`, as in the authors' package.
        beta_1: Float in (0, 1), the position of y between z and x. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        warmup_steps: Integer >= 0. Defaults to `0`.
        polynomial_power: Float >= 0 or a schedule, r. Defaults to `0.0`.
        rate_power: Float >= 0 or a schedule, k. Defaults to `2.0`.
        weight_decay: Float >= 0, None or a schedule, λ, computed at y and added to the steps of
            both y and z. Defaults to `None`.

    Source: Defazio et al., 2024, "The road less scheduled".

    Example:

    >>> model.compile(keras_optlab.optimizers.ScheduleFreeAdamW(0.0025), loss="mse")
    """

    learning_rate: float = learning_rate(0.0025)
    beta_1: float = hyperparameter(
        0.9, Real(0.0, 1.0, open_low=True, open_high=True), complement=True
    )
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    warmup_steps: int = option(0, Integer(0))
    polynomial_power: float = hyperparameter(0.0, NON_NEGATIVE, Section.KEYWORD_ONLY)
    rate_power: float = hyperparameter(2.0, NON_NEGATIVE, Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT
    decays_in_update = True
    not_lazy = "averaging changes all weights in every step"

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {
            "momentum": Slot(initial=lambda variable: variable, exact=True),
            "velocity": Slot(),
        }

    def scalars(self) -> dict[str, Scalar]:
        return averaging_scalars()

    def derive(self, h: Values) -> dict[str, Any]:
        weight = averaging_weight(h, self.warmup_steps)
        return {
            **weight,
            "v_share": 1 / bias_correction(h.one_minus_beta_2, h.t),
            "pull": weight["rate"] * (h.beta_1 * (1 - weight["c"]) - 1),
        }

    def advance(self, state: Values, sums: Values, h: Values) -> dict[str, Any]:
        return averaged(h)

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        z = s.momentum
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_beta_2
        d = g / (ops.sqrt(h.v_share * v) + h.epsilon)
        if h.decay is not None:
            d = d + h.decay * p
        step = h.c * (p - z) - h.pull * d
        return step, {"momentum": z - h.rate * d, "velocity": v}

    def evaluation_point(self, p: Any, s: Values, h: Values) -> Any:
        return p + (1 - 1 / h.beta_1) * (s.momentum - p)

    def training_point(self, p: Any, s: Values, h: Values) -> Any:
        return p + h.one_minus_beta_1 * (s.momentum - p)
