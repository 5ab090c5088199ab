"""Detection of non-finite gradients before they reach a weight."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, final

import keras
from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine import sparse
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.state import ExtraState
from keras_optlab.keras_glue.hooks import is_attached

# From this number of elements on, one matrix product is faster than testing each element.
LARGE = 1 << 16

# With rows shorter than this, a matrix product does not pay off.
SHORT = 16


@final
class Faults:
    """Record of skipped steps, in variables that a compiled step can update.

    Args:
        state: Where the variables are kept and saved.
    """

    def __init__(self, state: ExtraState) -> None:
        self.skipped = state.add("skipped_steps", 0.0, "float32")
        # 1 + index of the variable whose fault is not reported yet, or 0.
        self.unreported = state.add("unreported_fault", 0.0, "float32")
        self.warned = False

    def guard(
        self,
        optimizer: Any,
        apply: Callable[[list, list], None],
        gradients: list[Any],
        variables: list[Any],
    ) -> None:
        """Take a step if all gradients are finite; otherwise count it as skipped.

        Args:
            optimizer: The optimizer.
            apply: Function that takes the step.
            gradients: List of gradients, one per variable; None for a variable without one.
            variables: List of variables.
        """
        pairs = [pair for pair in zip(gradients, variables, strict=False) if pair[0] is not None]
        given = [gradient for gradient, _ in pairs]

        def note() -> None:
            numbers = [optimizer.position(variable) for _, variable in pairs]
            self.note(ops.take(ops.convert_to_tensor(numbers), first_not_finite(given)))

        backend.conditionally(
            self.allow(all_finite(given), optimizer.nonfinite == "raise"),
            lambda: apply(gradients, variables),
            note,
            [*optimizer.built_on, *optimizer.variables],
        )

    def allow(self, finite: Any, stops: bool) -> Any:
        """Whether to take a step; if `stops`, not while a fault is waiting to be raised."""
        if not stops:
            return finite
        return ops.logical_and(finite, ops.convert_to_tensor(self.unreported) == 0.0)

    def note(self, variable_number: Any) -> None:
        """Count a skipped step; note its fault unless an earlier one is still unreported."""
        self.skipped.assign(self.skipped + 1.0)
        noted = ops.convert_to_tensor(self.unreported)
        number = ops.cast(variable_number + 1, "float32")
        self.unreported.assign(ops.where(noted == 0.0, number, noted))

    def count(self) -> int:
        """Return the number of skipped steps."""
        return int(backend.to_host(self.skipped))

    def report(self, variables: Sequence[Any], stops: bool) -> None:
        """Raise or warn if there is a fault that has not been reported yet.

        Args:
            variables: All variables that the optimizer was built for.
            stops: Whether to raise instead of warning.

        Raises:
            ValueError: If there is such a fault and `stops` is true.
        """
        if not is_attached(self.unreported):
            return
        number = int(backend.to_host(self.unreported))
        if not number:
            return
        self.unreported.assign(0.0)
        message = (
            "Expected finite gradients. Received: a NaN or an infinity in the gradient of "
            f"`{path_of(variables[number - 1])}`. Steps skipped so far: {self.count()} "
            "(`skipped_steps`). A skipped step leaves trainable variables and slots unchanged."
        )
        if stops:
            raise ValueError(
                f"{message} Look for the cause in the data or the loss, lower the learning rate, "
                "or set `nonfinite='skip'` to skip such steps and continue."
            )
        if not self.warned:
            self.warned = True
            warnings.warn(
                f"{message} Further skipped steps are only counted, in `skipped_steps`.",
                stacklevel=2,
            )


def all_finite(gradients: Sequence[Any]) -> Any:
    """Whether all gradients are free of NaN and infinity, as a boolean scalar."""
    values = [sparse.values_of(gradient) for gradient in gradients]
    large = [value for value in values if _is_large(value)]
    rest: dict[str, list] = {}
    for value in values:
        if not _is_large(value):
            rest.setdefault(keras.backend.standardize_dtype(value.dtype), []).append(
                ops.reshape(value, (-1,))
            )
    tests = [_rows_times_zero(value) for value in large]
    tests += [ops.concatenate(alike) for alike in rest.values()]
    found = ops.stack([ops.all(ops.isfinite(test)) for test in tests])
    return ops.all(found)


def first_not_finite(gradients: Sequence[Any]) -> Any:
    """Return the index of the first gradient with a NaN or an infinity, as an integer scalar."""
    finite = [ops.all(ops.isfinite(sparse.values_of(gradient))) for gradient in gradients]
    return ops.argmin(ops.cast(ops.stack(finite), "int32"))


def _is_large(value: Any) -> bool:
    shape = tuple(value.shape)
    # The number of rows looked up in a table may be unknown while tracing.
    if len(shape) < 2 or None in shape or keras.backend.standardize_dtype(value.dtype) != "float32":
        return False
    return shape[-1] >= SHORT and math.prod(shape) >= LARGE


def _rows_times_zero(value: Any) -> Any:
    """Return zero for each finite row and NaN for every other: 0 times infinity is NaN."""
    rows = ops.reshape(value, (-1, value.shape[-1]))
    return ops.matmul(rows, ops.zeros((value.shape[-1], 1), value.dtype))
