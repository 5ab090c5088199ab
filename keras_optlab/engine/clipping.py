"""Gradient clipping as Keras does it, with limits that may be tensors."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine import sparse


def by_norm(gradients: Sequence[Any], limit: Any) -> list[Any]:
    """Each gradient scaled down to a norm of at most `limit`: g * limit / max(|g|, limit)."""
    clipped = []
    for gradient in gradients:
        norm = ops.sqrt(ops.sum(ops.square(_wide(gradient))))
        norm = ops.cast(norm, limit.dtype)
        clipped.append(gradient * ops.cast(limit / backend.maximum(norm, limit), gradient.dtype))
    return clipped


def by_global_norm(gradients: Sequence[Any], limit: Any, epsilon: Any = 0.0) -> list[Any]:
    """All gradients scaled by the same factor, so that together their norm is at most `limit`.

    Args:
        gradients: List of gradients.
        limit: Scalar tensor.
        epsilon: Scalar that is added to the norm.
    """
    squares = [ops.sum(ops.square(_wide(gradient))) for gradient in gradients]
    norm = ops.sqrt(sum(ops.cast(square, limit.dtype) for square in squares)) + epsilon
    scale = limit * backend.minimum(1.0 / norm, 1.0 / limit)
    # Infinity times 0 would be NaN in some places and 0 in others: NaN everywhere, as in Keras.
    scale = scale + (norm - norm)
    return [gradient * ops.cast(scale, gradient.dtype) for gradient in gradients]


def by_value(gradients: Sequence[Any], limit: Any) -> list[Any]:
    """Each element of each gradient clipped to the range from -limit to limit."""
    clipped = []
    for gradient in gradients:
        bound = ops.cast(limit, gradient.dtype)
        clipped.append(backend.minimum(backend.maximum(gradient, -bound), bound))
    return clipped


# The argument that gives the limit, and what it does.
CLIPPING = {"clipnorm": by_norm, "clipvalue": by_value, "global_clipnorm": by_global_norm}


def clipped(optimizer: Any, gradients: Sequence[Any]) -> list[Any]:
    """The gradients of a step, clipped as an optimizer's arguments say."""
    for name, function in CLIPPING.items():
        if optimizer.uses(name):
            step, dtype = optimizer.step_count, optimizer.dtype
            limit = optimizer.numbers.setting(name).tensor(step, dtype)
            values = [ops.convert_to_tensor(sparse.values_of(each)) for each in gradients]
            more = {}
            if name == "global_clipnorm" and optimizer.global_clip_epsilon:
                epsilon = optimizer.numbers.setting(optimizer.global_clip_epsilon)
                more["epsilon"] = epsilon.tensor(step, dtype)
            values = function(values, limit, **more)
            return [sparse.with_values(*pair) for pair in zip(gradients, values, strict=True)]
    return list(gradients)


def _wide(gradient: Any) -> Any:
    # The square of a float16 gradient overflows at 256.
    return ops.cast(gradient, "float32") if _is_half(gradient) else gradient


def _is_half(gradient: Any) -> bool:
    return str(gradient.dtype).removeprefix("torch.") in ("float16", "bfloat16")
