"""Lion."""

from typing import Any, final

from keras import ops

from keras_optlab.engine.domain import FRACTION, Real
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class Lion(Optimizer):
    r"""The sign of an interpolated momentum, found by program search.

        θ ← θ − η sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g

    Each weight moves by η whatever its gradient: take η 3 to 10 times smaller than for AdamW,
    and `weight_decay` as many times larger.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras.
        beta_1: Float in (0, 1] or a schedule, share of m in the step. Defaults to `0.9`.
        beta_2: Float in [0, 1] or a schedule, decay rate of m. Defaults to `0.99`.

    Source: Chen et al., 2023, "Symbolic discovery of optimization algorithms".

    Example:

    >>> model.compile(keras_optlab.optimizers.Lion(1e-4, weight_decay=0.1), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(
        0.9, Real(0.0, 1.0, open_low=True), complement="rounded", cast_by_keras=True
    )
    beta_2: float = hyperparameter(0.99, FRACTION, complement="rounded", cast_by_keras=True)

    parameter_first = True

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot()}

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        m = slots.momentum
        direction = ops.sign(h.beta_1 * m + h.one_minus_beta_1 * gradient)
        m = h.beta_2 * m + h.one_minus_beta_2 * gradient
        return parameter - h.learning_rate * direction, {"momentum": m}
