"""Imports Keras on the backend that `--backend` or KERAS_BACKEND names."""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator

import typer

BACKENDS = ("tensorflow", "jax", "torch")


def start_keras(wanted: str | None) -> str:
    """Import Keras and this package.

    Args:
        wanted: The backend; None for the one that Keras is configured with.

    Returns:
        The backend that Keras runs on.

    Raises:
        typer.TyperException: If it is not installed, or Keras is too old or runs on another.
    """
    if "keras" not in sys.modules:
        prepare(wanted)
    try:
        with muted_stderr():
            keras = importlib.import_module("keras")
            running = keras.backend.backend() if hasattr(keras, "backend") else None
            if running is None or running in BACKENDS:
                importlib.import_module("keras_optlab")
    except ImportError as error:
        raise typer.TyperException(missing(error)) from error
    if running not in BACKENDS:
        raise typer.TyperException(f"Keras runs on {running}; take --backend {', '.join(BACKENDS)}")
    if wanted and wanted != running:
        raise typer.TyperException(
            f"Keras runs on {running} in this process already, not on {wanted}"
        )
    return running


def prepare(wanted: str | None) -> None:
    """Set what Keras and its backend read from the environment when they are imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Several threads make a small network no faster, and stall where others share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if wanted:
        os.environ["KERAS_BACKEND"] = wanted


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


def missing(error: ImportError) -> str:
    """What to do about a backend that is not installed, or a Keras that is too old."""
    name = (error.name or "").partition(".")[0].removesuffix("lib")
    if isinstance(error, ModuleNotFoundError) and name in BACKENDS:
        advice = f'pip install "keras-optlab[{name}]"'
        installed = [other for other in BACKENDS if importlib.util.find_spec(other)]
        if installed:
            advice += f", or take --backend {' or '.join(installed)}"
        return f"the backend {name} is not installed: {advice}"
    if str(error).startswith("keras-optlab needs"):
        return str(error)
    raise error
