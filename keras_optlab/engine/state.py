"""State that built-in optimizers lack, kept and saved next to theirs."""

from collections.abc import Callable
from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.arguments.hyperparameter import COMPLEMENT, shortest
from keras_optlab.keras_glue.hooks import Saveable
from keras_optlab.keras_glue.types import to_numpy

# Keys in a file for the name of the formula and the version of the format.
FORMULA = "formula"
FORMAT = "format"

# Files of 0.1.0 have no version number, and count as version 1.
NEWEST_FORMAT = 2


@final
class ExtraState(Saveable):
    """State of an optimizer that no built-in saves.

    It is saved under a separate path (`optimizer/extra_state`), so that the optimizer's entry
    keeps the built-in's layout: each can load the other's files. A built-in's file has no such
    path, and changes nothing here.

    Args:
        formula: Name of the formula that the whole state belongs to. It is saved too, since slots
            of two algorithms may have the same shapes. "" for an optimizer that is not ours.
        reject: Function that undoes the optimizer's preceding load; its argument describes the
            state that was loaded.
    """

    def __init__(
        self, formula: str = "", reject: Callable[[str], None] = lambda found: None
    ) -> None:
        self.formula = formula
        self.reject = reject
        self.variables: dict[str, keras.Variable] = {}
        # Arrays needed only in files and on the host, such as a training point to return to.
        self.arrays: dict[str, Any] = {}
        self.pending: dict[str, np.ndarray] = {}
        # Whether to skip the next contents, because the state they belong to was skipped.
        self.skips = False
        # Object that `tf.train.Checkpoint` saves; None on other backends.
        self.checkpointed: Any = None

    def add(self, name: str, value: float, dtype: str) -> keras.Variable:
        """Create a scalar variable, with its value from a previously loaded file, if any."""
        variable = keras.Variable(
            self.pending.pop(name, value),
            dtype=dtype,
            trainable=False,
            name=name,
        )
        self.variables[name] = variable
        return variable

    def add_filled(
        self, name: str, number: float, shape: tuple[int, ...], dtype: str, layout: Any
    ) -> keras.Variable:
        """Create a variable filled with a number, distributed over devices by a layout.

        As in `add`, a value from a previously loaded file is restored.
        """
        variable = keras.Variable(
            keras.initializers.Constant(number) if number else "zeros",
            shape=shape,
            dtype=dtype,
            trainable=False,
            name=name,
            layout=layout,
        )
        restored = self.pending.pop(name, self.arrays.pop(name, None))
        if restored is not None:
            variable.assign(restored)
        self.variables[name] = variable
        return variable

    def keep(self, name: str, value: Any) -> None:
        """Hold an array until it is taken; TensorFlow checkpoints include it."""
        if self.checkpointed is not None:
            variable = keras.Variable(value, trainable=False, name=name)
            setattr(self.checkpointed, name, variable.value)
            # Setting the attribute may load a value from a previously restored checkpoint.
            variable.assign(value)
            value = variable
        self.arrays[name] = value

    def fetch(self, name: str, like: Any) -> None:
        """Hold the array that a restored TensorFlow checkpoint has under a name, if any."""
        if self.checkpointed is None or name in self.arrays:
            return
        variable = keras.Variable(ops.full_like(like, np.nan), trainable=False, name=name)
        setattr(self.checkpointed, name, variable.value)
        self.arrays[name] = variable
        if ops.all(ops.isnan(variable)):
            self.take(name)

    def take(self, name: str) -> Any:
        """Remove an array and return it, or None if there is none."""
        value = self.arrays.pop(name, None)
        if value is not None and hasattr(self.checkpointed, name):
            delattr(self.checkpointed, name)
        return value

    def forget(self) -> None:
        """Remove all arrays."""
        for name in tuple(self.arrays):
            self.take(name)

    def contents(self) -> dict[str, np.ndarray]:
        """Return everything as NumPy arrays, by name."""
        kept = {**self.variables, **self.arrays}
        return {name: to_numpy(value) for name, value in kept.items()}

    def restore(self, contents: dict[str, np.ndarray]) -> None:
        """Load what `contents` returned, now or when the variable is created."""
        self.forget()
        for name, value in contents.items():
            if name in self.variables:
                self.variables[name].assign(value)
            elif np.ndim(value) > 0:
                self.keep(name, value)
            else:
                self.pending[name] = value
        for name, value in contents.items():
            # Files of 0.1.0 do not always contain one minus a decay rate.
            complement = f"{COMPLEMENT}{name}"
            if complement in self.variables and complement not in contents:
                self.variables[complement].assign(1.0 - shortest(value))

    def save_own_variables(self, store: Any) -> None:
        """Write everything to a Keras store."""
        for name, value in self.contents().items():
            store[name] = value
        if self.formula:
            store[FORMULA] = np.frombuffer(self.formula.encode(), "uint8")
            store[FORMAT] = np.asarray(NEWEST_FORMAT, "uint8")

    def load_own_variables(self, store: Any) -> None:
        """Read everything from a Keras store; an empty one changes nothing.

        Raises:
            ValueError: If the state is from another formula, which a built optimizer would accept
                as its state, or from a later version of this package. The optimizer's part of the
                file is then rolled back, too.
        """
        contents = {name: np.asarray(store[name]) for name in tuple(store.keys())}
        formula = bytes(contents.pop(FORMULA, b"")).decode() or self.formula
        version = int(contents.pop(FORMAT, 1))
        if self.skips:
            self.skips = False
        elif formula != self.formula:
            self.reject(f"the state of `{formula}`")
        elif version > NEWEST_FORMAT:
            self.reject(f"state in format {version}, written by a later version of keras-optlab")
        elif contents:
            self.restore(contents)
