"""An optimizer's formula for the variables of one kind, as a pure function of tensors."""

import functools
import math
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, final

import keras
from keras import ops

from keras_optlab.engine import backend, rounding
from keras_optlab.engine.block import Block

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer

Values = SimpleNamespace

# Below this number of elements, a copy takes XLA less time than to keep an order.
LARGE = 1 << 16

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
        block = Block(parameter, gradient, slots, h, tuple(parameter.shape))
        for stage in range(self.stages):
            block = block._replace(h=block.h | self.total(stage, block))
        return self.finish(block)

    def compiled_by(
        self, compiler: Callable[[Callable], Any], known: dict[str, Any] | None = None
    ) -> Any:
        """What a compiler makes of the formula, made once; in order, if `known` values are given.

        Args:
            compiler: The only one that the backend uses for this.
            known: What `in_order` takes by this name, or None for the formula as it is called.
        """
        key = "called" if known is None else ("in order", *known.items())
        if key not in self.compiled:
            function = self if known is None else functools.partial(self.in_order, known=known)
            self.compiled[key] = compiler(function)
        return self.compiled[key]

    def all_in_order(
        self,
        states: list[tuple[Any, dict[str, Any]]],
        gradients: list[Any],
        h: dict[str, Any],
        in_order: Callable[[dict[str, Any]], Callable],
    ) -> list[tuple[Any, dict[str, Any]]]:
        """The new parameters and slots of several variables, for XLA.

        Of a formula that is simpler for the usual values of `h`, both versions are there, and the
        values decide which one runs.

        Args:
            states: Parameter and slots of each variable.
            gradients: The gradient of each.
            h: Hyperparameters of this step by name.
            in_order: Gives what a backend has made of `in_order` for some settled values.
        """
        usual = {name: x for name, x in self.optimizer.usual.items() if name in h}
        if not usual:
            run = in_order({})
            pairs = zip(states, gradients, strict=True)
            return [run(parameter, g, slots, h) for (parameter, slots), g in pairs]
        is_usual = functools.reduce(
            ops.logical_and, [ops.equal(h[name], value) for name, value in usual.items()]
        )
        for condition, known in ((is_usual, usual), (ops.logical_not(is_usual), {})):
            run = in_order(known)

            def update(count: Any, states: list, run: Callable = run) -> list:
                # Without it, XLA computes in advance what depends on the gradients alone.
                later_gradients, later_h = _later((gradients, h), [count])
                new = []
                for (parameter, slots), gradient in zip(states, later_gradients, strict=True):
                    parameter, new_slots = run(parameter, gradient, slots, later_h)
                    new.append((parameter, slots | new_slots))
                return new

            states = backend.once_if(condition, update, states)
        return states

    def in_order(
        self,
        parameter: Any,
        gradient: Any,
        slots: dict[str, Any],
        h: dict[str, Any],
        known: dict[str, Any],
    ) -> tuple[Any, dict[str, Any]]:
        """The new parameter and slots, so that XLA copies nothing and keeps no large intermediate.

        XLA on CPU copies a buffer that is overwritten while something else may still read it, and
        keeps whatever is used twice. A data dependency on what has to be done before (`_later`)
        prevents both.

        Args:
            parameter: The variable's value.
            gradient: Its gradient, of the same shape.
            slots: Slots by name.
            h: Hyperparameters of this step by name.
            known: Those that are settled, as Python numbers.
        """
        h = h | known
        if math.prod(parameter.shape) < LARGE:
            return self(parameter, gradient, slots, h)
        shape = tuple(parameter.shape)
        first: dict[str, Any] = {}
        totals: dict[str, Any] = {}

        def after(done: Iterable[Any]) -> Block:
            p, g, own, numbers = _later((parameter, gradient, slots, h), done)
            return Block(p, g, own | first, numbers | totals, shape)

        now = Block(parameter, gradient, slots, h, shape)
        for stage in range(self.stages):
            total = self.total(stage, now)
            totals |= total
            now = after(total.values())
        first |= self.first(now)
        if first:
            now = after(first.values())
        new_parameter, new_slots = self.finish(now, first)
        if any(_is_reduced(slot.dtype) for slot in slots.values()) and COMPENSATION not in slots:
            # XLA writes each of them by itself, those last that others are computed from.
            done = new_parameter
            for name in reversed(list(new_slots)):
                if name not in first:
                    done = new_slots[name] = self.finish(after([done]), first)[1][name]
        elif self.optimizer.parameter_first:
            _, new_slots = self.finish(after([new_parameter]), first)
        for name in self.optimizer.unread_slots:
            # Without reading the old one, XLA would make a new buffer.
            never = _impossible([new_parameter])
            new_slots[name] = ops.where(never, slots[name], new_slots[name])
        return new_parameter, new_slots

    def settled(self, h: dict[str, Any]) -> dict[str, Any]:
        """Those of `h` that have their usual values, as Python numbers; outside of a trace."""
        usual = self.optimizer.usual.items()
        return {name: value for name, value in usual if name in h and bool(h[name] == value)}

    @property
    def stages(self) -> int:
        """How many totals over the whole variable `update` needs, one after another."""
        return 0 if self.elementwise else len(self.optimizer.totals)

    def total(self, stage: int, block: Block) -> dict[str, Any]:
        """Totals number `stage` over a block of rows."""
        return self.optimizer.totals[stage](self.optimizer, *self._given(block))

    def first(self, block: Block) -> dict[str, Any]:
        """The new values of the slots that come before `update`, which sees these."""
        if not self.optimizer.first_slots:
            return {}
        return self._stored(self.optimizer.first_slots(*self._given(block)), block)

    def finish(
        self, block: Block, first: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """The new parameter and slots of a block of rows, where `h` has the totals.

        Args:
            block: The rows.
            first: What the method of this name has returned, and is in the slots already.
        """
        if first is None:
            first = self.first(block)
            block = block._replace(slots=block.slots | first)
        new_parameter, new_slots = self.optimizer.update(*self._given(block))
        stored = first | self._stored(new_slots, block)
        dtype = block.parameter.dtype
        if COMPENSATION in block.slots:
            new_parameter, stored[COMPENSATION] = rounding.compensated(new_parameter, dtype)
        elif self.optimizer.rounding == "stochastic" and rounding.is_half(dtype):
            noise = (block.h["t"], block.h["rounding_seed"], block.gradient)
            new_parameter = rounding.stochastic(new_parameter, dtype, *noise)
        return ops.cast(new_parameter, dtype), stored

    def _stored(self, new_slots: dict[str, Any], block: Block) -> dict[str, Any]:
        """New slots in the dtypes that they are kept in."""
        return {
            name: self._stored_slot(value, block.slots[name].dtype, block)
            for name, value in new_slots.items()
        }

    def _stored_slot(self, value: Any, dtype: Any, block: Block) -> Any:
        """A new slot in the dtype that it is kept in.

        bfloat16 has 8 bits: nearest rounding would lose every change of less than 1 part in 512,
        which is all that a moving average with a rate of 0.999 makes.
        """
        if not _is_reduced(dtype):
            return ops.cast(value, dtype)
        salt = (block.gradient,) if tuple(block.gradient.shape) == tuple(value.shape) else ()
        return rounding.stochastic(value, dtype, block.h["t"], *salt)

    def _given(self, block: Block) -> tuple[Any, Any, Values, Values]:
        """What `update` gets: all in the arithmetic's dtype, the weight decay done."""
        optimizer = self.optimizer
        parameter, gradient, slots, numbers, shape = block
        if COMPENSATION in slots:
            parameter = rounding.restored(parameter, slots[COMPENSATION])
        parameter = ops.cast(parameter, self.dtype)
        gradient = ops.cast(gradient, self.dtype)
        slots = Values(**{name: ops.cast(slot, self.dtype) for name, slot in slots.items()})
        h = Values(**numbers, shape=tuple(shape))
        if optimizer.training_point:
            # A step of the user's own, taken at the evaluation point: come back by the formula.
            at_training_point = optimizer.training_point(parameter, slots, h)
            parameter = where(h.evaluating > 0, at_training_point, parameter)
        h.decay = getattr(h, self.weight_decay) if self.weight_decay else None
        if self.weight_decay and not optimizer.decoupled_weight_decay:
            gradient = gradient + parameter * h.decay
            h.decay = None
        elif self.weight_decay and not optimizer.decays_in_update:
            parameter = backend.decayed(parameter, h.decay, h.learning_rate)
        return parameter, gradient, slots, h


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where a condition holds and y elsewhere; a Python boolean chooses one of them as it is."""
    if isinstance(condition, bool):
        return x if condition else y
    return ops.where(condition, x, y)


def _is_reduced(dtype: Any) -> bool:
    """Whether a slot of a dtype is kept in fewer bits than the arithmetic has."""
    return keras.backend.standardize_dtype(dtype) == "bfloat16"


def _impossible(done: Iterable[Any]) -> Any:
    """False, which XLA does not know before some arrays are done."""
    # Unlike a product with 0, no NaN comes of it.
    return sum(array[(0,) * len(array.shape)] for array in done) < -math.inf


def _later(values: Any, done: Iterable[Any]) -> Any:
    """The same values, which XLA cannot have before some arrays are done, nor take for the same."""
    impossible = _impossible(done)

    def later(value: Any) -> Any:
        if isinstance(value, (bool, float)):
            return value
        if keras.backend.standardize_dtype(value.dtype) == "bool":
            return ops.logical_or(value, impossible)
        return value + ops.cast(impossible, value.dtype)

    return keras.tree.map_structure(later, values)
