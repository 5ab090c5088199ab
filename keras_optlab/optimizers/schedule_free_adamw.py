"""Schedule-free AdamW."""

from typing import Any, ClassVar, final

from keras import ops

from keras_optlab.engine.backend import maximum, minimum
from keras_optlab.engine.domain import DECAY_RATE, NON_NEGATIVE, Integer, Real
from keras_optlab.engine.formula import where
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate, option
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Scalar, Slot


@final
class ScheduleFreeAdamW(Optimizer):
    r"""Adam whose averaged iterate takes the place of a learning-rate schedule.

        η = learning rate · min(1, t / warmup_steps)
        c = w / Σ w,   w = (largest η so far)²
        v ← v + (1 − β₂)(g² − v)
        d = g / (√(v / (1 − β₂ᵗ)) + ε) + λ y
        y ← y + c (z − y) + η (β₁ (1 − c) − 1) d
        z ← z − η d

    Training takes place at y = (1 − β₁) z + β₁ x, where the gradient is taken; the averaged
    point x is the one to evaluate and to keep. `fit`, `evaluate`, `predict` and saved files use
    x without further ado, and going on with `fit` goes on from y. In a training loop of your
    own, call `optimizer.to_evaluation_point()` before you evaluate or save, and
    `optimizer.to_training_point()` before you go on.

    The numbers are those of the authors' package `schedulefree`, to rounding. Keras'
    ScheduleFreeAdamW differs: on TensorFlow and torch it reads z after it was updated (weights
    off by 2e-3, 7 % of the distance travelled, after 30 steps); on all backends it averages
    with 1/t also during warmup, decays y alone, and leaves the variables at y.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.0025`, as in the authors' package.
        beta_1: Float in (0, 1), the place of y between z and x. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        warmup_steps: Integer >= 0. Defaults to `0`.
        weight_decay: Float >= 0, None or a schedule, λ, taken at y and added to the step of
            both y and z. Defaults to `None`.

    Source: Defazio et al., 2024, "The road less scheduled".

    Example:

    >>> model.compile(keras_optlab.optimizers.ScheduleFreeAdamW(0.0025), loss="mse")
    """

    learning_rate: float = learning_rate(0.0025)
    beta_1: float = hyperparameter(
        0.9, Real(0.0, 1.0, open_low=True, open_high=True), complement="exact"
    )
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement="rounded")
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    warmup_steps: int = option(0, Integer(0))

    decays_in_update = True
    parameter_first = True
    usual: ClassVar[dict[str, Any]] = {"is_first": False, "evaluating": 0.0}
    not_lazy = "the average that it evaluates takes in all weights in every step"

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {
            "momentum": Slot(initial=lambda variable: variable, exact=True),
            "velocity": Slot(),
        }

    def scalars(self) -> dict[str, Scalar]:
        return {"largest_rate": Scalar(-1.0), "weight_sum": Scalar(0.0)}

    def advance(self, state: Values, h: Values) -> dict[str, Any]:
        warmup = minimum(h.t / self.warmup_steps, 1.0) if self.warmup_steps else 1.0
        rate = h.learning_rate * warmup
        largest = maximum(rate, state.largest_rate)
        w = ops.square(largest)
        # A state saved by Keras has no sum of weights: it counted all steps alike.
        before = ops.where(state.largest_rate < 0, (h.t - 1) * w, state.weight_sum)
        total = before + w
        c = ops.where(total > 0, w / ops.where(total > 0, total, 1.0), 0.0)
        return {"largest_rate": largest, "weight_sum": total, "rate": rate, "c": c}

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "v_share": 1 / (1 - h.beta_2**h.t),
            "pull": h.rate * (h.beta_1 * (1 - h.c) - 1),
            "is_first": ops.equal(h.t, 1),
        }

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        y = parameter
        # z starts where training does, which may be later than where the optimizer was built.
        z = where(h.is_first, y, slots.momentum)
        v = slots.velocity + (ops.square(gradient) - slots.velocity) * h.one_minus_beta_2
        d = gradient / (ops.sqrt(h.v_share * v) + h.epsilon)
        if h.decay is not None:
            d = d + h.decay * y
        y = y + h.c * (z - y) + h.pull * d
        return y, {"momentum": z - h.rate * d, "velocity": v}

    def evaluation_point(self, parameter: Any, slots: Values, h: Values) -> Any:
        return parameter + (1 - 1 / h.beta_1) * (slots.momentum - parameter)

    def training_point(self, parameter: Any, slots: Values, h: Values) -> Any:
        return parameter + h.one_minus_beta_1 * (slots.momentum - parameter)
