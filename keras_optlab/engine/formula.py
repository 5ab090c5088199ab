"""An optimizer's formula for one kind of variable, as a pure function of tensors."""

import functools
from collections.abc import Callable
from typing import Any, final

from keras import ops

from keras_optlab.backends import backend
from keras_optlab.backends.block import Block
from keras_optlab.engine import random_stream
from keras_optlab.engine.algorithm import Algorithm, Values
from keras_optlab.engine.order import Order, order_of
from keras_optlab.engine.passes import Pass
from keras_optlab.engine.scope import Scope
from keras_optlab.engine.slots import Start
from keras_optlab.engine.storage import Storages
from keras_optlab.engine.transform import Placed, PlacedPass, PlacedPeriodic


@final
class Formula:
    """The full update of one kind of variable: weight decay, `step`, transforms and storage.

    All tensors are in their stored representation, and `slots` and `h` are dicts, so that a
    backend can trace the function once for many variables, run it on blocks of rows, or compile
    it.

    Args:
        algorithm: Algorithm that updates the variable, in most cases the optimizer itself.
        weight_decay: Name of the hyperparameter that decays the variable, or None.
        is_decoupled: Whether the decay acts on the parameter directly, not through the gradient.
        dtype: Dtype of the arithmetic.
        storages: How the variable and its slots are stored.
        transforms: Transforms around the algorithm, in order.
    """

    def __init__(
        self,
        algorithm: Algorithm,
        weight_decay: str | None,
        is_decoupled: bool,
        dtype: str,
        storages: Storages,
        transforms: tuple[Placed, ...] = (),
    ) -> None:
        self.algorithm = algorithm
        self.weight_decay = weight_decay
        self.is_decoupled = is_decoupled
        self.dtype = dtype
        self.storages = storages
        self.transforms = transforms
        around = [each.transform for each in transforms]
        # The passes and the periodic work of the transforms.
        self.passes_around = [
            PlacedPass(each, own) for each in transforms for own in each.transform.passes
        ]
        self.periodic_around = [
            PlacedPeriodic(each, own) for each in transforms for own in each.transform.periodic
        ]
        # Whether it has branches, which torch cannot trace.
        self.has_branches = bool(algorithm.periodic or self.periodic_around)
        # Whether transforms and storages can work on blocks of rows, given the sums of all passes.
        self.is_local = (
            storages.is_elementwise
            and not self.has_branches
            and all(each.scope.is_within_rows or each.passes for each in around)
        )
        is_apart = self.is_local and not self.passes_around
        # Whether the formula can run on any part of a variable, in any shape.
        self.elementwise = is_apart and all(
            each.scope is Scope.ELEMENT for each in (algorithm, *around)
        )
        # Whether it can run on some of the rows.
        self.takes_rows = is_apart and algorithm.scope.is_within_rows
        # Cache for backends: compiled programs, and what they find out about the formula.
        self.cache: dict[Any, Any] = {}

    def __call__(
        self, parameter: Any, gradient: Any, slots: dict[str, Any], h: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and slots.

        Args:
            parameter: The variable's value.
            gradient: Its gradient, of the same shape.
            slots: Slots by name.
            h: Hyperparameters of this step by name.
        """
        block = Block(parameter, gradient, slots, h, tuple(parameter.shape))
        block, written = self._through(self.stages, block)
        new_parameter, new_slots = self.rest(block)
        return new_parameter, written | new_slots

    def rest(self, block: Block) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and slots of a block of rows, after all stages have run.

        Args:
            block: The rows, with the stages' sums in `h` and the slots that the stages wrote.
        """
        block, written = self._through(self.last_passes if self.elementwise else [], block)
        new_parameter, new_slots = self.finish(block)
        return new_parameter, written | new_slots

    def started(
        self,
        parameter: Any,
        slots: dict[str, Any],
        h: dict[str, Any],
        starts: dict[str, Start],
    ) -> tuple[Any, dict[str, Any]]:
        """Return the parameter and slots that a step starts from; see `starting`.

        Args:
            parameter: The variable's value.
            slots: Slots by name.
            h: Hyperparameters of this step by name.
            starts: `Start` of each slot that starts from the parameter, by name.
        """
        p = self.storages.decode_parameter(parameter, slots, self.dtype)
        old = self.storages.decode_slots(slots, self.dtype)
        new: dict[str, Any] = {}
        if self.algorithm.training_point:
            back = self.algorithm.training_point(p, Values(**old), Values(**h))
            p = ops.where(h["evaluating"] > 0, back, p)
            parameter, new = self.storages.encode_parameter(p, ())
        for name, start in starts.items():
            value = ops.where(ops.equal(h[start.counter], 1), start.initial(p), old[name])
            new |= self.storages.encode_slot(name, value, ())
        return parameter, new

    def _through(
        self, passes: list[Pass | PlacedPass], block: Block
    ) -> tuple[Block, dict[str, Any]]:
        """Run passes on a block; return the updated block and the slots that were written."""
        written: dict[str, Any] = {}
        for each in passes:
            sums, new_slots = self.run_pass(each, block)
            written |= new_slots
            block = block._replace(slots=block.slots | new_slots, h=block.h | sums)
        return block, written

    def measured(
        self, number: int, parameter: Any, gradient: Any, slots: dict[str, Any], h: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a variable's part of the sums of model pass `number`, and the new slots."""
        block = Block(parameter, gradient, slots, h, tuple(parameter.shape))
        return self.run_pass(self.algorithm.model_passes[number], block)

    def order(self, block: Block) -> Order:
        """Return the order that XLA must keep in `step`; computed once."""
        if "order" not in self.cache:
            (_, p, s, h), _ = self._given(block)
            order = order_of(self.algorithm, p, vars(s), vars(h))
            # A transform may read old values of the slots that it writes.
            around = bool(self.transforms)
            self.cache["order"] = order._replace(parameter_first=order.parameter_first or around)
        return self.cache["order"]

    @functools.cached_property
    def undecayed(self) -> "Formula":
        """The same formula without weight decay."""
        if self.weight_decay is None:
            return self
        kind = (self.is_decoupled, self.dtype, self.storages, self.transforms)
        return Formula(self.algorithm, None, *kind)

    @property
    def may_be_stacked(self) -> bool:
        """Whether to try updating several variables side by side; the backend may still refuse."""
        return self.is_local

    @property
    def last_passes(self) -> list[Pass | PlacedPass]:
        """The passes between the last sum over the model and the step."""
        own = [each for each in self.algorithm.passes if not each.is_over_model]
        return [*own, *self.passes_around]

    @property
    def stages(self) -> list[Pass | PlacedPass]:
        """The passes that must see all of a variable before the step sees any of it."""
        return [] if self.elementwise else self.last_passes

    @property
    def is_cut_by_rows(self) -> bool:
        """Whether stages and step can run on blocks of rows."""
        has_passes = any(not each.is_over_model for each in self.algorithm.passes)
        may_be_cut = self.algorithm.scope.is_within_rows or has_passes
        return may_be_cut and self.is_local and not (self.elementwise or self.algorithm.draws)

    def run_pass(
        self, each: Pass | PlacedPass, block: Block
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run a pass on a block of rows; return its sums and the slots that it writes."""
        (g, p, s, h), _ = self._given(block)
        if isinstance(each, PlacedPass):
            before = self.transforms[: self.transforms.index(each.placed)]
            step, _ = self._step(g, p, s, h, before)
            return each.measure(step, g, p, vars(s), h), {}
        h = random_stream.for_hook(h, each.measure.__name__)
        sums, new_slots = each.measure(self.algorithm, g, p, s, h)
        return sums, self._stored(new_slots, block)

    def _step(
        self, g: Any, p: Any, s: Values, h: Values, transforms: tuple[Placed, ...]
    ) -> tuple[Any, dict[str, Any]]:
        """Return the step after `transforms`, and the new slots of algorithm and transforms."""
        step, new_slots = self.algorithm.step(g, p, s, random_stream.for_hook(h, "step"))
        for each in transforms:
            step, written = each.changed("step", step, g, p, vars(s), h)
            new_slots = new_slots | written
        return step, new_slots

    def finish(self, block: Block) -> tuple[Any, dict[str, Any]]:
        """Return the new parameter and slots of a block of rows, after all passes have run."""
        (g, p, s, h), written = self._given(block)
        step, new_slots = self._step(g, p, s, h, self.transforms)
        for each in self.algorithm.periodic:
            seen = Values(**vars(s) | new_slots)
            given = self.algorithm, g, p, seen, random_stream.for_hook(h, each.work.__name__)
            work = functools.partial(each.work, *given)
            new_slots = new_slots | _branch(each.condition(h), work, vars(seen), self.dtype)
        new_slots = new_slots | written
        new_parameter = p - step
        for each in self.transforms:
            new_parameter, written = each.changed("parameter", new_parameter, p, vars(s), h)
            new_slots |= written
        for each in self.periodic_around:
            seen = vars(s) | new_slots
            work = functools.partial(each.work, step, g, p, seen, h)
            new_slots |= _branch(each.is_due(h), work, seen, self.dtype)
        seeds = (block.h["t"], block.h.get("rounding_seed"), block.gradient)
        value, parts = self.storages.encode_parameter(
            new_parameter, [seed for seed in seeds if seed is not None]
        )
        return value, self._stored(new_slots, block) | parts

    def _stored(self, new_slots: dict[str, Any], block: Block) -> dict[str, Any]:
        """Return new slots in their stored representation."""
        stored: dict[str, Any] = {}
        for name, value in new_slots.items():
            seeds = [block.h["t"]]
            if tuple(block.gradient.shape) == tuple(value.shape):
                seeds.append(block.gradient)
            stored |= self.storages.encode_slot(name, value, seeds)
        return stored

    def _given(self, block: Block) -> tuple[tuple[Any, Any, Values, Values], dict[str, Any]]:
        """Return the inputs of `step` in the dtype of the arithmetic, with weight decay applied.

        Returns:
            Gradient, parameter, slots and numbers; and the slots that gradient hooks wrote.
        """
        parameter = self.storages.decode_parameter(block.parameter, block.slots, self.dtype)
        gradient = ops.cast(block.gradient, self.dtype)
        slots = Values(**self.storages.decode_slots(block.slots, self.dtype))
        h = Values(**block.h, shape=tuple(block.shape))
        random_stream.hand_in(slots, h, self.dtype)
        h.decay = getattr(h, self.weight_decay) if self.weight_decay else None
        if self.weight_decay and not self.is_decoupled:
            gradient = gradient + parameter * h.decay
            h.decay = None
        new_slots: dict[str, Any] = {}
        for each in self.transforms:
            gradient, written = each.changed("gradient", gradient, parameter, vars(slots), h)
            new_slots |= written
        if h.decay is not None and not self.algorithm.decays_in_update:
            parameter = parameter - parameter * h.decay * h.learning_rate
        return (gradient, parameter, slots, h), new_slots


def _branch(
    is_due: Any, work: Callable[[], dict[str, Any]], slots: dict[str, Any], dtype: str
) -> dict[str, Any]:
    """Return the slots that periodic work writes, unchanged if it is not due."""
    names: list[str] = []

    def done() -> list[Any]:
        new_slots = work()
        names[:] = new_slots
        return [ops.cast(x, dtype) for x in new_slots.values()]

    def left() -> list[Any]:
        return [slots[name] for name in names]

    # A backend that traces both branches traces `done` first, so `left` finds the names. One that
    # runs a single branch returns no slots at all from `left`.
    return dict(zip(names, backend.branch(is_due, done, left), strict=True))
