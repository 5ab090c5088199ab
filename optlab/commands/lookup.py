"""`optlab list` and `optlab show`: the catalogue, and one entry with its equations."""

import textwrap
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from optlab.backend import start_keras
from optlab.options import Backend, Json
from optlab.output import print_json

Argument = dict[str, Any]
MARGIN = " " * 4


def list_everything(as_json: Json = False, backend: Backend = None) -> None:
    """List all algorithms, transforms, schedules and callbacks, with arguments and source."""
    start_keras(backend)
    from keras_optlab.lab import catalogue

    groups = {name: list(map(catalogue.entry, each)) for name, each in catalogue.groups().items()}
    shared = catalogue.argument_entries()
    if as_json:
        print_json({**groups, "shared_arguments": shared})
        return
    for module, entries in groups.items():
        print(section(f"{module.capitalize()}: keras_optlab.{module}", [""], "="))
        for entry in entries:
            arguments = map(domain, entry["arguments"])
            source = textwrap.fill(f"Source: {entry['source']}.", 100, initial_indent=MARGIN)
            print(f"{entry['name']}: {entry['summary']}", *arguments, source, "", sep="\n")
    print(section("Arguments of every optimizer", ["", *map(domain, shared)], "="))


def show(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name, as in `optlab list`; case does not matter."),
    ] = None,
    as_json: Json = False,
    backend: Backend = None,
) -> None:
    """Show one algorithm, transform, schedule or callback: equations, arguments, source."""
    start_keras(backend)
    from keras_optlab.lab import catalogue
    from keras_optlab.lab.errors import pick_one

    classes = {cls.__name__: cls for group in catalogue.groups().values() for cls in group}
    found = catalogue.describe(classes[pick_one(name or "", classes, "name")])
    if as_json:
        print_json(found)
        return

    def meanings(arguments: Iterable[Argument]) -> list[str]:
        return [f"{typed(each)}\n{indented(found['meanings'][each['name']])}" for each in arguments]

    entry = found["entry"]
    shared = [each for each in catalogue.argument_entries() if each["name"] in found["meanings"]]
    inherited = [each for each in shared if each not in entry["arguments"]]
    sections = [
        f"{entry['name']}: {entry['summary']}\n{found['path']}",
        found["body"],
        section("Arguments", meanings(entry["arguments"])),
        section("Arguments of every optimizer", meanings(inherited)) if inherited else "",
        section("Compared with Keras", map(indented, found["compared_with_keras"])),
        section("Source", [indented(found["source"])]),
    ]
    print(*filter(None, sections), sep="\n\n")


def section(heading: str, lines: Iterable[str], underline: str = "-") -> str:
    """Return lines below an underlined heading."""
    return "\n".join([heading, underline * len(heading), *lines])


def typed(argument: Argument) -> str:
    """Return the name, and the default if there is one."""
    name, default = argument["name"], argument["default"]
    return name if default is None else f"{name} = {default}"


def domain(argument: Argument) -> str:
    """Return a line with the name, default and domain of an argument."""
    return f"{MARGIN}{typed(argument):40} {argument['domain']}"


def indented(text: str) -> str:
    """Return text wrapped into lines that begin with a margin."""
    return textwrap.fill(text, 100, initial_indent=MARGIN, subsequent_indent=MARGIN)
