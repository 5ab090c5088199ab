"""Gradient descent with momentum and Nesterov's accelerated gradient."""

from typing import Any, final

from keras_optlab.engine.declaration import Section
from keras_optlab.engine.domain import FRACTION, Boolean
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate, option
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class SGD(Optimizer):
    r"""Gradient descent, with momentum and Nesterov's accelerated gradient.

    Without momentum:           θ ← θ − η g
    With momentum β:            v ← β v − η g;  θ ← θ + v
    With `nesterov`:            v ← β v − η g;  θ ← θ + β v − η g

    With `learning_rate_in_velocity=False`, as PyTorch has it:

    With momentum β:            v ← β v + g;  θ ← θ − η v
    With `nesterov`:            v ← β v + g;  θ ← θ − η (g + β v)

    The two differ as soon as η changes: the first keeps the steps taken, the second rescales
    them all at once. `nesterov` is the method whose gradient is taken at the look-ahead point
    θ + β v, written in the coordinates of that point.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.01`, as in Keras.
        momentum: Float in [0, 1] or a schedule. 0 keeps no velocity, and cannot be raised
            once the optimizer is built. Defaults to `0.0`.
        nesterov: Boolean. Defaults to `False`.
        learning_rate_in_velocity: Boolean, whether η stands inside the velocity (Keras) or
            outside (PyTorch). Defaults to `True`.

    Sources: Polyak, 1964 (momentum); Nesterov, 1983; Sutskever et al., 2013 (the form here).

    Example:

    >>> optimizer = keras_optlab.optimizers.SGD(0.1, momentum=0.9)
    >>> weight = keras.Variable([1.0])
    >>> optimizer.apply([keras.ops.ones(1)], [weight])
    >>> float(weight[0])
    0.8999999761581421
    """

    learning_rate: float = learning_rate(0.01)
    momentum: float = hyperparameter(0.0, FRACTION, off=0.0, cast_by_keras=True)
    nesterov: bool = option(False, Boolean())
    learning_rate_in_velocity: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    def rests_at_zero(self) -> bool:
        return not self.uses("momentum")

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot()} if self.uses("momentum") else {}

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        if not self.uses("momentum"):
            return parameter - h.learning_rate * gradient, {}
        if self.learning_rate_in_velocity:
            step = h.learning_rate * gradient
            v = h.momentum * slots.momentum - step
            change = h.momentum * v - step if self.nesterov else v
        else:
            v = h.momentum * slots.momentum + gradient
            change = -h.learning_rate * (gradient + h.momentum * v if self.nesterov else v)
        return parameter + change, {"momentum": v}
