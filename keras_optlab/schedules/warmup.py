"""Linear warmup."""

import math
from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import FRACTION, Integer, Name
from keras_optlab.arguments.schedule import (
    LearningRateSchedule,
    NumberOrSchedule,
    Schedule,
    value_of,
)


@final
class LinearWarmup(Schedule):
    """Linear rise to the first value of another schedule, which then takes over.

        η(t) = η'(0) (f + (1 - f) t/w)         where t < w
        η(t) = η'(t - w)                       from t = w on

    Args:
        steps: w, the number of steps of the warmup; an integer >= 0.
        then: η', what follows: a finite number, or any `LearningRateSchedule` (Keras' included),
            whose step 0 is step w.
        initial_fraction: f, the value at step 0 as a fraction of η'(0); in [0, 1]. Defaults to
            `0.0`.
        name: String. Name of the operations in a graph. Defaults to `"LinearWarmup"`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of the wrong type.

    Source:
        Goyal et al., "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour" (2017),
        section 2.2 ("gradual warmup").

    Example:

    >>> from keras_optlab.schedules import ExponentialDecay, LinearWarmup
    >>> schedule = LinearWarmup(4, then=ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5))
    >>> [schedule.at(step) for step in (0, 1, 2, 4, 14)]
    [0.0, 0.025, 0.05, 0.1, 0.05]
    """

    steps: int = argument(Integer(low=0))
    then: float | LearningRateSchedule = argument(NumberOrSchedule())
    initial_fraction: float = argument(FRACTION, default=0.0)
    name: str = argument(Name(), default="LinearWarmup")

    def value(self, step: Any, ops: ModuleType) -> Any:
        value = value_of(self.then, ops.clip(step - self.steps, 0, math.inf), ops)
        rise = self.initial_fraction + (1 - self.initial_fraction) * step / max(self.steps, 1)
        return ops.where(step < self.steps, value * rise, value)
