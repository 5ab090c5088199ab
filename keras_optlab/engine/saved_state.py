"""All state of an optimizer: what it was, put back; written to files, and read from them."""

import contextlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, final

import keras
import numpy as np
from keras import ops

from keras_optlab.keras_glue.hooks import is_attached

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer
    from keras_optlab.engine.plan import Plan


@final
class SkippedState(UserWarning):
    """A file's state of an optimizer was left alone, since it is not that of the one here."""


@final
@dataclass(frozen=True)
class Snapshot:
    """All state of an optimizer at one moment.

    Args:
        values: Each variable with a copy of its value.
        arrays: Arrays that are no variables, such as a point to go back to.
        later: Values of variables that are not made yet.
        pending: State of a file, in the built-in's order, that waits for the optimizer to be built.
    """

    values: tuple[tuple[Any, Any], ...]
    arrays: dict[str, Any]
    later: dict[str, Any]
    pending: list[np.ndarray] | None


@final
class SlotInParts(NamedTuple):
    """A slot that is stored in several variables: files hold its numbers, not the parts."""

    plan: "Plan"
    name: str

    def value(self) -> Any:
        """The numbers."""
        storages = self.plan.formula.storages
        return storages.decode_slots(self.plan.slots, self.plan.dtype)[self.name]

    def assign(self, value: Any) -> None:
        """Store numbers."""
        value = ops.convert_to_tensor(value, self.plan.dtype)
        for part, x in self.plan.formula.storages.encode_slot(self.name, value, ()).items():
            self.plan.slots[part].assign(x)


@final
class SavedState:
    """The state of an optimizer.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: "Optimizer") -> None:
        self.optimizer = optimizer
        self.pending: list[np.ndarray] | None = None
        # What the state was before a file was read, until the next step.
        self.before_load: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """The state as it is now."""
        extra = self.optimizer.extra_state
        # Arrays of JAX never change, and so need no copy.
        keep = ops.convert_to_tensor if keras.backend.backend() == "jax" else ops.copy
        variables = [each for each in self.optimizer.variables if is_attached(each)]
        return Snapshot(
            tuple((variable, keep(variable)) for variable in variables),
            dict(extra.arrays),
            dict(extra.pending),
            self.pending,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Put the state back as it was."""
        extra = self.optimizer.extra_state
        for variable, value in snapshot.values:
            variable.assign(value)
        extra.forget()
        for name, value in snapshot.arrays.items():
            extra.keep(name, value)
        extra.pending = dict(snapshot.later)
        self.pending = snapshot.pending

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Put the state back as it was if the block raises."""
        before, before_load = self.snapshot(), self.before_load
        try:
            yield
        except BaseException:
            self.restore(before)
            self.before_load = before_load
            raise

    def contents(self) -> tuple[list[np.ndarray] | None, dict[str, np.ndarray]]:
        """The state on the host: in the built-in's order, and what the built-in lacks by name."""
        optimizer = self.optimizer
        optimizer.fetch_training_point()
        state = [np.array(ops.convert_to_numpy(each)) for each in self._values()]
        extra = {**optimizer.extra_state.pending, **optimizer.extra_state.contents()}
        return (state if optimizer.built else self.pending), extra

    def write(self, store: Any) -> None:
        """Write the variables that a built-in has too, in its layout."""
        # Comes before the extra state, in which it is written.
        self.optimizer.fetch_training_point()
        for position, value in enumerate(self._values()):
            # A built-in reads no bfloat16; float32 holds it exactly.
            is_half = keras.backend.standardize_dtype(value.dtype) == "bfloat16"
            value = ops.cast(value, "float32") if is_half else value
            store[str(position)] = ops.convert_to_numpy(value)

    def _values(self) -> list[Any]:
        """What the variables mean that a built-in has too, in its order."""
        in_parts = self._slots_in_parts()
        return [
            in_parts[id(variable)].value() if id(variable) in in_parts else variable
            for variable in self.optimizer.saved_variables
        ]

    def assign(self, values: Iterable[Any]) -> None:
        """Set the variables that a built-in has too, in its order."""
        in_parts = self._slots_in_parts()
        for variable, value in zip(self.optimizer.saved_variables, values, strict=True):
            in_parts.get(id(variable), variable).assign(value)

    def _slots_in_parts(self) -> dict[int, "SlotInParts"]:
        """The slots that are stored in several variables, by the identity of the main one."""
        return {
            id(plan.slots[name]): SlotInParts(plan, name)
            for plan in self.optimizer.engine.plans
            for name, others in plan.formula.storages.others.items()
            if others and name in plan.slots
        }

    def read(self, store: Any) -> None:
        """Read what `write` of this optimizer or of the built-in wrote.

        Raises:
            ValueError: If the state is not that of this optimizer; nothing is changed then.
        """
        optimizer = self.optimizer
        state = [np.asarray(store[str(n)]) for n in range(len(store.keys()))]
        # A file of weights alone, such as pretrained ones, says nothing about the optimizer.
        if not state:
            return
        # The extra state, which comes next in a file, may show that the file is another's.
        self.before_load = self.snapshot()
        if optimizer.built or len(state) == len(optimizer.saved_variables):
            optimizer.extra_state.skips = not self.take(state)
        else:
            self.pending = state

    def take(self, state: list[np.ndarray]) -> bool:
        """Take over the values of the variables that a built-in has too, in its order.

        Returns:
            Whether they were as many as the optimizer has, without which it skips them.

        Raises:
            ValueError: If one has another shape.
        """
        optimizer = self.optimizer
        self.pending = None
        found = [tuple(value.shape) for value in state]
        expected = [tuple(variable.shape) for variable in optimizer.saved_variables]
        if len(found) != len(expected):
            # As Keras does, whose users save models before they train them, and load weights into
            # models with another optimizer.
            self._warn_of_skipped(
                f"it has {len(expected)} variables whereas the saved optimizer has {len(found)} "
                "variables. One that was saved before any training has none but its step count"
            )
            return False
        if found != expected:
            raise ValueError(
                f"The saved state is not that of this {type(optimizer).__name__} and these "
                f"variables, so nothing was loaded. Expected {len(expected)} arrays of shapes "
                f"{expected}. Received: {len(found)} of shapes {found}. Load it into the "
                "optimizer, with the arguments and the model, that it was saved from."
            )
        self.assign(state)
        self._start_what_built_ins_lack()
        return True

    def reject(self, whose: str) -> None:
        """Take back the state that was loaded right before: it is not for this optimizer.

        Args:
            whose: Whose state it is, in words.

        Raises:
            ValueError: If the optimizer is built, and so might have taken that state as its state.
        """
        optimizer = self.optimizer
        if self.before_load:
            self.restore(self.before_load)
            self.before_load = None
        if not optimizer.built:
            # Whatever was saved, a built-in that is not built yet skips it.
            self._warn_of_skipped(f"the saved state is {whose}")
            return
        raise ValueError(
            "Expected the state of an optimizer whose formula is "
            f"`{optimizer.extra_state.formula}`. Received: a file with {whose}. The optimizer's "
            "state is as it was; load the file into a model with the optimizer, and the version of "
            "keras-optlab, that it was saved from."
        )

    def _warn_of_skipped(self, reason: str) -> None:
        warnings.warn(
            f"Skipping variable loading for optimizer '{self.optimizer.name}', because {reason}.",
            SkippedState,
            stacklevel=3,
        )

    def _start_what_built_ins_lack(self) -> None:
        """Start the state that built-ins lack afresh; a file of ours restores it right after."""
        optimizer = self.optimizer
        optimizer.extra_state.forget()
        optimizer.engine.numbers.restart()
        if optimizer.evaluates_elsewhere:
            optimizer.engine.evaluating.assign(0.0)
