"""Imports Keras on the backend that `--backend` or KERAS_BACKEND names."""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator

import typer

BACKENDS = ("tensorflow", "jax", "torch")
# Of what the extra `lab` brings, besides `typer`.
LAB_MODULES = ("jinja2", "matplotlib", "pandas", "plotly", "rich", "sklearn")


def start_keras(wanted: str | None) -> str:
    """Import Keras and this package, and return the backend that Keras runs on.

    A `typer.TyperException` says if it is not installed, or Keras is too old or runs on another.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # Several threads make a small network no faster, and stall where others share the cores.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ |= {"KERAS_BACKEND": wanted} if wanted else {}
    try:
        with muted_stderr():
            keras = importlib.import_module("keras")
            running = keras.backend.backend() if hasattr(keras, "backend") else None
            if running is None or running in BACKENDS:
                importlib.import_module("keras_optlab")
    except ImportError as error:
        message, name = str(error), (error.name or "").partition(".")[0].removesuffix("lib")
        if isinstance(error, ModuleNotFoundError) and name in BACKENDS:
            installed = " or ".join(filter(importlib.util.find_spec, BACKENDS))
            message = f'the backend {name} is not installed: pip install "keras-optlab[{name}]"'
            message += f", or take --backend {installed}" if installed else ""
        elif not message.startswith("keras-optlab needs"):
            raise
        raise typer.TyperException(message) from error
    if running not in BACKENDS or wanted not in (running, None):
        expected = wanted or f"{', '.join(BACKENDS)}: take --backend"
        raise typer.TyperException(f"Keras runs on {running} in this process, not on {expected}")
    return running


def start_lab(wanted: str | None) -> str:
    """`start_keras`, and check that the packages of the extra `lab` are there."""
    missing = [name for name in LAB_MODULES if not importlib.util.find_spec(name)]
    if missing:
        needed = 'pip install "keras-optlab[lab]" brings what this command needs'
        raise typer.TyperException(f"{', '.join(missing)} not installed: {needed}")
    return start_keras(wanted)


@contextlib.contextmanager
def muted_stderr() -> Iterator[None]:
    """Nothing reaches stderr, C++ included: TensorFlow logs before it reads its log level."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
