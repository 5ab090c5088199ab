"""Cautious updates."""

import math
from typing import Any, final

from keras import ops

from keras_optlab.transforms.base import (
    Choice,
    Transform,
    Values,
    argument,
    maximum,
    sums,
    total,
)


@final
class Cautious(Transform):
    r"""Masks the elements of a step that point against the current gradient.

        φ = 1 where u g > 0, else 0          (step u, gradient g)
        u ← u φ / max(mean(φ), 10⁻³)         (`scaling="mean"`)
        u ← u φ · n / (Σ φ + 1)              (`scaling="count"`, n elements)

    Weight decay that an algorithm applies separately from its step, as Keras does, is not masked.

    Args:
        scaling: `"mean"`, as in the authors' AdamW, or `"count"`, as in their Lion. Defaults to
            `"mean"`.

    Source: Liang et al., 2024, "Cautious optimizers: improving training with one line of code".

    Example:

    >>> optimizer = keras_optlab.optimizers.AdamW(
    ...     1e-3, transforms=[keras_optlab.transforms.Cautious()])
    """

    scaling: str = argument(Choice(("mean", "count")), default="mean")

    @sums()
    def agreement(self, step: Any, g: Any, p: Any, s: Values, h: Values) -> dict[str, Any]:
        """Return Σ φ."""
        return {"count": total(ops.cast(step * g > 0, g.dtype))}

    def step(self, step: Any, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        kept, size = step * ops.cast(step * g > 0, g.dtype), math.prod(h.shape)
        if self.scaling == "count":
            return kept * (size / (h.count + 1.0)), {}
        return kept / maximum(h.count / max(size, 1), 1e-3), {}
