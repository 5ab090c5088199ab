"""One-line descriptions of optimizers."""

import math
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from keras_optlab.arguments.declaration import Argument

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


def describe(optimizer: "Optimizer") -> str:
    """Return the class, the arguments that are not defaults, and the size of the state."""
    shown = [
        f"{name}={_shown(argument, optimizer)}"
        for name, argument in optimizer.declared_arguments.items()
        if name != "name" and not _is_default(argument, optimizer)
    ]
    text = f"{type(optimizer).__name__}({', '.join(shown)})"
    if not optimizer.built:
        return f"<{text}, not built>"
    size = _readable(sum(map(_size, optimizer.variables)))
    count = len(optimizer.engine.plans)
    return f"<{text}, {count} variable{'' if count == 1 else 's'}, {size} of state>"


def _shown(argument: Argument, optimizer: "Optimizer") -> str:
    """Return a value as a user would type it."""
    value = argument.original(optimizer)
    return repr(list(value) if isinstance(value, tuple) else value)


def _readable(size: int) -> str:
    """Return a number of bytes in a suitable unit."""
    units = ("bytes", "KiB", "MiB", "GiB")
    power = min(int(math.log(max(size, 1), 1024)), len(units) - 1)
    return f"{size / 1024**power:.{1 if power else 0}f} {units[power]}"


def _is_default(argument: Argument, optimizer: "Optimizer") -> bool:
    value = argument.original(optimizer)
    return type(value) is type(argument.default) and value == argument.default


def _size(variable: Any) -> int:
    dtype = keras.backend.standardize_dtype(variable.dtype)
    # NumPy has no bfloat16.
    item = 2 if dtype == "bfloat16" else np.dtype(dtype).itemsize
    return math.prod(variable.shape) * item
