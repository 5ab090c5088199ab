"""An optimizer's formula for the variables of one kind, as a pure function of tensors."""

import math
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, final

import keras
from keras import ops

from keras_optlab.engine import backend, rounding

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer

Values = SimpleNamespace

# The slot that holds what rounding takes from a half-precision variable.
COMPENSATION = "compensation"


@final
class Formula:
    """What an optimizer does to each variable of one kind: weight decay, `update`, and storage.

    All tensors are as they are stored, and `slots` and `h` are dicts, so that a backend can
    trace the function once for many variables, run it on blocks of rows, or compile it.

    Args:
        optimizer: The optimizer, of which only what is fixed once it is built is used.
        weight_decay: Name of the hyperparameter that decays the variable, or None.
        dtype: Dtype of the arithmetic.
        elementwise: Whether each element is updated for itself, so that any part of the variable
            may be given, in any shape.
    """

    def __init__(
        self, optimizer: "Optimizer", weight_decay: str | None, dtype: str, elementwise: bool
    ) -> None:
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.dtype = dtype
        self.elementwise = elementwise
        # What a backend has compiled of it.
        self.compiled: dict[Any, Any] = {}

    def __call__(
        self, parameter: Any, gradient: Any, slots: dict[str, Any], h: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """The new parameter and slots.

        Args:
            parameter: The variable's value.
            gradient: Its gradient, of the same shape.
            slots: Slots by name.
            h: Hyperparameters of this step by name.
        """
        shape = tuple(parameter.shape)
        for stage in range(self.stages):
            h = h | self.total(stage, parameter, gradient, slots, h, shape)
        return self.finish(parameter, gradient, slots, h, shape)

    def in_order(
        self, parameter: Any, gradient: Any, slots: dict[str, Any], h: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """The same for XLA, written so that it copies no buffer and keeps no large intermediate.

        XLA on CPU copies a buffer that is overwritten while something else may still read it, and
        keeps whatever is used twice. A data dependency on what has to be done before (`_after`)
        prevents both.
        """
        shape = tuple(parameter.shape)
        if 0 in shape:
            return self(parameter, gradient, slots, h)
        given = (parameter, gradient, slots, h)
        for stage in range(self.stages):
            total = self.total(stage, *given, shape)
            given = _after(total.values(), *given[:3], given[3] | total)
        new_parameter, new_slots = self.finish(*given, shape)
        if self.optimizer.parameter_first:
            _, new_slots = self.finish(*_after([new_parameter], *given), shape)
        return new_parameter, new_slots

    @property
    def stages(self) -> int:
        """How many totals over the whole variable `update` needs, one after another."""
        return 0 if self.elementwise else len(self.optimizer.totals)

    def total(
        self,
        stage: int,
        parameter: Any,
        gradient: Any,
        slots: dict[str, Any],
        h: dict[str, Any],
        shape: Sequence[int],
    ) -> dict[str, Any]:
        """Totals number `stage` over a block of rows of a variable of a `shape`."""
        given = self._given(parameter, gradient, slots, h, shape)
        return self.optimizer.totals[stage](self.optimizer, *given)

    def finish(
        self,
        parameter: Any,
        gradient: Any,
        slots: dict[str, Any],
        h: dict[str, Any],
        shape: Sequence[int],
    ) -> tuple[Any, dict[str, Any]]:
        """The new values of a block of rows, where `h` has the totals."""
        given = self._given(parameter, gradient, slots, h, shape)
        new_parameter, new_slots = self.optimizer.update(*given)
        stored = {
            name: self._stored_slot(value, slots[name].dtype, gradient, h)
            for name, value in new_slots.items()
        }
        if COMPENSATION in slots:
            pair = rounding.compensated(new_parameter, parameter.dtype)
            new_parameter, stored[COMPENSATION] = pair
        elif self.optimizer.rounding == "stochastic" and rounding.is_half(parameter.dtype):
            noise = (h["t"], h["rounding_seed"], gradient)
            new_parameter = rounding.stochastic(new_parameter, parameter.dtype, *noise)
        return ops.cast(new_parameter, parameter.dtype), stored

    def _stored_slot(self, value: Any, dtype: Any, gradient: Any, h: dict[str, Any]) -> Any:
        """A new slot in the dtype that it is kept in.

        bfloat16 has 8 bits: nearest rounding would lose every change of less than 1 part in 512,
        which is all that a moving average with a rate of 0.999 makes.
        """
        if keras.backend.standardize_dtype(dtype) != "bfloat16":
            return ops.cast(value, dtype)
        salt = (gradient,) if tuple(gradient.shape) == tuple(value.shape) else ()
        return rounding.stochastic(value, dtype, h["t"], *salt)

    def _given(
        self,
        parameter: Any,
        gradient: Any,
        slots: dict[str, Any],
        h: dict[str, Any],
        shape: Sequence[int],
    ) -> tuple[Any, Any, Values, Values]:
        """What `update` gets: all in the arithmetic's dtype, the weight decay done."""
        optimizer = self.optimizer
        if COMPENSATION in slots:
            parameter = rounding.restored(parameter, slots[COMPENSATION])
        parameter = ops.cast(parameter, self.dtype)
        gradient = ops.cast(gradient, self.dtype)
        slots = Values(**{name: ops.cast(slot, self.dtype) for name, slot in slots.items()})
        h = Values(**h, shape=tuple(shape))
        if optimizer.training_point:
            # A step of the user's own, taken at the evaluation point: come back by the formula.
            at_training_point = optimizer.training_point(parameter, slots, h)
            parameter = ops.where(h.evaluating > 0, at_training_point, parameter)
        h.decay = getattr(h, self.weight_decay) if self.weight_decay else 0.0
        if self.weight_decay and not optimizer.decoupled_weight_decay:
            gradient = gradient + parameter * h.decay
            h.decay = 0.0
        elif self.weight_decay and not optimizer.decays_in_update:
            parameter = backend.decayed(parameter, h.decay, h.learning_rate)
        return parameter, gradient, slots, h


def _after(
    done: Iterable[Any], parameter: Any, gradient: Any, slots: dict[str, Any], h: dict[str, Any]
) -> tuple[Any, Any, dict[str, Any], dict[str, Any]]:
    """The same values, which XLA cannot have before some arrays are done, nor take for the same."""
    # Never true, which XLA does not know; unlike a product with 0, no NaN comes of it.
    impossible = sum(array[(0,) * len(array.shape)] for array in done) < -math.inf

    def later(value: Any) -> Any:
        return value + ops.cast(impossible, value.dtype)

    later_slots = {name: later(slot) for name, slot in slots.items()}
    later_h = {name: later(value) for name, value in h.items()}
    return later(parameter), later(gradient), later_slots, later_h
