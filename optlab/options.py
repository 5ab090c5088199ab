"""Options shared by several commands."""

import functools
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

Value = TypeVar("Value")

Backend = Annotated[
    Literal["tensorflow", "jax", "torch"] | None,
    typer.Option(envvar="KERAS_BACKEND", help="Keras backend."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else, to stdout.")
]
Optimizers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAMES",
        help="Algorithms, named as in `optlab list`, separated by commas: SGD,Adam.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Training examples per batch.")]
OutFolder = Annotated[Path, typer.Option(help="Folder to write to; created if it does not exist.")]

users = functools.partial(typer.Option, rich_help_panel="Your data and model")
Data = Annotated[
    str | None,
    users(
        metavar="FILE|MODULE:FUNCTION",
        help="A .npz file with `x` and `y`; a .csv file, with the labels in its last column or in "
        "one called `label`, `target` or `y`; or a function that returns `(x, y)` or "
        "`(x_train, y_train, x_validation, y_validation)`, such as my_code.py:load.",
        show_default="scikit-learn's digits",
    ),
]
Label = Annotated[str | None, users(help="Column or array of the file with the labels.")]
Model = Annotated[
    str | None,
    users(
        metavar="MODULE:FUNCTION",
        help="A function that builds a new Keras model with one output for each class or target, "
        "such as my_code.py:build. Features that a function loads are then not standardized.",
        show_default="one hidden layer of 32 units",
    ),
]


def parse_list(
    option: str, items: Sequence[str] | None, parse: Callable[[str], Value], expected: str
) -> list[Value]:
    """Parse a comma-separated list; `parse` converts one word, or raises a `ValueError`."""
    values = []
    for word in filter(None, map(str.strip, ",".join(items or ()).split(","))):
        try:
            values.append(parse(word))
        except ValueError:
            message = f"expected {expected}; separate several with commas. Received: {word}"
            raise typer.BadParameter(message, param_hint=option) from None
    return values


def typed(context: typer.Context, backend: str) -> str:
    """Return the command line that repeats this run on the same backend."""
    line = shlex.join(["optlab", *context.obj])
    is_named = any(word.partition("=")[0] == "--backend" for word in context.obj)
    return line if is_named else f"{line} --backend {backend}"
