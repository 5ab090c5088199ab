"""Recordings of other code that a class reproduces, read from the tests that compare them."""

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from .markdown import call, code, table

TESTS = Path(__file__).parents[2] / "tests"
FOLDERS = (TESTS / "helpers", TESTS / "optimizers", TESTS / "transforms")


def test_module(name: str) -> ModuleType:
    """Import a module of the tests, which hold the arguments of each comparison."""
    for folder in map(str, FOLDERS):
        if folder not in sys.path:
            sys.path.append(folder)
    return importlib.import_module(name)


def of_optimizer(name: str) -> str:
    """Return the golden tables of an optimizer, and the table of other libraries.

    Args:
        name: Name of the class.
    """
    cases = test_module("test_authors_numbers").CASES
    tables = [
        recording(recorded, {each: call(given) for each, given in configurations.items()})
        for recorded, (cls, configurations) in cases.items()
        if cls == name
    ]
    if tables:
        tables.append(command("optimizers/test_authors_numbers.py"))
    return "\n\n".join([*tables, *of_libraries(name)])


def of_libraries(name: str) -> list[str]:
    """Return a table of equivalent functions in other libraries, empty if there are none."""
    module = test_module("other_libraries")
    cases = [each for each in (*module.TORCH, *module.OPTAX, *module.SCHEDULE_FREE)]
    rows = [
        [f"`{each.library}.{each.theirs}`", call(each.their_arguments), call(each.arguments)]
        for each in cases
        if each.ours == name
    ]
    if not rows:
        return []
    intro = "Recorded from other libraries, in float64 after 12 or more steps, equal to rounding:"
    shown = table(["library", "its arguments", "ours"], rows)
    return [intro, shown, command("optimizers/test_other_libraries.py")]


def of_transform(name: str) -> str:
    """Return the golden tables of a transform.

    Args:
        name: Name of the class.
    """
    cases = test_module("test_authors_of_transforms").CASES
    tables = []
    for recorded, configurations in cases.items():
        ours = {
            each: ", ".join(
                (code(algorithm), call(as_typed(given)), code(transform_as_typed(transform)))
            )
            for each, (algorithm, given, transform) in configurations.items()
            if type(transform).__name__ == name
        }
        if ours:
            tables.append(recording(recorded, ours))
    return "\n\n".join([*tables, command("transforms/test_authors_of_transforms.py")])


def as_typed(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments with values one can type; a schedule of the tests becomes its class."""
    return {
        name: value if isinstance(value, str | int | float) else type(value)
        for name, value in arguments.items()
    }


def transform_as_typed(transform: Any) -> str:
    """Return a transform as a user types it."""
    arguments = {
        name: value
        for name, value in transform.configuration().items()
        if value != type(transform).declared_arguments[name].default
    }
    inside = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"{type(transform).__name__}({inside})"


def recording(recorded: str, ours: dict[str, str]) -> str:
    """Return the origin of a recording, and a table of its configurations.

    Args:
        recorded: Its name in `tests/golden`.
        ours: Our arguments for each configuration, in Markdown.
    """
    authors = test_module("authors")
    entry = authors.MANIFEST[recorded]
    rows = [
        [
            configuration,
            call(entry["configs"][configuration]["args"]),
            arguments,
            f"{authors.bound_in_float32(recorded, configuration):.0e}",
        ]
        for configuration, arguments in ours.items()
    ]
    return f"Recorded from {origin(entry['oracle'])}:\n\n" + table(
        ["configuration", "its arguments", "ours", "float32 bound"], rows
    )


def origin(oracle: dict[str, str]) -> str:
    """Return the code whose numbers were recorded, with its version."""
    if "repository" in oracle:
        where = f"{oracle['repository']}, {oracle['file']} at commit {oracle['commit'][:10]}"
        return f"`{oracle['cls']}` of {where}"
    return f"`{oracle['cls']}` of {oracle['package']} {oracle['version']}"


def command(path: str) -> str:
    """Return a sentence on how to run a comparison."""
    return f'`pytest -m "" tests/{path}` compares them on the backend that Keras runs on.'
