"""A page for each optimizer, generated from its class."""

import math
import tomllib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_optlab import optimizers
from keras_optlab.arguments.declaration import REQUIRED
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.lab import catalogue

from . import golden
from .markdown import bullets, call, code, table, write

PROSE = tomllib.loads(Path(__file__).with_name("optimizers.toml").read_text())
SHAPE = (256, 256)

HOW_COMPARED = """\
Numbers of other code are recorded, and replayed in the tests on each backend. In float64 the
weights after each of 24 steps are within 1e-9 of the distance travelled; in float32 within the
bound in the table, ten times what the other code's own float32 run differs by.
"""
BUILT_IN_ONLY = """\
The weights equal those of `keras.optimizers.{name}`: `optlab parity --optimizers {name}` prints the
distance, and `pytest -m "" tests/optimizers/test_formulas_in_float64.py` compares with the
equations in NumPy.
"""


def write_all(folder: Path) -> None:
    """Write all pages, and their index.

    Args:
        folder: Where to write them.
    """
    for name in optimizers.__all__:
        write(folder / f"{name.lower()}.md", page(getattr(optimizers, name)))
    write(folder / "index.md", index())


def index() -> str:
    """Return the page that lists all optimizers."""
    rows = [
        [
            f"[{name}]({name.lower()}.md)",
            catalogue.entry(getattr(optimizers, name))["summary"],
            PROSE[name]["use"],
            f"{state_bytes(getattr(optimizers, name), {}):g}",
        ]
        for name in sorted(optimizers.__all__, key=str.lower)
    ]
    files = "\n".join(name.lower() for name in sorted(optimizers.__all__, key=str.lower))
    return f"""\
# Optimizers

Bytes are those of the state for each float32 weight of a {SHAPE[0]} x {SHAPE[1]} matrix, with
default arguments. The arguments that all optimizers share are on each page.

{table(["optimizer", "in a line", "use it for", "bytes"], rows)}

```{{toctree}}
:hidden:

{files}
```
"""


def page(cls: type[Optimizer]) -> str:
    """Return the page of one optimizer."""
    name = cls.__name__
    described = catalogue.describe(cls)
    parts = [
        f"# {name}",
        f"**Use it for:** {PROSE[name]['use']}",
        f"**State:** {state(cls)}",
        f"```{{eval-rst}}\n.. autoclass:: keras_optlab.optimizers.{name}\n```",
        "## What differs",
        "**From Keras**\n\n" + bullets(described["compared_with_keras"]),
    ]
    if PROSE[name]["elsewhere"]:
        parts.append("**From other packages**\n\n" + bullets(PROSE[name]["elsewhere"]))
    parts += ["## Numbers it is checked against", numbers(name)]
    parts += ["## Arguments of every optimizer", shared_arguments(cls)]
    return "\n\n".join(parts)


def numbers(name: str) -> str:
    """Return how the numbers are checked: against a built-in, golden tables, or both."""
    tables = golden.of_optimizer(name)
    has_built_in = hasattr(keras.optimizers, name)
    known = BUILT_IN_ONLY.format(name=name) if has_built_in and name != "ScheduleFreeAdamW" else ""
    return "\n\n".join(part for part in (known, HOW_COMPARED if tables else "", tables) if part)


def shared_arguments(cls: type[Optimizer]) -> str:
    """Return names, defaults and meanings of the arguments that a class does not list itself."""
    meanings = catalogue.documented_arguments(Optimizer)
    entries = [
        f"`{name}`{default(argument)}\n: {meanings[name]}"
        for name, argument in Optimizer.declared_arguments.items()
        if cls.declared_arguments.get(name) is argument and name in meanings
    ]
    return "\n\n".join(entries)


def default(argument: Any) -> str:
    """Return the default of an argument, as shown after its name."""
    return "" if argument.default is REQUIRED else f" = {code(repr(argument.default))}"


def state(cls: type[Optimizer]) -> str:
    """Return the size of an optimizer's state in words."""
    sizes = [f"{state_bytes(cls, {}):g} bytes for each float32 weight"]
    for given in PROSE[cls.__name__].get("variants", []):
        sizes.append(f"{state_bytes(cls, given):g} with {call(given)}")
    try:
        halved = state_bytes(cls, {"slot_dtype": "bfloat16"})
    except ValueError:
        halved = state_bytes(cls, {})
    if halved < state_bytes(cls, {}):
        sizes.append(f'{halved:g} with `slot_dtype="bfloat16"`')
    return f"{', '.join(sizes)} (measured on a matrix of {SHAPE[0]} x {SHAPE[1]})."


def state_bytes(cls: type[Optimizer], given: dict[str, Any]) -> float:
    """Return the bytes of slots for each weight of a small matrix."""
    weight = keras.Variable(np.zeros(SHAPE, "float32"), name="kernel")
    optimizer = cls(**given)
    optimizer.build([weight])
    (slots,) = optimizer.slots_by_name.values()
    total = sum(math.prod(slot.shape) * itemsize(slot.dtype) for slot in slots.values())
    return round(total / math.prod(SHAPE), 1)


def itemsize(dtype: Any) -> int:
    """Return the bytes of one number; NumPy has no bfloat16."""
    name = keras.backend.standardize_dtype(dtype)
    return 2 if name == "bfloat16" else np.dtype(name).itemsize
