"""`optlab list`: what there is."""

import argparse
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_optlab.lab.catalogue import ArgumentEntry, Entry

NAME = "list"
SUMMARY = "algorithms, transforms, schedules and callbacks, with arguments and source"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It takes none of its own."""


def run(options: argparse.Namespace) -> int:
    """Print what there is."""
    from keras_optlab.lab import catalogue

    for title, entries in (
        ("Algorithms: keras_optlab.optimizers", catalogue.algorithms()),
        ("Transforms: keras_optlab.transforms", catalogue.all_transforms()),
        ("Schedules: keras_optlab.schedules", catalogue.all_schedules()),
        ("Callbacks: keras_optlab.callbacks", catalogue.all_callbacks()),
    ):
        print(f"{title}\n{'=' * len(title)}\n")
        for entry in entries.values():
            print_entry(entry)
    print("Arguments of every algorithm\n============================\n")
    print_arguments(catalogue.shared_arguments())
    return 0


def print_entry(entry: "Entry") -> None:
    """One algorithm, transform, schedule or callback."""
    print(f"{entry.name}: {entry.summary}")
    print_arguments(entry.arguments)
    print(textwrap.fill(f"Source: {entry.source}.", 100, initial_indent="    "), end="\n\n")


def print_arguments(arguments: Sequence["ArgumentEntry"]) -> None:
    """Name, default and domain of each, one a line."""
    for argument in arguments:
        default = "" if argument.default is None else f" = {argument.default}"
        print(f"    {argument.name + default:40} {argument.domain}")
