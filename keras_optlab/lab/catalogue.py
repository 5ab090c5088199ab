"""What there is: read from the classes themselves, so that no list can fall behind."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import keras

from keras_optlab import callbacks, optimizers, schedules, transforms
from keras_optlab.arguments.declaration import REQUIRED, Argument, Declared
from keras_optlab.arguments.hyperparameter import Hyperparameter, LearningRate
from keras_optlab.engine.optimizer import Optimizer

MODULES = optimizers, transforms, schedules, callbacks

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
    """An algorithm, transform, schedule or callback.

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


@final
@dataclass(frozen=True)
class Description:
    """Everything that the documentation of a class says.

    Args:
        entry: Its `Entry`.
        path: What to import.
        body: Equations and text between the first line and the arguments.
        meanings: For each argument, those that all optimizers share included, its meaning.
        beside_keras: Sentences: what differs from Keras, and what does not.
        source: All of the docstring's paragraph on sources.
    """

    entry: Entry
    path: str
    body: str
    meanings: dict[str, str]
    beside_keras: tuple[str, ...]
    source: str


def everything() -> dict[str, type]:
    """All classes that declare their arguments, by name."""
    return {name: getattr(module, name) for module in MODULES for name in module.__all__}


def groups() -> "dict[str, list[Entry]]":
    """The entries of all classes, by the module that they are in."""
    classes = {module: [getattr(module, name) for name in module.__all__] for module in MODULES}
    return {m.__name__.rpartition(".")[2]: list(map(entry, each)) for m, each in classes.items()}


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
        source=re.split(r"\.(?:\s|$)", whole_source(documentation))[0],
    )


def argument_entry(argument: Argument) -> ArgumentEntry:
    """The entry of one declared argument."""
    default = None if argument.default is REQUIRED else repr(argument.default)
    domain = argument.domain.describe()
    if isinstance(argument, Hyperparameter):
        domain += ", or a schedule, or None" if argument.optional else ", or a schedule"
    return ArgumentEntry(argument.name, default, domain)


def describe(cls: type) -> Description:
    """The description of a class that declares its arguments."""
    documentation = inspect.getdoc(cls) or ""
    sections = documented_sections(documentation)
    meanings = documented_arguments(cls)
    return Description(
        entry=entry(cls),
        path=f"{cls.__module__.rpartition('.')[0]}.{cls.__name__}",
        body=sections[""].partition("\n")[2].strip("\n"),
        meanings={name: meanings[name] for name in cls.declared_arguments},
        beside_keras=(*compared(cls), *told(sections[""]), *told(whole_source(documentation))),
        source=whole_source(documentation),
    )


def documented_sections(documentation: str) -> dict[str, str]:
    """The text of each section of a docstring by its heading; `""` is what stands before."""
    parts = re.split(
        r"^(Args|Attributes|Returns|Raises|Sources?|References?|Example):",
        documentation,
        flags=re.MULTILINE,
    )
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def documented_arguments(cls: type) -> dict[str, str]:
    """The meaning of each argument, those of the ancestors included."""
    meanings = {}
    for ancestor in reversed(cls.__mro__):
        if not issubclass(ancestor, Declared):
            continue
        text = documented_sections(inspect.cleandoc(ancestor.__doc__ or "")).get("Args", "")
        found = re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", text, re.MULTILINE)
        meanings |= {name: " ".join(meaning.split()) for name, meaning in found}
    return meanings


def compared(cls: type) -> list[str]:
    """What a look at both constructors tells: arguments and defaults that differ."""
    modules = keras.optimizers, keras.optimizers.schedules, keras.callbacks
    theirs = next((getattr(m, cls.__name__) for m in modules if hasattr(m, cls.__name__)), None)
    if theirs is None:
        return [f"Keras has no {cls.__name__}."]
    parameters = inspect.signature(theirs.__init__).parameters
    ours = cls.declared_arguments
    added = [name for name in ours if name not in parameters]
    defaults = [
        f"`{name}` is {argument.default!r} by default, in Keras {parameters[name].default!r}."
        for name, argument in ours.items()
        if name in parameters and argument.default != parameters[name].default
    ]
    if not added and not defaults:
        return ["Arguments and defaults are those of Keras."]
    new = [f"Keras does not have the arguments {listed(added)}."] if added else []
    return [*new, *defaults, *changeable(ours)]


def changeable(arguments: dict[str, Argument]) -> list[str]:
    """Which hyperparameters may change while training goes on, where there are any."""
    shared = Optimizer.declared_arguments.values()
    names = [
        name
        for name, argument in arguments.items()
        if isinstance(argument, Hyperparameter)
        and not isinstance(argument, LearningRate)
        and argument not in shared
    ]
    if not names:
        return []
    return [
        f"While training, {listed(names)} may be set, as the learning rate may. Keras compiles "
        "their numbers into the step on TensorFlow and JAX, where setting them changes nothing."
    ]


def told(text: str) -> list[str]:
    """The sentences in which Keras is mentioned, but for the first."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    sentences = [s for part in paragraphs for s in re.split(r"(?<=[.:])\s+(?=[A-Z`])", part)]
    return [sentence for sentence in sentences[1:] if "Keras" in sentence]


def listed(names: Sequence[str]) -> str:
    """Names in code quotes, with commas and an "and"."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if quoted[1:] else quoted)


def whole_source(documentation: str) -> str:
    """A docstring's `Source:` (or `Sources:`) paragraph."""
    found = re.search(r"^Sources?:\s*(.+?)(?:\n\s*\n|\Z)", documentation, re.S | re.M)
    return " ".join(found[1].split()) if found else ""
