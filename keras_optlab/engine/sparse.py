"""Sparse gradients of embedding tables, which hold only the rows that were looked up."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, final

from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine.storage import arithmetic_dtype

if TYPE_CHECKING:
    from keras_optlab.engine.update import Update


@final
class RowGradient:
    """A gradient that is zero except in some rows, each listed once.

    The gradients of repeated lookups of a row are summed. The number of entries remains the number
    of lookups, since XLA needs a fixed size: leftover entries repeat the first row.

    Args:
        rows: Row numbers, int32 of shape (lookups,).
        values: Gradients of these rows, 0 in leftover entries.
        in_use: Boolean of shape (lookups,), False in leftover entries; None if there are none.
        shape: Shape of the variable.
    """

    def __init__(self, rows: Any, values: Any, in_use: Any, shape: tuple[int, ...]) -> None:
        self.rows = rows
        self.values = values
        self.in_use = in_use
        self.shape = shape

    @classmethod
    def of(cls, gradient: Any, variable: Any = None) -> Any:
        """Convert a backend's row-sparse gradient to a `RowGradient`, any other to a dense tensor.

        Args:
            gradient: The gradient.
            variable: The variable; None if the result is never converted to a dense tensor.
        """
        if isinstance(gradient, RowGradient):
            return gradient
        lookups = backend.lookups(gradient)
        if lookups is None:
            return backend.dense(gradient)
        shape = () if variable is None else tuple(variable.shape)
        indices, values = lookups
        if indices.shape[0] == 0 or backend.lookups_are_summed:
            return cls(indices, values, None, shape)
        order = ops.argsort(indices)
        indices, values = ops.take(indices, order), ops.take(values, order, axis=0)
        is_new = ops.concatenate([indices[:1] == indices[:1], indices[1:] != indices[:-1]])
        entry = ops.cumsum(ops.cast(is_new, "int32")) - 1
        size: Any = ops.shape(indices)
        lookup_count = size[0]
        summed = ops.segment_sum(values, entry, num_segments=lookup_count)
        numbers = ops.where(is_new, indices, ops.zeros_like(indices))
        rows = ops.segment_sum(numbers, entry, num_segments=lookup_count)
        in_use = ops.arange(lookup_count, dtype="int32") < ops.sum(ops.cast(is_new, "int32"))
        return cls(ops.where(in_use, rows, indices[:1]), summed, in_use, shape)

    def __truediv__(self, scale: Any) -> "RowGradient":
        return self.with_values(self.values / scale)

    def with_values(self, values: Any) -> "RowGradient":
        """Return the same rows with other values."""
        return RowGradient(self.rows, values, self.in_use, self.shape)

    def dense(self) -> Any:
        """Return the gradient as a dense tensor."""
        return ops.segment_sum(self.values, self.rows, num_segments=self.shape[0])

    def by_entry(self) -> Any:
        """Return the values, with those of the first row repeated in leftover entries."""
        if self.in_use is None:
            return self.values
        in_use = ops.reshape(self.in_use, (-1,) + (1,) * (len(self.shape) - 1))
        return ops.where(in_use, self.values, self.values[:1])


def of_variable(gradient: Any, variable: Any) -> Any:
    """Convert a gradient for the engine: to a tensor of static shape, or a `RowGradient`."""
    if isinstance(gradient, RowGradient):
        return gradient
    if not (ops.is_tensor(gradient) or backend.is_sparse(gradient)):
        # A custom training loop may pass NumPy arrays.
        gradient = ops.convert_to_tensor(gradient)
    gradient = backend.shaped(gradient, tuple(variable.shape))
    return RowGradient.of(gradient, variable) if backend.is_sparse(gradient) else gradient


def as_applied(gradients: Sequence[Any], variables: Sequence[Any], are_summed: bool) -> list[Any]:
    """Convert the gradients of a step for the engine, and make them the same in all replicas.

    Args:
        gradients: List of gradients, one per variable; None where there is none.
        variables: List of the variables.
        are_summed: Whether they are added to those of earlier steps, which requires dense tensors
            in the precision of the arithmetic.
    """
    taken = [
        None if gradient is None else of_variable(gradient, variable)
        for gradient, variable in zip(gradients, variables, strict=True)
    ]
    # Keras clips and accumulates gradients per replica and sums them later. The weights would then
    # differ from those on one device, and the sum is not allowed in a branch of a condition.
    taken = sum_over_replicas(taken, variables)
    if not are_summed:
        return taken
    return [
        None if gradient is None else ops.cast(dense(gradient), arithmetic_dtype(variable))
        for gradient, variable in zip(taken, variables, strict=True)
    ]


def values_of(gradient: Any) -> Any:
    """Return all values of a gradient that may be nonzero."""
    return gradient.values if isinstance(gradient, RowGradient) else gradient


def with_values(gradient: Any, values: Any) -> Any:
    """Return a gradient with other values at the same positions."""
    return gradient.with_values(values) if isinstance(gradient, RowGradient) else values


def dense(gradient: Any) -> Any:
    """Return a gradient as a dense tensor."""
    return gradient.dense() if isinstance(gradient, RowGradient) else backend.dense(gradient)


def native(gradient: Any) -> Any:
    """Return a gradient in the backend's native form."""
    if not isinstance(gradient, RowGradient):
        return gradient
    return backend.lookups_from(gradient.rows, gradient.values, gradient.shape)


def sum_over_replicas(gradients: Sequence[Any], variables: Sequence[Any]) -> list[Any]:
    """Sum gradients over the replicas of a `tf.distribute.Strategy`, if there are several.

    Args:
        gradients: List of gradients of one replica, one per variable; None where there is none.
        variables: List of the variables.
    """
    gradients = list(gradients)
    if not backend.has_replicas():
        return gradients
    numbers = [
        number
        for number, (gradient, variable) in enumerate(zip(gradients, variables, strict=True))
        # With this flag, the "gradient" is the new value, which Keras takes care of.
        if gradient is not None and not getattr(variable, "overwrite_with_gradient", False)
    ]
    summed = backend.sum_over_replicas([native(gradients[number]) for number in numbers])
    for number, gradient in zip(numbers, summed, strict=True):
        gradients[number] = RowGradient.of(gradient, variables[number])
    return gradients


def run(update: "Update") -> None:
    """Update the rows of a `RowGradient`, and leave all others unchanged."""
    rows = update.gradient.rows
    parameter = backend.read_rows(update.variable, rows)
    slots = {name: backend.read_rows(slot, rows) for name, slot in update.plan.slots.items()}
    gradient = update.gradient.by_entry()
    parameter, new_slots = update.plan.formula(parameter, gradient, slots, update.h)
    backend.write_rows(update.variable, rows, parameter)
    for name, value in new_slots.items():
        backend.write_rows(update.plan.slots[name], rows, value)
