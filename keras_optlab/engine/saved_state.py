"""All state of an optimizer: taking and restoring snapshots, writing and reading files."""

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
    """Warning that the optimizer state in a file was skipped: it does not match the optimizer."""


@final
@dataclass(frozen=True)
class Snapshot:
    """Complete state of an optimizer at one moment.

    Args:
        values: Each variable with a copy of its value.
        arrays: Arrays that are not variables, such as a training point to return to.
        later: Values of variables that do not exist yet.
        pending: State from a file, in the built-in's order, waiting for the optimizer to be built.
    """

    values: tuple[tuple[Any, Any], ...]
    arrays: dict[str, Any]
    later: dict[str, Any]
    pending: list[np.ndarray] | None


@final
class SlotInParts(NamedTuple):
    """A slot stored in several variables; files hold its decoded value, not the parts."""

    plan: "Plan"
    name: str

    def value(self) -> Any:
        """Return the decoded value."""
        storages = self.plan.formula.storages
        return storages.decode_slots(self.plan.slots, self.plan.dtype)[self.name]

    def assign(self, value: Any) -> None:
        """Encode and store a value."""
        value = ops.convert_to_tensor(value, self.plan.dtype)
        for part, x in self.plan.formula.storages.encode_slot(self.name, value, ()).items():
            self.plan.slots[part].assign(x)


@final
class SavedState:
    """State of an optimizer: snapshots, saving and loading.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: "Optimizer") -> None:
        self.optimizer = optimizer
        self.pending: list[np.ndarray] | None = None
        # The state from before a file was read, kept until the next step.
        self.before_load: Snapshot | None = None

    def snapshot(self) -> Snapshot:
        """Return a snapshot of the current state."""
        extra = self.optimizer.extra_state
        # JAX arrays are immutable, so they need no copy.
        keep = ops.convert_to_tensor if keras.backend.backend() == "jax" else ops.copy
        variables = [each for each in self.optimizer.variables if is_attached(each)]
        return Snapshot(
            tuple((variable, keep(variable)) for variable in variables),
            dict(extra.arrays),
            dict(extra.pending),
            self.pending,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Restore the state from a snapshot."""
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
        """Roll back the state if the block raises."""
        before, before_load = self.snapshot(), self.before_load
        try:
            yield
        except BaseException:
            self.restore(before)
            self.before_load = before_load
            raise

    def contents(self) -> tuple[list[np.ndarray] | None, dict[str, np.ndarray]]:
        """Return the state on the host: the built-in's as a list in its order, the rest by name."""
        optimizer = self.optimizer
        optimizer.fetch_training_point()
        state = [np.array(ops.convert_to_numpy(each)) for each in self._values()]
        extra = {**optimizer.extra_state.pending, **optimizer.extra_state.contents()}
        return (state if optimizer.built else self.pending), extra

    def write(self, store: Any) -> None:
        """Write the variables that the built-in also has, in its layout."""
        # Must come before the extra state is written, which includes the training point.
        self.optimizer.fetch_training_point()
        for position, value in enumerate(self._values()):
            # Built-ins cannot read bfloat16; float32 represents it exactly.
            is_half = keras.backend.standardize_dtype(value.dtype) == "bfloat16"
            value = ops.cast(value, "float32") if is_half else value
            store[str(position)] = ops.convert_to_numpy(value)

    def _values(self) -> list[Any]:
        """Return the decoded values of the variables that the built-in also has, in its order."""
        in_parts = self._slots_in_parts()
        return [
            in_parts[id(variable)].value() if id(variable) in in_parts else variable
            for variable in self.optimizer.saved_variables
        ]

    def assign(self, values: Iterable[Any]) -> None:
        """Set the variables that the built-in also has, from values in its order."""
        in_parts = self._slots_in_parts()
        for variable, value in zip(self.optimizer.saved_variables, values, strict=True):
            in_parts.get(id(variable), variable).assign(value)

    def _slots_in_parts(self) -> dict[int, "SlotInParts"]:
        """Return the slots stored in several variables, by the `id` of the main variable."""
        return {
            id(plan.slots[name]): SlotInParts(plan, name)
            for plan in self.optimizer.engine.plans
            for name, others in plan.formula.storages.others.items()
            if others and name in plan.slots
        }

    def read(self, store: Any) -> None:
        """Read state written by `write` of this optimizer or of the built-in.

        Raises:
            ValueError: If the state does not match this optimizer, which is then left unchanged.
        """
        optimizer = self.optimizer
        self.before_load = None
        state = [np.asarray(store[str(n)]) for n in range(len(store.keys()))]
        # A file with only weights, such as pretrained ones, has no optimizer state.
        if not state:
            return
        # The extra state, which is read next, may show that the file is from another optimizer.
        self.before_load = self.snapshot()
        if optimizer.built or len(state) == len(optimizer.saved_variables):
            optimizer.extra_state.skips = not self.take(state)
        else:
            self.pending = state

    def take(self, state: list[np.ndarray]) -> bool:
        """Load the values of the variables that the built-in also has, in its order.

        Returns:
            Whether there are as many values as variables. If not, they are skipped with a warning.

        Raises:
            ValueError: If a value has the wrong shape.
        """
        optimizer = self.optimizer
        self.pending = None
        found = [tuple(value.shape) for value in state]
        expected = [tuple(variable.shape) for variable in optimizer.saved_variables]
        if len(found) != len(expected):
            # As in Keras: users save models before training them, and load weights into models
            # with another optimizer.
            self._warn_of_skipped(
                f"it has {len(expected)} variables whereas the saved optimizer has {len(found)} "
                "variables. An optimizer that is saved before its first step may have no slots yet"
            )
            return False
        if found != expected:
            raise ValueError(
                f"The saved state does not match this {type(optimizer).__name__} and its "
                f"variables, so nothing was loaded. Expected {len(expected)} arrays of shapes "
                f"{expected}. Received: {len(found)} of shapes {found}. Load it into an optimizer "
                "with the arguments and the model that it was saved with."
            )
        self.assign(state)
        self._start_what_built_ins_lack()
        return True

    def reject(self, found: str) -> None:
        """Undo the preceding load: its state is not for this optimizer.

        Args:
            found: Description of the loaded state, such as "the state of `Adam.update`".

        Raises:
            ValueError: If the optimizer is built, and so might have accepted the wrong state.
        """
        optimizer = self.optimizer
        if self.before_load:
            self.restore(self.before_load)
            self.before_load = None
        if not optimizer.built:
            # A built-in that is not built yet also skips whatever was saved.
            self._warn_of_skipped(f"the file has {found}")
            return
        raise ValueError(
            "Expected the state of an optimizer whose formula is "
            f"`{optimizer.extra_state.formula}`. Received: a file with {found}. The optimizer's "
            "state is unchanged. Load the file into a model with the optimizer and the "
            "keras-optlab version that it was saved with."
        )

    def _warn_of_skipped(self, reason: str) -> None:
        warnings.warn(
            f"Skipping variable loading for optimizer '{self.optimizer.name}', because {reason}.",
            SkippedState,
            stacklevel=3,
        )

    def _start_what_built_ins_lack(self) -> None:
        """Reset the state that built-ins lack; a file of ours restores it right after."""
        optimizer = self.optimizer
        optimizer.extra_state.forget()
        optimizer.engine.numbers.restart()
        if optimizer.evaluates_elsewhere:
            optimizer.engine.evaluating.assign(0.0)
