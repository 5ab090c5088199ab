"""Keras' gradient clipping, as transforms whose limits can be scheduled and changed."""

from typing import Any, final

from keras import ops

from keras_optlab.engine.functions import maximum, minimum
from keras_optlab.engine.transform import Transform


@final
class ClipNorm(Transform):
    """Scales each gradient down to a norm of at most c: g ← g · c / max(‖g‖, c)."""

    def all_gradients(self, gs: list[Any], h: Any) -> list[Any]:
        limit = h.clipnorm
        return [g * (limit / maximum(ops.sqrt(_square(g)), limit)) for g in gs]


@final
class ClipValue(Transform):
    """Clips each element of each gradient to the range from -c to c."""

    def all_gradients(self, gs: list[Any], h: Any) -> list[Any]:
        limit = h.clipvalue
        return [minimum(maximum(g, -limit), limit) for g in gs]


@final
class ClipGlobalNorm(Transform):
    """Scales all gradients by one factor, so that their global norm is at most c.

    g ← g · c · min(1 / n, 1 / c) with n = √(Σ ‖g‖²) + ε; ε is 0 for most algorithms.
    """

    def all_gradients(self, gs: list[Any], h: Any) -> list[Any]:
        norm = ops.sqrt(sum(map(_square, gs))) + h.clip_epsilon
        scale = h.global_clipnorm * minimum(1.0 / norm, 1.0 / h.global_clipnorm)
        # An infinite norm makes the scale 0, which would give NaN for infinite elements and 0 for
        # all others. Adding `norm - norm` makes the result NaN everywhere, as in Keras.
        scale = scale + (norm - norm)
        return [g * scale for g in gs]


# The transform that clips, by the name of the argument that sets the limit.
CLIPPING: dict[str, ClipNorm | ClipValue | ClipGlobalNorm] = {
    "clipnorm": ClipNorm(),
    "clipvalue": ClipValue(),
    "global_clipnorm": ClipGlobalNorm(),
}


def _square(g: Any) -> Any:
    """Return ‖g‖²."""
    return ops.sum(ops.square(g))
