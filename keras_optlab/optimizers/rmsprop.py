"""RMSprop."""

from typing import Any, final

from keras import ops

from keras_optlab.engine.declaration import Section
from keras_optlab.engine.domain import FRACTION, NON_NEGATIVE, Boolean
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate, option
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class RMSprop(Optimizer):
    r"""Steps divided by the root of a moving average of squared gradients.

        s ← ρ s + (1 − ρ) g²
        θ ← θ − η g / √(s + ε)

    With `centered`, an estimate of the variance takes the place of s under the root:

        a ← ρ a + (1 − ρ) g,   s − a²

    With momentum β:  m ← β m + η g / √(s + ε);  θ ← θ − m

    With `epsilon_inside_root=False`, as PyTorch: η g / (√s + ε). `epsilon=0.0` is the form
    without ε.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the lecture.
        rho: Float in [0, 1] or a schedule, decay rate of s. Defaults to `0.9`.
        momentum: Float in [0, 1] or a schedule. 0 keeps no slot, and cannot be raised once the
            optimizer is built. Defaults to `0.0`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`.
        centered: Boolean. Defaults to `False`.
        epsilon_inside_root: Boolean. Defaults to `True`.

    Sources: Tieleman & Hinton, 2012 (Coursera, lecture 6.5); Graves, 2013 (centered).

    Example:

    >>> model.compile(keras_optlab.optimizers.RMSprop(1e-3, momentum=0.9), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    rho: float = hyperparameter(0.9, FRACTION, complement="exact")
    momentum: float = hyperparameter(0.0, FRACTION, off=0.0)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    centered: bool = option(False, Boolean())
    epsilon_inside_root: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    def slots(self, variable: Any) -> dict[str, Slot]:
        slots = {"velocity": Slot()}
        if self.uses("momentum"):
            slots["momentum"] = Slot(block=1)
        if self.centered:
            slots["average_gradient"] = Slot(block=2)
        return slots

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        s = h.rho * slots.velocity + h.one_minus_rho * ops.square(gradient)
        new_slots = {"velocity": s}
        if self.centered:
            a = h.rho * slots.average_gradient + h.one_minus_rho * gradient
            new_slots["average_gradient"] = a
            s = s - ops.square(a)
        root = ops.sqrt(s + h.epsilon) if self.epsilon_inside_root else ops.sqrt(s) + h.epsilon
        step = h.learning_rate * gradient / root
        if self.uses("momentum"):
            step = new_slots["momentum"] = h.momentum * slots.momentum + step
        return parameter - step, new_slots
