"""Import of Keras on the backend that `--backend` or KERAS_BACKEND names."""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator

import typer

BACKENDS = ("tensorflow", "jax", "torch")
# Some of the modules that the extra `lab` installs, besides `typer`.
LAB_MODULES = ("jinja2", "matplotlib", "pandas", "plotly", "rich", "sklearn")


def start_keras(wanted: str | None) -> str:
    """Import Keras and this package, and return the backend that Keras runs on.

    Raises a `typer.TyperException` if the backend is not installed, or if Keras is too old or
    runs on another backend.
    """
    if "keras" not in sys.modules:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        # More threads do not speed up a small network, and stall if others share the cores.
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
            message += f", or use --backend {installed}" if installed else ""
        elif not message.startswith("keras-optlab needs"):
            raise
        raise typer.TyperException(message) from error
    if running not in BACKENDS or wanted not in (running, None):
        expected = wanted or f"one of {', '.join(BACKENDS)} (choose it with --backend)"
        raise typer.TyperException(
            f"Keras uses the backend {running} in this process; expected {expected}"
        )
    return running


def start_lab(wanted: str | None) -> str:
    """Check that the packages of the extra `lab` are installed, then run `start_keras`."""
    missing = [name for name in LAB_MODULES if not importlib.util.find_spec(name)]
    if missing:
        needed = 'pip install "keras-optlab[lab]" installs what this command needs'
        raise typer.TyperException(f"{', '.join(missing)} not installed: {needed}")
    return start_keras(wanted)


@contextlib.contextmanager
def muted_stderr() -> Iterator[None]:
    """Silence stderr, C++ included: TensorFlow logs before it reads its log level."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
