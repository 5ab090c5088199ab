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

MARGIN = " " * 4


def list_everything(as_json: Json = False, backend: Backend = None) -> None:
    """List all algorithms, transforms, schedules and callbacks, with arguments and source."""
    start_keras(backend)
    from keras_optlab.lab import catalogue

    groups = {name: list(map(catalogue.entry, each)) for name, each in catalogue.groups().items()}
    shared = catalogue.argument_entries()
    if as_json:
        every = {**groups, "shared_arguments": shared}
        print_json({name: list(map(dataclasses.asdict, each)) for name, each in every.items()})
        return
    for module, entries in groups.items():
        print(section(f"{module.capitalize()}: keras_optlab.{module}", [""], "="))
        for entry in entries:
            source = textwrap.fill(f"Source: {entry.source}.", 100, initial_indent=MARGIN)
            lines = f"{entry.name}: {entry.summary}", *map(domain, entry.arguments), source, ""
            print(*lines, sep="\n")
    print(section("Arguments of every optimizer", ["", *map(domain, shared)], "="))


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
        found = catalogue.describe(classes[pick_one(name, classes, "name")])
    except InputError as error:
        raise InputError(f"{error}; there are {', '.join(classes)}") from None
    if as_json:
        print_json(dataclasses.asdict(found))
        return

    def meanings(arguments: Iterable["ArgumentEntry"]) -> list[str]:
        return [f"{each.typed}\n{indented(found.meanings[each.name])}" for each in arguments]

    specific = found.entry.arguments
    shared = [each for each in catalogue.argument_entries() if each.name in found.meanings]
    inherited = [each for each in shared if each not in specific]
    sections = [
        f"{found.entry.name}: {found.entry.summary}\n{found.path}",
        found.body,
        section("Arguments", meanings(specific)),
        section("Arguments of every optimizer", meanings(inherited)) if inherited else "",
        section("Next to Keras", map(indented, found.beside_keras)),
        section("Source", [indented(found.source)]),
    ]
    print(*filter(None, sections), sep="\n\n")


def section(heading: str, lines: Iterable[str], underline: str = "-") -> str:
    """Lines below an underlined heading."""
    return "\n".join([heading, underline * len(heading), *lines])


def domain(argument: "ArgumentEntry") -> str:
    """Name, default and domain of an argument in a line."""
    return f"{MARGIN}{argument.typed:40} {argument.domain}"


def indented(text: str) -> str:
    """Text in lines that begin with a margin."""
    return textwrap.fill(text, 100, initial_indent=MARGIN, subsequent_indent=MARGIN)
