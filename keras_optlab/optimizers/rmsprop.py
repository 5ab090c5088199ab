"""RMSprop."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    FRACTION,
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
class RMSprop(Optimizer):
    r"""Steps divided by the root of a moving average of squared gradients.

        v ← ρ v + (1 − ρ) g²
        θ ← θ − η g / √(v + ε)

    With `centered`, an estimate of the variance replaces v under the root:

        a ← ρ a + (1 − ρ) g,   v − a²

    With momentum β:

        m ← β m + η g / √(v + ε)
        θ ← θ − m

    With `epsilon_inside_root=False`, as in PyTorch, steps are η g / (√v + ε). `epsilon=0.0` gives
    the form without ε.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`, as in the lecture.
        rho: Float in [0, 1] or a schedule, decay rate of v. Defaults to `0.9`.
        momentum: Float in [0, 1] or a schedule. With 0 there is no slot for it, and the momentum
            cannot be raised once the optimizer is built, unless `settable=["momentum"]` is given.
            Defaults to `0.0`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`.
        centered: Boolean. Defaults to `False`.
        epsilon_inside_root: Boolean. Defaults to `True`.

    Sources: Tieleman & Hinton, 2012 (Coursera, lecture 6.5); Graves, 2013 (centered).

    Example:

    >>> model.compile(keras_optlab.optimizers.RMSprop(1e-3, momentum=0.9), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    rho: float = hyperparameter(0.9, FRACTION, complement=True)
    momentum: float = hyperparameter(0.0, FRACTION, off=0.0)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    centered: bool = option(False, Boolean())
    epsilon_inside_root: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        slots = {"velocity": Slot()}
        if self.uses("momentum"):
            slots["momentum"] = Slot(block=1)
        if self.centered:
            slots["average_gradient"] = Slot(block=2)
        return slots

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        v = h.rho * s.velocity + h.one_minus_rho * ops.square(g)
        new_slots = {"velocity": v}
        if self.centered:
            a = h.rho * s.average_gradient + h.one_minus_rho * g
            new_slots["average_gradient"] = a
            v = v - ops.square(a)
        root = ops.sqrt(v + h.epsilon) if self.epsilon_inside_root else ops.sqrt(v) + h.epsilon
        step = h.learning_rate * g / root
        if self.uses("momentum"):
            step = new_slots["momentum"] = h.momentum * s.momentum + step
        return step, new_slots
