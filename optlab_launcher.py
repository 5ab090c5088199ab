"""Starts the `optlab` command: chooses Keras' backend, which is fixed when Keras is imported.

It stands outside the package, whose import brings in Keras.
"""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence

BACKENDS = ("tensorflow", "jax", "torch")
WRONG_INPUT = 2


def main() -> int:
    """Run the command with the arguments of this process.

    Returns:
        The exit code; see `keras_optlab.lab.command.main`.
    """
    wrong = choose_backend(sys.argv[1:])
    if wrong:
        print(f"optlab: {wrong}", file=sys.stderr)
        return WRONG_INPUT
    from keras_optlab.lab import command

    return command.main()


def choose_backend(arguments: Sequence[str]) -> str | None:
    """Import Keras on the backend that the arguments or the environment name.

    Returns:
        What is wrong, where it cannot be imported; else None.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Several threads make a small network no faster, and stall where others share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wanted = named_backend(arguments)
    # A name that is none of them is an error of the argument, which the command reports.
    if wanted in BACKENDS:
        os.environ["KERAS_BACKEND"] = wanted
    named = os.environ.get("KERAS_BACKEND")
    if named and named not in BACKENDS:
        return f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}. Received: {named}"
    try:
        with muted_stderr():
            keras = importlib.import_module("keras")
            running = keras.backend.backend() if hasattr(keras, "backend") else None
            if running is None or running in BACKENDS:
                importlib.import_module("keras_optlab")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0].removesuffix("lib")
        if missing not in BACKENDS:
            raise
        return missing_backend(missing)
    except ImportError as error:
        # Keras is too old.
        if not str(error).startswith("keras-optlab needs"):
            raise
        return str(error)
    if running not in BACKENDS:
        return f"Keras runs on {running}; take --backend {', '.join(BACKENDS)}"
    return None


def named_backend(arguments: Sequence[str]) -> str | None:
    """The value of `--backend`, None where it is not given."""
    for place, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option == "--backend":
            return value if equals else next(iter(arguments[place + 1 :]), None)
    return None


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


def missing_backend(name: str) -> str:
    """What to do about a backend that is not installed."""
    advice = f'pip install "keras-optlab[{name}]"'
    installed = [other for other in BACKENDS if importlib.util.find_spec(other)]
    if installed:
        advice += f", or take --backend {' or '.join(installed)}"
    return f"the backend {name} is not installed: {advice}"


if __name__ == "__main__":
    sys.exit(main())
