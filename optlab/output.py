"""JSON output of the commands, and errors in writing their files."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer


def print_json(value: Any) -> None:
    """Print a result as JSON, with null for NaN and infinity."""
    print(as_json(value))


def as_json(value: Any) -> str:
    """Return a result as JSON, with null for NaN and infinity."""
    from keras_optlab.lab.report import finite

    return json.dumps(finite(value), indent=1, allow_nan=False, ensure_ascii=False)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an error in writing a file or folder into one line for the user."""
    try:
        yield
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise typer.TyperException(f"cannot write to {path}: {reason or error}") from None
