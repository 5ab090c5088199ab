"""Lion."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    FRACTION,
    Optimizer,
    Real,
    Scope,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
)


@final
class Lion(Optimizer):
    r"""The sign of an interpolated momentum, found by program search.

        θ ← θ − η sign(β₁ m + (1 − β₁) g)
        m ← β₂ m + (1 − β₂) g

    Each weight moves by η, whatever its gradient. Use an η 3 to 10 times smaller than for AdamW,
    and a `weight_decay` larger by the same factor.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras.
        beta_1: Float in (0, 1] or a schedule, weight of m in the step. Defaults to `0.9`.
        beta_2: Float in [0, 1] or a schedule, decay rate of m. Defaults to `0.99`.

    Source: Chen et al., 2023, "Symbolic discovery of optimization algorithms".

    Example:

    >>> model.compile(keras_optlab.optimizers.Lion(1e-4, weight_decay=0.1), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_1: float = hyperparameter(
        0.9,
        Real(0.0, 1.0, open_low=True),
        complement=True,
        keras_says="Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer "
        "degenerates to SignSGD.",
    )
    beta_2: float = hyperparameter(0.99, FRACTION, complement=True)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot()}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        direction = ops.sign(h.beta_1 * s.momentum + h.one_minus_beta_1 * g)
        m = h.beta_2 * s.momentum + h.one_minus_beta_2 * g
        return h.learning_rate * direction, {"momentum": m}
