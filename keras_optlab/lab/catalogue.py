"""The catalogue of classes, read from the classes themselves so that it cannot go stale."""

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
    """Return all classes that declare their arguments, grouped by module."""
    modules = optimizers, transforms, schedules, callbacks
    return {m.__name__.rpartition(".")[2]: [getattr(m, n) for n in m.__all__] for m in modules}


def entry(cls: type) -> dict[str, Any]:
    """Return what `optlab list` says of a class, omitting the arguments of every optimizer."""
    texts = sections(cls)
    return {
        "name": cls.__name__,
        "summary": texts[""].partition("\n")[0],
        "arguments": argument_entries(specific_arguments(cls)),
        "source": re.split(r"\.(?:\s|$)", texts["Source"])[0],
    }


def specific_arguments(cls: type) -> list[Argument]:
    """Return the arguments of a class, except those that all optimizers share."""
    return [argument for argument in cls.declared_arguments.values() if argument not in SHARED]


def argument_entries(arguments: Iterable[Argument] = SHARED) -> list[dict[str, Any]]:
    """Return the name, default as typed (None if there is none) and domain of each argument."""
    entries = []
    for argument in arguments:
        default = None if argument.default is REQUIRED else repr(argument.default)
        domain = argument.domain.describe()
        if isinstance(argument, Hyperparameter):
            domain += ", or a schedule, or None" if argument.optional else ", or a schedule"
        entries.append({"name": argument.name, "default": default, "domain": domain})
    return entries


def describe(cls: type) -> dict[str, Any]:
    """Return what `optlab show` says of a class: its documentation, and how Keras differs."""
    texts, meanings = sections(cls), documented_arguments(cls)
    body, source = texts[""], texts["Source"]
    return {
        "entry": entry(cls),
        "path": f"{cls.__module__.rpartition('.')[0]}.{cls.__name__}",
        "body": body.partition("\n")[2].strip("\n"),
        "meanings": {name: meanings[name] for name in cls.declared_arguments},
        "compared_with_keras": [*compared(cls), *said_of_keras(body), *said_of_keras(source)],
        "source": source,
    }


def sections(cls: type) -> dict[str, str]:
    """Return the sections of a docstring by heading; `""` is the text before the first heading.

    `"Source"`, whose heading may be `Sources`, is reduced to its first paragraph, on one line.
    """
    headings = r"^(Args|Attributes|Returns|Raises|Source|Reference|Example)s?:"
    text = inspect.cleandoc(cls.__doc__ or "")
    first, *parts = re.split(headings, text, flags=re.MULTILINE)
    texts = {"": first, **dict(zip(parts[::2], parts[1::2], strict=True))}
    source = texts.get("Source", "").strip().partition("\n\n")[0]
    return {**texts, "Source": " ".join(source.split())}


def documented_arguments(cls: type) -> dict[str, str]:
    """Return the meaning of each argument, including inherited ones."""
    meanings = {}
    for ancestor in reversed(cls.__mro__):
        if issubclass(ancestor, Declared):
            text = sections(ancestor).get("Args", "")
            found = re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", text, re.MULTILINE)
            meanings |= {name: " ".join(meaning.split()) for name, meaning in found}
    return meanings


def compared(cls: type) -> list[str]:
    """Return sentences on how the arguments and defaults of our constructor differ from Keras'."""
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
    """Return the sentences that mention Keras, leaving out the first sentence of the text."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", text)]
    sentences = [s for part in paragraphs for s in re.split(r"(?<=[.:])\s+(?=[A-Z`])", part)]
    return [sentence for sentence in sentences[1:] if "Keras" in sentence]


def listed(names: Sequence[str]) -> str:
    """Return names in code quotes, joined by commas and an "and"."""
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}" if others else last
