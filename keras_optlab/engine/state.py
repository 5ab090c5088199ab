"""State that the built-ins do not have, kept and saved next to theirs."""

from collections.abc import Callable
from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.arguments.hyperparameter import COMPLEMENT, shortest
from keras_optlab.keras_glue.hooks import Saveable
from keras_optlab.keras_glue.types import to_numpy

# Where the name of the formula stands in a file, and the version of the format.
FORMULA = "formula"
FORMAT = "format"

# Files of 0.1.0 have no version, and are those of version 1.
NEWEST_FORMAT = 2


@final
class ExtraState(Saveable):
    """Variables of an optimizer that stand in no file of a built-in one.

    They are saved under a separate path (`optimizer/extra_state`), so that the optimizer's
    entry keeps the built-in's layout: either can load the other's file. A built-in's file has
    no such path, which leaves everything here as it is.

    Args:
        formula: Name of the formula that the whole state belongs to. It stands in the file, since
            slots of two algorithms may have the same shapes. "" for one that is not ours.
        reject: Function that takes back what the optimizer has loaded right before; it gets,
            in words, whose state it is.
    """

    def __init__(
        self, formula: str = "", reject: Callable[[str], None] = lambda whose: None
    ) -> None:
        self.formula = formula
        self.reject = reject
        self.variables: dict[str, keras.Variable] = {}
        # Arrays that only a file and the host need, such as a point to go back to.
        self.arrays: dict[str, Any] = {}
        self.pending: dict[str, np.ndarray] = {}
        # Whether the next contents are left alone, since the state they go with was.
        self.skips = False
        # What `tf.train.Checkpoint` saves of all this, None on other backends.
        self.checkpointed: Any = None

    def add(self, name: str, value: float, dtype: str) -> keras.Variable:
        """Make a scalar variable, with the value that a file loaded before held for it."""
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
        """Make a variable filled with a number, spread over devices by a layout.

        What a file loaded before held for it is restored, as `add` does.
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
        """Hold an array, in checkpoints of TensorFlow too, until it is taken."""
        if self.checkpointed is not None:
            variable = keras.Variable(value, trainable=False, name=name)
            setattr(self.checkpointed, name, variable.value)
            # With the attribute comes what a checkpoint holds that was restored before.
            variable.assign(value)
            value = variable
        self.arrays[name] = value

    def fetch(self, name: str, like: Any) -> None:
        """Hold the array that a restored checkpoint of TensorFlow has for a name, if it has one."""
        if self.checkpointed is None or name in self.arrays:
            return
        variable = keras.Variable(ops.full_like(like, np.nan), trainable=False, name=name)
        setattr(self.checkpointed, name, variable.value)
        self.arrays[name] = variable
        if ops.all(ops.isnan(variable)):
            self.take(name)

    def take(self, name: str) -> Any:
        """Give up an array and return it, None if there is none."""
        value = self.arrays.pop(name, None)
        if value is not None and hasattr(self.checkpointed, name):
            delattr(self.checkpointed, name)
        return value

    def forget(self) -> None:
        """Give up all arrays."""
        for name in tuple(self.arrays):
            self.take(name)

    def contents(self) -> dict[str, np.ndarray]:
        """Everything here as numpy arrays, by name."""
        kept = {**self.variables, **self.arrays}
        return {name: to_numpy(value) for name, value in kept.items()}

    def restore(self, contents: dict[str, np.ndarray]) -> None:
        """Take over what `contents` returned, now or when the variable is made."""
        self.forget()
        for name, value in contents.items():
            if name in self.variables:
                self.variables[name].assign(value)
            elif np.ndim(value) > 0:
                self.keep(name, value)
            else:
                self.pending[name] = value
        for name, value in contents.items():
            # Files of 0.1.0 do not always hold one minus a decay rate.
            complement = f"{COMPLEMENT}{name}"
            if complement in self.variables and complement not in contents:
                self.variables[complement].assign(1.0 - shortest(value))

    def save_own_variables(self, store: Any) -> None:
        """Write everything here to a Keras store."""
        for name, value in self.contents().items():
            store[name] = value
        if self.formula:
            store[FORMULA] = np.frombuffer(self.formula.encode(), "uint8")
            store[FORMAT] = np.asarray(NEWEST_FORMAT, "uint8")

    def load_own_variables(self, store: Any) -> None:
        """Read everything from a Keras store; an empty one changes nothing.

        Raises:
            ValueError: If it is the state of another formula, which a built optimizer would
                take as its state, or of a later version of this package; its state is then as it
                was before it loaded its part of the file.
        """
        contents = {name: np.asarray(store[name]) for name in tuple(store.keys())}
        formula = bytes(contents.pop(FORMULA, b"")).decode() or self.formula
        version = int(contents.pop(FORMAT, 1))
        if self.skips:
            self.skips = False
        elif formula != self.formula:
            self.reject(f"that of `{formula}`")
        elif version > NEWEST_FORMAT:
            self.reject(f"that in format {version}, of a later version of keras-optlab")
        elif contents:
            self.restore(contents)
