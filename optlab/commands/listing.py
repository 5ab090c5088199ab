"""`optlab list`: what there is."""

import dataclasses
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING

from optlab.backend import start_keras
from optlab.options import Backend, Json
from optlab.output import print_json

if TYPE_CHECKING:
    from keras_optlab.lab.catalogue import ArgumentEntry, Entry


def list_everything(as_json: Json = False, backend: Backend = None) -> None:
    """List all algorithms, transforms, schedules and callbacks, with arguments and source."""
    start_keras(backend)
    from keras_optlab.lab import catalogue

    groups, shared = catalogue.groups(), catalogue.shared_arguments()
    if as_json:
        every = {**groups, "shared_arguments": shared}
        print_json({name: list(map(dataclasses.asdict, each)) for name, each in every.items()})
        return
    for module, entries in groups.items():
        print_heading(f"{module.capitalize()}: keras_optlab.{module}")
        for entry in entries:
            print_entry(entry)
    print_heading("Arguments of every optimizer")
    print_arguments(shared)


def print_heading(text: str) -> None:
    """A heading, underlined."""
    print(f"{text}\n{'=' * len(text)}\n")


def print_entry(entry: "Entry") -> None:
    """One algorithm, transform, schedule or callback."""
    print(f"{entry.name}: {entry.summary}")
    print_arguments(entry.arguments)
    print(textwrap.fill(f"Source: {entry.source}.", 100, initial_indent="    "), end="\n\n")


def print_arguments(arguments: Iterable["ArgumentEntry"]) -> None:
    """Name, default and domain of each, one a line."""
    for argument in arguments:
        print(f"    {argument.typed:40} {argument.domain}")
