"""Exponential decay."""

from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import INITIAL_RATE, NON_NEGATIVE, POSITIVE, Boolean, Name
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.schedules.rounding import floor


@final
class ExponentialDecay(Schedule):
    """Falls by the same factor every `decay_steps` steps.

        η(t) = η₀ r^(t/s)         or, in steps,     η(t) = η₀ r^⌊t/s⌋

    Args:
        initial_learning_rate: η₀, the value at step 0; >= 0, or a variable with it, whose
            present value is taken.
        decay_steps: s, in steps; > 0.
        decay_rate: r, the factor for each s steps; >= 0 (above 1 the value grows).
        staircase: Whether to take the whole part of t/s, so that the value falls at once every s
            steps. Defaults to `False`.
        name: String. Name of the operations in a graph. Defaults to `"ExponentialDecay"`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of another type.

    Source:
        `keras.optimizers.schedules.ExponentialDecay`: arguments, defaults and values. Compiled
        by XLA (TensorFlow, JAX), Keras' staircase loses a step for 12 of the 119 whole
        `decay_steps` below 120: with s = 41 its value falls at step 42. Here it falls at 41.

    Example:

    >>> from keras_optlab.schedules import ExponentialDecay
    >>> schedule = ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5, staircase=True)
    >>> [schedule.at(step) for step in (0, 9, 10, 20)]
    [0.1, 0.1, 0.05, 0.025]
    """

    initial_learning_rate: float = argument(INITIAL_RATE)
    decay_steps: float = argument(POSITIVE, keras_says="Argument `decay_steps` must be > 0.")
    decay_rate: float = argument(NON_NEGATIVE)
    staircase: bool = argument(Boolean(), default=False)
    name: str = argument(Name(), default="ExponentialDecay")

    def value(self, step: Any, ops: ModuleType) -> Any:
        periods = step / self.decay_steps
        if self.staircase:
            periods = floor(periods, ops)
        return self.initial_learning_rate * self.decay_rate**periods
