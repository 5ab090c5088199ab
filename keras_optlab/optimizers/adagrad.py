"""Adagrad."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    NON_NEGATIVE,
    Boolean,
    Optimizer,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    option,
)


@final
class Adagrad(Optimizer):
    r"""Steps divided by the root of the sum of all squared gradients so far.

        a ← a + g²
        θ ← θ − η g / √(a + ε)

    With `epsilon_inside_root=False`, as in the paper and PyTorch, typically together with
    `initial_accumulator_value=0.0`:

        θ ← θ − η g / (√a + ε)

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras; the paper's experiments use 0.01 and more.
        initial_accumulator_value: Float >= 0, initial value of a. Defaults to `0.1`, as in
            Keras.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`.
        epsilon_inside_root: Boolean. Defaults to `True`.

    Source: Duchi et al., 2011.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adagrad(0.05), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    initial_accumulator_value: float = option(0.1, NON_NEGATIVE)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    epsilon_inside_root: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT

    def rests_at_zero(self) -> bool:
        return True

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"accumulator": Slot(self.initial_accumulator_value)}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        a = s.accumulator + ops.square(g)
        root = ops.sqrt(a + h.epsilon) if self.epsilon_inside_root else ops.sqrt(a) + h.epsilon
        return h.learning_rate * g / root, {"accumulator": a}
