"""`optlab show`: one algorithm, transform, schedule or callback."""

import dataclasses
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from optlab.backend import start_keras
from optlab.options import Backend, Json
from optlab.output import print_json

if TYPE_CHECKING:
    from keras_optlab.lab.catalogue import ArgumentEntry, Description


def show(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Its name, as `optlab list` has it, in any case."),
    ] = None,
    as_json: Json = False,
    backend: Backend = None,
) -> None:
    """Show one algorithm, transform, schedule or callback: equations, arguments, source."""
    start_keras(backend)
    from keras_optlab.lab import catalogue

    classes = catalogue.everything()
    description = catalogue.describe(classes[chosen(name, classes)])
    if as_json:
        print_json(dataclasses.asdict(description))
    else:
        print_description(description, catalogue.shared_arguments())


def chosen(name: str | None, names: Iterable[str]) -> str:
    """The name that is meant; if there is none, all are listed."""
    from keras_optlab.lab.errors import InputError, pick_one

    there_are = f"there are {', '.join(names)}"
    if name is None:
        raise InputError(f"name an algorithm, transform, schedule or callback: {there_are}")
    try:
        return pick_one(name, names, "name")
    except InputError as error:
        raise InputError(f"{error}; {there_are}") from None


def print_description(description: "Description", shared: Iterable["ArgumentEntry"]) -> None:
    """Summary, equations, arguments, what differs, source."""
    entry = description.entry
    print(f"{entry.name}: {entry.summary}\n{description.path}\n")
    if description.body:
        print(f"{description.body}\n")
    print_arguments("Arguments", description, entry.arguments)
    inherited = [
        each for each in shared if each.name in description.meanings and each not in entry.arguments
    ]
    if inherited:
        print_arguments("Arguments of every optimizer", description, inherited)
    print_heading("Next to Keras")
    for sentence in description.beside_keras:
        print_wrapped(sentence)
    print()
    print_heading("Source")
    print_wrapped(description.source)


def print_heading(text: str) -> None:
    """A heading, underlined."""
    print(f"{text}\n{'-' * len(text)}")


def print_arguments(
    heading: str, description: "Description", arguments: Iterable["ArgumentEntry"]
) -> None:
    """A heading, and the name, default and meaning of each argument."""
    print_heading(heading)
    for argument in arguments:
        print(argument.typed)
        print_wrapped(description.meanings[argument.name])
    print()


def print_wrapped(text: str) -> None:
    """Text in lines that begin with a margin."""
    print(textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="    "))
