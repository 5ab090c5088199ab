"""Inverse time decay."""

from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import INITIAL_RATE, NON_NEGATIVE, POSITIVE, Boolean, Name
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.schedules.rounding import floor


@final
class InverseTimeDecay(Schedule):
    """Decay with the inverse of the step.

        η(t) = η₀ / (1 + r t/s)         or, in steps,     η(t) = η₀ / (1 + r ⌊t/s⌋)

    Args:
        initial_learning_rate: η₀, the value at step 0; >= 0, or a variable, whose current value
            is used.
        decay_steps: s, the time scale in steps; > 0.
        decay_rate: r; >= 0.
        staircase: Whether to round t/s down, so that the value drops once every s steps. Defaults
            to `False`.
        name: String. Name of the operations in a graph. Defaults to `"InverseTimeDecay"`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of the wrong type.

    Source:
        `keras.optimizers.schedules.InverseTimeDecay`: arguments, defaults and values. Compiled
        by XLA (TensorFlow, JAX), Keras' staircase is a step late for 12 of the 119 integer
        `decay_steps` below 120: with s = 41, its value drops at step 42. Here it drops at 41.

    Example:

    >>> from keras_optlab.schedules import InverseTimeDecay
    >>> schedule = InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0, staircase=True)
    >>> [schedule.at(step) for step in (0, 9, 10, 30)]
    [0.1, 0.1, 0.05, 0.025]
    """

    initial_learning_rate: float = argument(INITIAL_RATE)
    decay_steps: float = argument(POSITIVE, keras_says="Argument `decay_steps` must be > 0.")
    decay_rate: float = argument(NON_NEGATIVE)
    staircase: bool = argument(Boolean(), default=False)
    name: str = argument(Name(), default="InverseTimeDecay")

    def value(self, step: Any, ops: ModuleType) -> Any:
        periods = step / self.decay_steps
        if self.staircase:
            periods = floor(periods, ops)
        return self.initial_learning_rate / (1 + self.decay_rate * periods)
