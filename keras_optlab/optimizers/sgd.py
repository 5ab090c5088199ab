"""Gradient descent with momentum and Nesterov's accelerated gradient."""

from typing import Any, final

from keras_optlab.optimizers.base import (
    FRACTION,
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
class SGD(Optimizer):
    r"""Gradient descent, optionally with momentum or Nesterov's accelerated gradient.

        without momentum:   θ ← θ − η g
        with momentum β:    v ← β v − η g;  θ ← θ + v
        with `nesterov`:    v ← β v − η g;  θ ← θ + β v − η g

    With `learning_rate_in_velocity=False`, as in PyTorch:

        with momentum β:    v ← β v + g;  θ ← θ − η v
        with `nesterov`:    v ← β v + g;  θ ← θ − η (g + β v)

    The two forms differ as soon as η changes: the first keeps past steps as they are, the second
    rescales all of them. Nesterov's method takes the gradient at the look-ahead point θ + β v; the
    equations are in the coordinates of that point.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.01`, as in Keras.
        momentum: Float in [0, 1] or a schedule. With 0 there is no velocity, and the momentum
            cannot be raised once the optimizer is built, unless `settable=["momentum"]` is given.
            Defaults to `0.0`.
        nesterov: Boolean. Defaults to `False`.
        learning_rate_in_velocity: Boolean, whether η is part of the velocity (Keras) or applied
            to it (PyTorch). Defaults to `True`.

    Sources: Polyak, 1964 (momentum); Nesterov, 1983; Sutskever et al., 2013 (the form here).

    Example:

    >>> optimizer = keras_optlab.optimizers.SGD(0.1, momentum=0.9)
    >>> weight = keras.Variable([1.0])
    >>> optimizer.apply([keras.ops.ones(1)], [weight])
    >>> float(keras.ops.convert_to_numpy(weight)[0])
    0.8999999761581421
    """

    learning_rate: float = learning_rate(0.01)
    momentum: float = hyperparameter(
        0.0,
        FRACTION,
        off=0.0,
        keras_says="`momentum` must be a float between [0, 1].",
    )
    nesterov: bool = option(False, Boolean())
    learning_rate_in_velocity: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    scope = Scope.ELEMENT

    def rests_at_zero(self) -> bool:
        return not self.uses("momentum")

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot()} if self.uses("momentum") else {}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        if not self.uses("momentum"):
            return h.learning_rate * g, {}
        if self.learning_rate_in_velocity:
            v = h.momentum * s.momentum - h.learning_rate * g
            step = h.learning_rate * g - h.momentum * v if self.nesterov else -v
        else:
            v = h.momentum * s.momentum + g
            step = h.learning_rate * (g + h.momentum * v if self.nesterov else v)
        return step, {"momentum": v}
