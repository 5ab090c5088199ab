"""`optlab list` and `optlab show`: what there is, and one of it with its equations."""

import dataclasses
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from optlab.backend import start_keras
from optlab.options import Backend, Json
from optlab.output import print_json

if TYPE_CHECKING:
    from keras_optlab.lab.catalogue import ArgumentEntry


def list_everything(as_json: Json = False, backend: Backend = None) -> None:
    """List all algorithms, transforms, schedules and callbacks, with arguments and source."""
    start_keras(backend)
    from keras_optlab.lab import catalogue

    groups = {name: map(catalogue.entry, each) for name, each in catalogue.groups().items()}
    shared = catalogue.argument_entries()
    if as_json:
        every = {**groups, "shared_arguments": shared}
        print_json({name: list(map(dataclasses.asdict, each)) for name, each in every.items()})
        return
    for module, entries in groups.items():
        print_heading(f"{module.capitalize()}: keras_optlab.{module}", "=", "\n")
        for entry in entries:
            print(f"{entry.name}: {entry.summary}")
            print_domains(entry.arguments)
            print(textwrap.fill(f"Source: {entry.source}.", 100, initial_indent="    "), end="\n\n")
    print_heading("Arguments of every optimizer", "=", "\n")
    print_domains(shared)


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
    from keras_optlab.lab.errors import InputError, pick_one

    classes = {cls.__name__: cls for group in catalogue.groups().values() for cls in group}
    try:
        if name is None:
            raise InputError("name an algorithm, transform, schedule or callback")
        description = catalogue.describe(classes[pick_one(name, classes, "name")])
    except InputError as error:
        raise InputError(f"{error}; there are {', '.join(classes)}") from None
    if as_json:
        print_json(dataclasses.asdict(description))
        return
    entry = description.entry
    print(f"{entry.name}: {entry.summary}\n{description.path}\n")
    if description.body:
        print(f"{description.body}\n")
    inherited = [
        argument
        for argument in catalogue.argument_entries()
        if argument.name in description.meanings and argument not in entry.arguments
    ]
    print_meanings("Arguments", entry.arguments, description.meanings)
    if inherited:
        print_meanings("Arguments of every optimizer", inherited, description.meanings)
    print_heading("Next to Keras")
    for sentence in description.beside_keras:
        print_wrapped(sentence)
    print()
    print_heading("Source")
    print_wrapped(description.source)


def print_heading(text: str, line: str = "-", end: str = "") -> None:
    """A heading, underlined."""
    print(f"{text}\n{line * len(text)}{end}")


def print_domains(arguments: Iterable["ArgumentEntry"]) -> None:
    """Name, default and domain of each, one a line."""
    for argument in arguments:
        print(f"    {argument.typed:40} {argument.domain}")


def print_meanings(
    heading: str, arguments: Iterable["ArgumentEntry"], meanings: dict[str, str]
) -> None:
    """A heading, and the name, default and meaning of each argument."""
    print_heading(heading)
    for argument in arguments:
        print(argument.typed)
        print_wrapped(meanings[argument.name])
    print()


def print_wrapped(text: str) -> None:
    """Text in lines that begin with a margin."""
    print(textwrap.fill(text, 100, initial_indent="    ", subsequent_indent="    "))
