"""Power decay."""

from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import INITIAL_RATE, NON_NEGATIVE, POSITIVE, Name
from keras_optlab.arguments.schedule import Schedule


@final
class PowerDecay(Schedule):
    """Decay with a power of the step.

        η(t) = η₀ / (1 + t/s)^c

    The decay is fast at first, then ever slower: with c = 1, the value is η₀/2 after s steps and
    η₀/3 after 2s, as in `InverseTimeDecay` with `decay_rate=1`. With c = 1/2, it is the 1/√t of
    convex optimization.

    Args:
        initial_learning_rate: η₀, the value at step 0; >= 0, or a variable, whose current value
            is used.
        decay_steps: s, the time scale in steps; > 0.
        power: c; >= 0. Defaults to `1.0`.
        name: String. Name of the operations in a graph. Defaults to `"PowerDecay"`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of the wrong type.

    Source:
        Robbins and Monro, "A Stochastic Approximation Method" (1951): the sum over t of η(t)
        diverges and that of η(t)² converges for 1/2 < c <= 1.

    Example:

    >>> from keras_optlab.schedules import PowerDecay
    >>> schedule = PowerDecay(0.1, decay_steps=10)
    >>> [round(schedule.at(step), 6) for step in (0, 10, 20, 90)]
    [0.1, 0.05, 0.033333, 0.01]
    """

    initial_learning_rate: float = argument(INITIAL_RATE)
    decay_steps: float = argument(POSITIVE)
    power: float = argument(NON_NEGATIVE, default=1.0)
    name: str = argument(Name(), default="PowerDecay")

    def value(self, step: Any, ops: ModuleType) -> Any:
        return self.initial_learning_rate * (1 + step / self.decay_steps) ** -self.power
