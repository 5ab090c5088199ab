"""Gradient centralization."""

from typing import Any, final

from keras import ops

from keras_optlab.transforms.base import (
    Boolean,
    Transform,
    Values,
    argument,
    path_of,
    sum_along,
)


def centered(x: Any, axes: range) -> Any:
    """Return x minus its mean over some axes."""
    mean = x
    for axis in axes:
        mean = ops.expand_dims(sum_along(mean, axis) / x.shape[axis], axis)
    return x - mean


@final
class GradientCentralization(Transform):
    r"""Subtracts the mean from the gradient of each output unit.

        g ← g − mean of g over all axes but the last

    This is meant for kernels of dense and convolutional layers, in Keras' orientation. Tables whose
    path contains "embedding" are centered row by row. Vectors and scalars are left unchanged.

    Args:
        after: Boolean, whether to center the algorithm's step instead of the gradient
            (the authors' `gc_loc=False`). Defaults to `False`.
        convolutions_only: Boolean, whether to center only kernels of four or more axes.
            Defaults to `False`.

    Source: Yong et al., 2020, "Gradient centralization: a new optimization technique for deep
    neural networks".

    Example:

    >>> optimizer = keras_optlab.optimizers.SGD(
    ...     0.1, transforms=[keras_optlab.transforms.GradientCentralization()])
    """

    after: bool = argument(Boolean(), default=False)
    convolutions_only: bool = argument(Boolean(), default=False)

    def route(self, variable: Any) -> Transform | None:
        rank = len(variable.shape)
        if rank < (4 if self.convolutions_only else 2):
            return None
        is_table = rank == 2 and "embedding" in path_of(variable).lower()
        return CenteredRows(self.after) if is_table else self

    def gradient(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        return (g if self.after else centered(g, range(len(h.shape) - 1))), {}

    def step(self, step: Any, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        return (centered(step, range(len(h.shape) - 1)) if self.after else step), {}


@final
class CenteredRows(Transform):
    """Gradient centralization of a table of embeddings, row by row.

    Args:
        after: As in `GradientCentralization`.
    """

    after: bool = argument(Boolean(), default=False)

    def gradient(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        return (g if self.after else centered(g, range(1, 2))), {}

    def step(self, step: Any, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        return (centered(step, range(1, 2)) if self.after else step), {}
