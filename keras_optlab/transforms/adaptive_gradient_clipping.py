"""Adaptive gradient clipping."""

from typing import Any, final

from keras import ops

from keras_optlab.transforms.base import (
    NON_NEGATIVE,
    POSITIVE,
    Transform,
    Values,
    argument,
    maximum,
    sum_along,
)

# Lower bound on the gradient norm that is divided by.
SMALLEST = 1e-6


def unit_norms(x: Any) -> Any:
    """Return the norm of each output unit (over all axes but the last) or of a whole vector."""
    square = ops.square(x)
    for axis in range(max(len(x.shape) - 1, min(len(x.shape), 1))):
        square = ops.expand_dims(sum_along(square, axis), axis)
    return ops.sqrt(square)


@final
class AdaptiveGradientClipping(Transform):
    r"""Scales down gradients that are large relative to the weights (AGC).

        G = λ max(‖θ‖, ε)
        g ← g G / max(‖g‖, 10⁻⁶)    where ‖g‖ ≥ G

    Norms are taken for each output unit: over all axes but the last of a kernel or table, and over
    the whole of a vector.

    Args:
        clipping: Float > 0, λ. Defaults to `0.01`, as in the paper.
        epsilon: Float >= 0, ε: lets weights that are 0 move. Defaults to `1e-3`.

    Source: Brock et al., 2021, "High-performance large-scale image recognition without
    normalization".

    Example:

    >>> optimizer = keras_optlab.optimizers.SGD(
    ...     0.1, transforms=[keras_optlab.transforms.AdaptiveGradientClipping(0.01)])
    """

    clipping: float = argument(POSITIVE, default=0.01)
    epsilon: float = argument(NON_NEGATIVE, default=1e-3)

    def gradient(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        norm = unit_norms(g)
        limit = self.clipping * maximum(unit_norms(p), self.epsilon)
        return ops.where(norm < limit, g, g * (limit / maximum(norm, SMALLEST))), {}
