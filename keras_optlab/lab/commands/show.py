"""`optlab show`: one algorithm, transform, schedule or callback."""

import argparse
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from keras_optlab.lab.errors import InputError, pick

if TYPE_CHECKING:
    from keras_optlab.lab.catalogue import ArgumentEntry, Description

NAME = "show"
SUMMARY = "equations, arguments and source of an algorithm, transform, schedule or callback"

WIDTH = 100
INDENT = "    "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="its name, as `optlab list` has it, in any case"
    )


def run(options: argparse.Namespace) -> int:
    """Print what its documentation says."""
    from keras_optlab.lab import catalogue

    cls = catalogue.everything()[chosen(options.name, catalogue.everything())]
    print_description(catalogue.describe(cls), catalogue.shared_arguments())
    return 0


def chosen(name: str | None, known: Iterable[str]) -> str:
    """The known name that is meant.

    Raises:
        InputError: If none is given or it is not known, with those that are.
    """
    there_are = f"there are {', '.join(known)}"
    if name is None:
        raise InputError(f"name an algorithm, transform, schedule or callback: {there_are}")
    try:
        names = pick([name], known, "name")
    except InputError as error:
        raise InputError(f"{error}; {there_are}") from None
    if len(names) > 1:
        raise InputError(f"one name at a time. Received: {name}")
    return names[0]


def print_description(description: "Description", shared: Iterable["ArgumentEntry"]) -> None:
    """Summary, equations, arguments, what differs, source."""
    entry = description.entry
    print(f"{entry.name}: {entry.summary}")
    print(f"{description.path}\n")
    if description.body:
        print(f"{description.body}\n")
    print_heading("Arguments")
    print_arguments(description, entry.arguments)
    own = {argument.name for argument in entry.arguments}
    inherited = [each for each in shared if each.name in description.meanings]
    inherited = [each for each in inherited if each.name not in own]
    if inherited:
        print_heading("Arguments of every algorithm")
        print_arguments(description, inherited)
    print_heading("Beside Keras")
    for sentence in description.beside_keras:
        print_wrapped(sentence)
    print()
    print_heading("Source")
    print_wrapped(description.source)


def print_heading(text: str) -> None:
    """A heading, underlined."""
    print(f"{text}\n{'-' * len(text)}")


def print_arguments(description: "Description", arguments: Iterable["ArgumentEntry"]) -> None:
    """Name, default and meaning of each."""
    for argument in arguments:
        print(argument.name + ("" if argument.default is None else f" = {argument.default}"))
        print_wrapped(description.meanings[argument.name])
    print()


def print_wrapped(text: str) -> None:
    """Text in lines that begin with a margin."""
    print(textwrap.fill(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT))
