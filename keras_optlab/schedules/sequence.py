"""Schedules in sequence."""

import math
from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import Integer, Listing, Name
from keras_optlab.arguments.schedule import (
    LearningRateSchedule,
    NumberOrSchedule,
    Schedule,
    value_of,
)
from keras_optlab.schedules.boundaries import check_boundaries


@final
class Sequence(Schedule):
    """One schedule after another, each counting its steps from 0.

        η(t) = η₀(t)                where t < b₀
        η(t) = ηᵢ(t - bᵢ₋₁)         where bᵢ₋₁ <= t < bᵢ
        η(t) = ηₙ(t - bₙ₋₁)         where bₙ₋₁ <= t

    Args:
        schedules: η, a list of n + 1 schedules (Keras' included) or finite numbers.
        boundaries: b, a list of n strictly increasing integers >= 1: the steps at which the
            schedules after the first take over.
        name: String. Name of the operations in a graph. Defaults to `"Sequence"`.

    Raises:
        ValueError: If the boundaries do not increase, or the lengths do not match.
        TypeError: For an argument of the wrong type.

    Source:
        `optax.join_schedules`.

    Example:

    >>> from keras_optlab.schedules import PolynomialDecay, Sequence
    >>> down = PolynomialDecay(0.1, decay_steps=10, end_learning_rate=0.0)
    >>> schedule = Sequence([0.2, down, 0.01], boundaries=[5, 15])
    >>> [schedule.at(step) for step in (0, 4, 5, 10, 15)]
    [0.2, 0.2, 0.1, 0.05, 0.01]
    """

    schedules: list[float | LearningRateSchedule] = argument(Listing(NumberOrSchedule()))
    boundaries: list[int] = argument(Listing(Integer(low=1)))
    name: str = argument(Name(), default="Sequence")

    def validate(self) -> None:
        check_boundaries(self.boundaries, "schedules", self.schedules)

    def value(self, step: Any, ops: ModuleType) -> Any:
        result = value_of(self.schedules[0], step, ops)
        for boundary, schedule in zip(self.boundaries, self.schedules[1:], strict=True):
            own_step = ops.clip(step - boundary, 0, math.inf)
            result = ops.where(step >= boundary, value_of(schedule, own_step, ops), result)
        return result
