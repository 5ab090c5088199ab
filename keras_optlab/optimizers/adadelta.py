"""Adadelta."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    FRACTION,
    NON_NEGATIVE,
    Optimizer,
    Scope,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
)


@final
class Adadelta(Optimizer):
    r"""Steps in the units of the parameters, from averages of squared gradients and steps.

        s ← ρ s + (1 − ρ) g²
        d = −√(u + ε) / √(s + ε) · g
        u ← ρ u + (1 − ρ) d²
        θ ← θ + η d

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in Keras; the paper has none, which corresponds to `1.0`.
        rho: Float in [0, 1] or a schedule, decay rate of s and u. Defaults to `0.95`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`, as in Keras.

    Source: Zeiler, 2012.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adadelta(1.0), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    rho: float = hyperparameter(0.95, FRACTION, complement=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"accumulated_grad": Slot(), "accumulated_delta_var": Slot()}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        a = h.rho * s.accumulated_grad + h.one_minus_rho * ops.square(g)
        u = s.accumulated_delta_var
        d = ops.sqrt(u + h.epsilon) * g / ops.sqrt(a + h.epsilon)
        u = h.rho * u + h.one_minus_rho * ops.square(d)
        return h.learning_rate * d, {"accumulated_grad": a, "accumulated_delta_var": u}
