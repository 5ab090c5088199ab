"""What there is: read from the classes themselves, so that no list can fall behind."""

import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_optlab import callbacks, optimizers, schedules, transforms
from keras_optlab.arguments.declaration import REQUIRED, Argument, Declared
from keras_optlab.arguments.hyperparameter import Hyperparameter, LearningRate
from keras_optlab.engine.optimizer import Optimizer

# The arguments of every optimizer.
SHARED = tuple(Optimizer.declared_arguments.values())


def groups() -> dict[str, list[type]]:
    """All classes that declare their arguments, by the module that they are in."""
    modules = optimizers, transforms, schedules, callbacks
    return {m.__name__.rpartition(".")[2]: [getattr(m, n) for n in m.__all__] for m in modules}


def entry(cls: type) -> dict[str, Any]:
    """What `optlab list` says of a class, without the arguments that all optimizers share."""
    texts = sections(cls)
    return {
        "name": cls.__name__,
        "summary": texts[""].partition("\n")[0],
        "arguments": argument_entries(specific_arguments(cls)),
        "source": re.split(r"\.(?:\s|$)", texts["Source"])[0],
    }


def specific_arguments(cls: type) -> list[Argument]:
    """The arguments of a class without those that all optimizers share."""
    return [argument for argument in cls.declared_arguments.values() if argument not in SHARED]


def argument_entries(arguments: Iterable[Argument] = SHARED) -> list[dict[str, Any]]:
    """Name, default as one would type it (None if there is none), and what it may be, in words."""
    entries = []
    for argument in arguments:
        default = None if argument.default is REQUIRED else repr(argument.default)
        domain = argument.domain.describe()
        if isinstance(argument, Hyperparameter):
            domain += ", or a schedule, or None" if argument.optional else ", or a schedule"
        entries.append({"name": argument.name, "default": default, "domain": domain})
    return entries


def describe(cls: type) -> dict[str, Any]:
    """What `optlab show` says of a class: all of its documentation, and how it differs."""
    texts, meanings = sections(cls), documented_arguments(cls)
    body, source = texts[""], texts["Source"]
    return {
        "entry": entry(cls),
        "path": f"{cls.__module__.rpartition('.')[0]}.{cls.__name__}",
        "body": body.partition("\n")[2].strip("\n"),
        "meanings": {name: meanings[name] for name in cls.declared_arguments},
        "beside_keras": [*compared(cls), *said_of_keras(body), *said_of_keras(source)],
        "source": source,
    }


def sections(cls: type) -> dict[str, str]:
    """The text of each section of a docstring by its heading; `""` is what stands before.

    Of `"Source"`, whose heading may be `Sources`, it is the first paragraph in one line.
    """
    headings = r"^(Args|Attributes|Returns|Raises|Source|Reference|Example)s?:"
    text = inspect.cleandoc(cls.__doc__ or "")
    first, *parts = re.split(headings, text, flags=re.MULTILINE)
    texts = {"": first, **dict(zip(parts[::2], parts[1::2], strict=True))}
    source = texts.get("Source", "").strip().partition("\n\n")[0]
    return {**texts, "Source": " ".join(source.split())}


def documented_arguments(cls: type) -> dict[str, str]:
    """The meaning of each argument, those of the ancestors included."""
    meanings = {}
    for ancestor in reversed(cls.__mro__):
        if issubclass(ancestor, Declared):
            text = sections(ancestor).get("Args", "")
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
    sentences = [f"Keras does not have the arguments {listed(added)}."] if added else []
    for name, argument in ours.items():
        if name in parameters and argument.default != (default := parameters[name].default):
            sentences.append(f"`{name}` is {argument.default!r} by default, in Keras {default!r}.")
    if not sentences:
        return ["Arguments and defaults are those of Keras."]
    changeable = [
        argument.name
        for argument in specific_arguments(cls)
        if isinstance(argument, Hyperparameter) and not isinstance(argument, LearningRate)
    ]
    if changeable:
        sentences.append(
            f"While training, {listed(changeable)} may be set, as the learning rate may. Keras "
            "compiles their numbers into the step on TensorFlow and JAX, where setting them "
            "changes nothing."
        )
    return sentences


def said_of_keras(text: str) -> list[str]:
    """The sentences in which Keras is mentioned, but for the first."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    sentences = [s for part in paragraphs for s in re.split(r"(?<=[.:])\s+(?=[A-Z`])", part)]
    return [sentence for sentence in sentences[1:] if "Keras" in sentence]


def listed(names: Sequence[str]) -> str:
    """Names in code quotes, with commas and an "and"."""
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last
