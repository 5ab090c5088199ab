"""Piecewise constant decay."""

from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import FINITE, NON_NEGATIVE, Listing, Name
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.schedules.boundaries import check_boundaries


@final
class PiecewiseConstantDecay(Schedule):
    """A constant value in each interval between boundaries.

        η(t) = v₀         where      t <= b₀
        η(t) = vᵢ         where   bᵢ₋₁ < t <= bᵢ
        η(t) = vₙ         where   bₙ₋₁ < t

    Each boundary belongs to the interval that it ends, as in Keras.

    Args:
        boundaries: b, a list of n strictly increasing step numbers, each >= 0; may be empty.
        values: v, a list of n + 1 finite numbers.
        name: String. Name of the operations in a graph. Defaults to `"PiecewiseConstant"`.

    Raises:
        ValueError: If the boundaries do not increase, or the lengths do not match.
        TypeError: For an argument of the wrong type.

    Source:
        `keras.optimizers.schedules.PiecewiseConstantDecay`: arguments, defaults and values. Keras
        does not check the order (boundaries [200, 100] with values [1, 0.1, 0.01] give 1.01 at
        step 150), needs at least one boundary, and raises on TensorFlow and torch for values
        [1, 0.1], because the first is an integer.

    Example:

    >>> from keras_optlab.schedules import PiecewiseConstantDecay
    >>> schedule = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
    >>> [schedule.at(step) for step in (0, 100, 101, 201)]
    [0.1, 0.1, 0.01, 0.001]
    """

    boundaries: list[float] = argument(Listing(NON_NEGATIVE))
    values: list[float] = argument(Listing(FINITE))
    name: str = argument(Name(), default="PiecewiseConstant")

    def validate(self) -> None:
        check_boundaries(self.boundaries, "values", self.values)

    def value(self, step: Any, ops: ModuleType) -> Any:
        result = ops.full_like(step, self.values[0])
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            result = ops.where(step > boundary, ops.full_like(step, value), result)
        return result
