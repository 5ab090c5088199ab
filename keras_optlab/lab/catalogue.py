"""What there is: read from the classes themselves, so that no list can fall behind."""

import inspect
import re
from dataclasses import dataclass
from typing import final

from keras_optlab import callbacks, optimizers, schedules
from keras_optlab.engine.declaration import REQUIRED, Argument
from keras_optlab.engine.hyperparameter import Hyperparameter
from keras_optlab.engine.optimizer import Optimizer

# What a reader of a comparison has to know of a built-in that differs.
NOTES = {
    "Muon": (
        "Newton and Schulz' iteration multiplies rounding errors, so the weights drift apart in "
        "the course of training though each step is the same; see `optlab parity`."
    ),
    "ScheduleFreeAdamW": (
        "The built-in differs: on TensorFlow and torch it reads a slot after updating it "
        "(7 % of the way off after 30 steps), and everywhere it leaves the model at the "
        "training point. Ours follows the authors' package and ends at the evaluation point."
    ),
}


@final
@dataclass(frozen=True)
class ArgumentEntry:
    """One argument of a constructor.

    Args:
        name: Its name.
        default: The value where none is given, as one would type it; None for a required one.
        domain: What it may be, in words.
    """

    name: str
    default: str | None
    domain: str


@final
@dataclass(frozen=True)
class Entry:
    """An algorithm, schedule or callback.

    Args:
        name: Name of the class.
        summary: First line of its docstring.
        arguments: Its own arguments, without those that all optimizers share.
        source: The paper or program that it follows.
    """

    name: str
    summary: str
    arguments: tuple[ArgumentEntry, ...]
    source: str


def algorithms() -> dict[str, Entry]:
    """All optimizers, by name."""
    return {name: entry(getattr(optimizers, name)) for name in optimizers.__all__}


def all_schedules() -> dict[str, Entry]:
    """All schedules, by name."""
    return {name: entry(getattr(schedules, name)) for name in schedules.__all__}


def all_callbacks() -> dict[str, Entry]:
    """All callbacks, by name."""
    return {name: entry(getattr(callbacks, name)) for name in callbacks.__all__}


def shared_arguments() -> tuple[ArgumentEntry, ...]:
    """The arguments of every optimizer."""
    return tuple(argument_entry(argument) for argument in Optimizer.declared_arguments.values())


def entry(cls: type) -> Entry:
    """The entry of a class that declares its arguments."""
    documentation = inspect.getdoc(cls) or ""
    shared = Optimizer.declared_arguments.values()
    return Entry(
        name=cls.__name__,
        summary=documentation.partition("\n")[0],
        arguments=tuple(
            argument_entry(argument)
            for argument in cls.declared_arguments.values()
            if argument not in shared
        ),
        source=source(documentation),
    )


def argument_entry(argument: Argument) -> ArgumentEntry:
    """The entry of one declared argument."""
    default = None if argument.default is REQUIRED else repr(argument.default)
    domain = argument.domain.describe()
    if isinstance(argument, Hyperparameter):
        domain += ", or a schedule, or None" if argument.optional else ", or a schedule"
    return ArgumentEntry(argument.name, default, domain)


def source(documentation: str) -> str:
    """The first sentence of a docstring's `Source:` (or `Sources:`, `Reference:`) paragraph."""
    found = re.search(
        r"^(?:Sources?|References?):\s*(.+?)(?:\n\s*\n|\Z)", documentation, re.S | re.M
    )
    text = " ".join(found[1].split()) if found else ""
    return re.split(r"\.(?:\s|$)", text)[0]
