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
# The arguments of every optimizer.
SHARED = tuple(Optimizer.declared_arguments.values())

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
    """One argument of a constructor."""

    name: str
    # As one would type it; None for a required argument.
    default: str | None
    domain: str  # What it may be, in words

    @property
    def typed(self) -> str:
        """The name, and the default where there is one."""
        return self.name if self.default is None else f"{self.name} = {self.default}"


@final
@dataclass(frozen=True)
class Entry:
    """An algorithm, transform, schedule or callback."""

    name: str
    summary: str  # First line of its docstring
    # Without those that all optimizers share.
    arguments: tuple[ArgumentEntry, ...]
    source: str  # The paper or program that it follows


@final
@dataclass(frozen=True)
class Description:
    """Everything that the documentation of a class says."""

    entry: Entry
    path: str  # What to import
    body: str  # Equations and text between the first line and the arguments
    # Of each argument, those that all optimizers share included.
    meanings: dict[str, str]
    beside_keras: tuple[str, ...]  # Sentences: what differs from Keras, and what does not
    source: str  # All of the docstring's paragraph on sources


def everything() -> dict[str, type]:
    """All classes that declare their arguments, by name."""
    return {name: getattr(module, name) for module in MODULES for name in module.__all__}


def groups() -> dict[str, list[Entry]]:
    """The entries of all classes, by the module that they are in."""
    classes = {module: [getattr(module, name) for name in module.__all__] for module in MODULES}
    return {m.__name__.rpartition(".")[2]: list(map(entry, each)) for m, each in classes.items()}


def shared_arguments() -> tuple[ArgumentEntry, ...]:
    """The arguments of every optimizer."""
    return tuple(map(argument_entry, SHARED))


def entry(cls: type) -> Entry:
    """The entry of a class that declares its arguments."""
    documentation = inspect.getdoc(cls) or ""
    return Entry(
        name=cls.__name__,
        summary=documentation.partition("\n")[0],
        arguments=tuple(map(argument_entry, specific_arguments(cls))),
        source=re.split(r"\.(?:\s|$)", documented_source(documentation))[0],
    )


def specific_arguments(cls: type) -> list[Argument]:
    """The arguments of a class without those that all optimizers share."""
    return [argument for argument in cls.declared_arguments.values() if argument not in SHARED]


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
    body, source = documented_sections(documentation)[""], documented_source(documentation)
    meanings = documented_arguments(cls)
    return Description(
        entry=entry(cls),
        path=f"{cls.__module__.rpartition('.')[0]}.{cls.__name__}",
        body=body.partition("\n")[2].strip("\n"),
        meanings={name: meanings[name] for name in cls.declared_arguments},
        beside_keras=(*compared(cls), *said_of_keras(body), *said_of_keras(source)),
        source=source,
    )


def documented_sections(documentation: str) -> dict[str, str]:
    """The text of each section of a docstring by its heading; `""` is what stands before."""
    headings = r"^(Args|Attributes|Returns|Raises|Sources?|References?|Example):"
    first, *parts = re.split(headings, documentation, flags=re.MULTILINE)
    return {"": first, **dict(zip(parts[::2], parts[1::2], strict=True))}


def documented_source(documentation: str) -> str:
    """The first paragraph on the source or the sources."""
    sections = documented_sections(documentation)
    text = sections.get("Source") or sections.get("Sources", "")
    return " ".join(text.strip().partition("\n\n")[0].split())


def documented_arguments(cls: type) -> dict[str, str]:
    """The meaning of each argument, those of the ancestors included."""
    meanings = {}
    for ancestor in reversed(cls.__mro__):
        if issubclass(ancestor, Declared):
            text = documented_sections(inspect.cleandoc(ancestor.__doc__ or "")).get("Args", "")
            found = re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", text, re.MULTILINE)
            meanings |= {name: " ".join(meaning.split()) for name, meaning in found}
    return meanings


def compared(cls: type) -> list[str]:
    """Sentences on arguments and defaults in which the constructors of ours and Keras' differ."""
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
    return [*new, *defaults, *changeable(cls)]


def changeable(cls: type) -> list[str]:
    """Which hyperparameters may change while training goes on, where there are any."""
    names = [
        argument.name
        for argument in specific_arguments(cls)
        if isinstance(argument, Hyperparameter) and not isinstance(argument, LearningRate)
    ]
    if not names:
        return []
    return [
        f"While training, {listed(names)} may be set, as the learning rate may. Keras compiles "
        "their numbers into the step on TensorFlow and JAX, where setting them changes nothing."
    ]


def said_of_keras(text: str) -> list[str]:
    """The sentences in which Keras is mentioned, but for the first."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    sentences = [s for part in paragraphs for s in re.split(r"(?<=[.:])\s+(?=[A-Z`])", part)]
    return [sentence for sentence in sentences[1:] if "Keras" in sentence]


def listed(names: Sequence[str]) -> str:
    """Names in code quotes, with commas and an "and"."""
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last
