"""Clipping, and transforms that act on all gradients of a step at once."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

from keras_optlab.arguments.domain import shown
from keras_optlab.engine import sparse
from keras_optlab.engine.clipping import CLIPPING
from keras_optlab.engine.transform import Transform

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


def transformed(optimizer: "Optimizer", gradients: Sequence[Any]) -> list[Any]:
    """Apply clipping and then every `all_gradients` hook to the gradients of a step.

    Hooks get them in the dtype of the optimizer's numbers, at least float32: the square of a
    float16 overflows at 256.

    Args:
        optimizer: The optimizer, which may not be built yet.
        gradients: Gradients of any dtype. Of a sparse one, only the rows looked up are used.

    Raises:
        ValueError: If a hook does not return a list of as many gradients, of the same shapes.
    """
    clips = [name for name in CLIPPING if optimizer.uses(name)]
    placed = [each for each in optimizer.engine.transforms if each.transform.all_gradients]
    if not (clips or placed):
        return list(gradients)
    values: list[Any] = [ops.convert_to_tensor(sparse.values_of(each)) for each in gradients]
    dtypes = [keras.backend.standardize_dtype(value.dtype) for value in values]
    values = [ops.cast(value, optimizer.engine.dtype) for value in values]
    for name in clips:
        h = SimpleNamespace(**optimizer.engine.numbers.of_clipping(name))
        values = CLIPPING[name].all_gradients(values, h)
    for each in placed:
        h = SimpleNamespace(**optimizer.engine.numbers.of_all_gradients(each))
        hook: Any = each.transform.all_gradients
        values = _as_given(values, hook(values, each.numbers(h)), each.transform)
    narrow = [ops.cast(value, dtype) for value, dtype in zip(values, dtypes, strict=True)]
    return [sparse.with_values(*pair) for pair in zip(gradients, narrow, strict=True)]


def _as_given(values: list[Any], changed: Any, transform: Transform) -> list[Any]:
    """Return a hook's result, after checking that it matches the given gradients in shape."""
    is_list = isinstance(changed, list) and len(changed) == len(values)
    if not (is_list and all(map(_fits, values, changed))):
        shapes = [tuple(each.shape) for each in values]
        if isinstance(changed, list):
            found = f"shapes {[tuple(each.shape) for each in changed]}"
        else:
            found = shown(changed)
        raise ValueError(
            "`all_gradients` must return a list with one gradient of the same shape for each "
            f"gradient that it gets. Received: {found} from {transform!r}, for gradients of shapes "
            f"{shapes}."
        )
    return changed


def _fits(value: Any, changed: Any) -> bool:
    # Either size may be unknown while a graph is traced.
    sizes, found = tuple(value.shape), tuple(changed.shape)
    return len(sizes) == len(found) and all(
        size == other or None in (size, other) for size, other in zip(sizes, found, strict=True)
    )
