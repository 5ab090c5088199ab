"""1cycle: the learning rate rises and falls once, while the momentum falls and rises."""

from itertools import pairwise
from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import (
    DECAY_RATE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Choice,
    Integer,
    Name,
)
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.schedules.cosine import half_cosine

ANNEAL = Choice(("cosine", "linear"))


def phase_ends(total_steps: int, pct_start: float, three_phase: bool) -> list[float]:
    """Return the steps at which the phases end, as PyTorch counts them; they may be fractional."""
    peak = pct_start * total_steps - 1
    last = total_steps - 1
    return [peak, 2 * pct_start * total_steps - 2, last] if three_phase else [peak, last]


def anneal_through(
    levels: list[float], ends: list[float], anneal: str, step: Any, ops: ModuleType
) -> Any:
    """Anneal from each level to the next within a phase, and keep the last level afterwards.

    Args:
        levels: The value at step 0, then the values at the ends of the phases.
        ends: Steps at which the phases end. A phase that ends before step 0 is skipped.
        anneal: `"cosine"` or `"linear"`.
        step: See `Schedule.value`.
        ops: See `Schedule.value`.
    """
    step = ops.clip(step, 0, ends[-1])
    result = ops.full_like(step, levels[-1])
    phases = zip(pairwise([0.0, *ends]), pairwise(levels), strict=True)
    # The first phase that has not ended applies, so it is written last.
    for (start, end), (before, after) in reversed(list(phases)):
        # A phase of length 0 is over as soon as it begins; PyTorch divides by zero there.
        done = (step - start) / (end - start) if end != start else ops.full_like(step, 1)
        fraction = ops.clip(done, 0, 1)
        left = half_cosine(fraction, ops) if anneal == "cosine" else 1 - fraction
        result = ops.where(step <= end, after + (before - after) * left, result)
    return result


@final
class OneCycleLearningRate(Schedule):
    """The learning rate of a 1cycle: up to the maximum, then down to almost zero.

    With N = `total_steps`, p = `pct_start`, η₁ = `max_learning_rate`, η₀ = η₁ / `div_factor`,
    η₂ = η₀ / `final_div_factor`:

        phase               steps                         from    to
        1                   0 .. pN - 1                   η₀      η₁
        2 (two phases)      pN - 1 .. N - 1               η₁      η₂
        2 (three phases)    pN - 1 .. 2pN - 2             η₁      η₀
        3 (three phases)    2pN - 2 .. N - 1              η₀      η₂

    From a to b, where x is the completed fraction of the phase:

        cosine    b + (a - b) (1 + cos πx) / 2
        linear    a + (b - a) x

    From step N - 1 on, the value is constant: η₂, or more if p is so large that an earlier phase
    reaches the end. If the first phase has length 0 (pN = 1), the value at step 0 is η₁; PyTorch
    raises `ZeroDivisionError`.

    Args:
        max_learning_rate: η₁; >= 0.
        total_steps: N; an integer >= 1.
        pct_start: p, the fraction of steps in which the value rises; in [0, 1]. Defaults to `0.3`.
        anneal: `"cosine"` or `"linear"`. Defaults to `"cosine"`.
        div_factor: η₁ / η₀; > 0. Defaults to `25.0`.
        final_div_factor: η₀ / η₂; > 0. Defaults to `1e4`.
        three_phase: Whether to fall to η₀ as fast as the value rose, then on to η₂ in a third
            phase, as in the paper; otherwise the second phase does both. Defaults to `False`.
        name: String. Name of the operations in a graph. Defaults to `"OneCycleLearningRate"`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of the wrong type.

    Source:
        Smith and Topin, "Super-Convergence: Very Fast Training of Neural Networks Using Large
        Learning Rates" (2018), in the form of `torch.optim.lr_scheduler.OneCycleLR`, whose
        defaults these are.

    Example:

    >>> from keras_optlab.schedules import OneCycleLearningRate
    >>> schedule = OneCycleLearningRate(1.0, total_steps=11, pct_start=0.5, anneal="linear")
    >>> [round(schedule.at(step), 6) for step in (0, 3, 9, 10, 100)]
    [0.04, 0.68, 0.181821, 4e-06, 4e-06]
    """

    max_learning_rate: float = argument(NON_NEGATIVE)
    total_steps: int = argument(Integer(low=1))
    pct_start: float = argument(FRACTION, default=0.3)
    anneal: str = argument(ANNEAL, default="cosine")
    div_factor: float = argument(POSITIVE, default=25.0)
    final_div_factor: float = argument(POSITIVE, default=1e4)
    three_phase: bool = argument(Boolean(), default=False)
    name: str = argument(Name(), default="OneCycleLearningRate")

    def value(self, step: Any, ops: ModuleType) -> Any:
        initial = self.max_learning_rate / self.div_factor
        lowest = initial / self.final_div_factor
        levels = [initial, self.max_learning_rate, *[initial] * self.three_phase, lowest]
        ends = phase_ends(self.total_steps, self.pct_start, self.three_phase)
        return anneal_through(levels, ends, self.anneal, step, ops)


@final
class OneCycleMomentum(Schedule):
    """The momentum of a 1cycle: down while the learning rate rises, and up while it falls.

    With N = `total_steps`, p = `pct_start`, β₁ = `max_momentum`, β₀ = `base_momentum`:

        phase               steps                         from    to
        1                   0 .. pN - 1                   β₁      β₀
        2 (two phases)      pN - 1 .. N - 1               β₀      β₁
        2 (three phases)    pN - 1 .. 2pN - 2             β₀      β₁
        3 (three phases)    2pN - 2 .. N - 1              β₁      β₁

    The shapes, and the values past the end, are those of `OneCycleLearningRate`. Use it for
    `momentum` of `SGD` and `RMSprop`, or for `beta_1` of the Adam family.

    Args:
        total_steps: N; an integer >= 1.
        base_momentum: β₀, the value where the learning rate is highest; in [0, 1). Defaults to
            `0.85`.
        max_momentum: β₁, the value at both ends; in [0, 1). Defaults to `0.95`.
        pct_start: p, the fraction of steps in which the value falls; in [0, 1]. Defaults to `0.3`.
        anneal: `"cosine"` or `"linear"`. Defaults to `"cosine"`.
        three_phase: Whether the learning rate has three phases. Defaults to `False`.
        name: String. Name of the operations in a graph. Defaults to `"OneCycleMomentum"`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of the wrong type.

    Source:
        Smith and Topin (2018), in the form of `torch.optim.lr_scheduler.OneCycleLR`, whose
        defaults these are.

    Example:

    >>> from keras_optlab.schedules import OneCycleMomentum
    >>> schedule = OneCycleMomentum(total_steps=11, pct_start=0.5, anneal="linear")
    >>> [round(schedule.at(step), 6) for step in (0, 3, 4, 10, 100)]
    [0.95, 0.883333, 0.861111, 0.95, 0.95]
    """

    total_steps: int = argument(Integer(low=1))
    base_momentum: float = argument(DECAY_RATE, default=0.85)
    max_momentum: float = argument(DECAY_RATE, default=0.95)
    pct_start: float = argument(FRACTION, default=0.3)
    anneal: str = argument(ANNEAL, default="cosine")
    three_phase: bool = argument(Boolean(), default=False)
    name: str = argument(Name(), default="OneCycleMomentum")

    def value(self, step: Any, ops: ModuleType) -> Any:
        high, low = self.max_momentum, self.base_momentum
        levels = [high, low, *[high] * self.three_phase, high]
        ends = phase_ends(self.total_steps, self.pct_start, self.three_phase)
        return anneal_through(levels, ends, self.anneal, step, ops)
