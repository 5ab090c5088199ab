"""Polynomial decay."""

import math
from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import INITIAL_RATE, NON_NEGATIVE, POSITIVE, Boolean, Name
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.schedules.rounding import ceil


@final
class PolynomialDecay(Schedule):
    """Decay to an end value in `decay_steps` steps, along a power of the remaining steps.

        η(t) = (η₀ - η₁) (1 - min(t/s, 1))^c + η₁

    With `cycle`, s is replaced by the first multiple of s that is not below t (s itself at t = 0):
    after each multiple of s the value rises again, each time to a lower peak.

    Args:
        initial_learning_rate: η₀, the value at step 0; >= 0, or a variable, whose current value
            is used.
        decay_steps: s, the number of steps of the decay; > 0.
        end_learning_rate: η₁, the value from step s on; >= 0. Defaults to `0.0001`.
        power: c; >= 0 (1 is a straight line, 0.5 a square root). Defaults to `1.0`.
        cycle: Whether to start new cycles after step s. Defaults to `False`.
        name: String. Name of the operations in a graph. Defaults to `"PolynomialDecay"`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of the wrong type.

    Source:
        `keras.optimizers.schedules.PolynomialDecay`: arguments, defaults and values. Values
        differ only where float32, in which Keras computes, is not precise enough. With η₀ = 1,
        s = 7, c = 0.5 and `cycle`, Keras gives 0.5 instead of η₁ at step 21 when compiled by XLA,
        and NaN at step 10^9. With η₀ = 1, s = 10^5 and c = 0.5, Keras' last steps are off by 2e-6.

    Example:

    >>> from keras_optlab.schedules import PolynomialDecay
    >>> schedule = PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.02)
    >>> [round(schedule.at(step), 6) for step in (0, 5, 10, 11)]
    [0.1, 0.06, 0.02, 0.02]
    """

    initial_learning_rate: float = argument(INITIAL_RATE)
    decay_steps: float = argument(POSITIVE, keras_says="Argument `decay_steps` must be > 0.")
    end_learning_rate: float = argument(NON_NEGATIVE, default=0.0001)
    power: float = argument(NON_NEGATIVE, default=1.0)
    cycle: bool = argument(Boolean(), default=False)
    name: str = argument(Name(), default="PolynomialDecay")

    def value(self, step: Any, ops: ModuleType) -> Any:
        span = self.initial_learning_rate - self.end_learning_rate
        periods = step / self.decay_steps
        if self.cycle:
            periods = periods / ops.clip(ceil(periods, ops), 1, math.inf)
        return span * (1 - ops.clip(periods, 0, 1)) ** self.power + self.end_learning_rate
