"""The `optlab` command.

Keras takes a second or ten to import and settles on a backend then, so nothing here imports it
before the arguments are understood.
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn, final

import keras_optlab
from keras_optlab.lab.arguments import BACKENDS, shared
from keras_optlab.lab.commands import COMMANDS
from keras_optlab.lab.errors import InputError
from keras_optlab.version import __version__, check_keras

WRONG_INPUT = 2
INTERRUPTED = 130


@final
class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows `optlab` on the command line; None for that of this process.

    Returns:
        The exit code: 0, 1 if parity does not hold, 2 for wrong input, 130 if interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(arguments)
    options.arguments = arguments
    try:
        choose_backend(options.backend)
        return options.run(options)
    except InputError as error:
        print(f"optlab: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("optlab: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, `head` for one, has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> Parser:
    """The parser of the command line."""
    whole = Parser(
        prog="optlab",
        description="Optimizers, schedules and 1cycle of keras-optlab, beside Keras' own.",
    )
    whole.add_argument("--version", action="version", version=f"keras-optlab {__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        added = commands.add_parser(
            command.NAME,
            help=command.SUMMARY,
            description=f"{command.SUMMARY}.",
            parents=[shared()],
        )
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return whole


def choose_backend(wanted: str | None) -> None:
    """Import Keras on a backend.

    Raises:
        InputError: If the backend is not installed, or not one that this package trains on, or if
            Keras is too old.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Several threads make a small network no faster, and stall where others share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if wanted and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = wanted
    named = os.environ.get("KERAS_BACKEND")
    if named and named not in BACKENDS:
        raise InputError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}. Received: {named}")
    try:
        with muted_stderr():
            keras = importlib.import_module("keras")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0].removesuffix("lib")
        if missing not in BACKENDS:
            raise
        raise InputError(missing_backend(missing)) from None
    try:
        check_keras(keras.__version__)
    except ImportError as error:
        raise InputError(str(error)) from None
    running = keras.backend.backend()
    if running not in BACKENDS:
        raise InputError(f"Keras runs on {running}; take --backend {', '.join(BACKENDS)}")
    if wanted and wanted != running:
        raise InputError(f"Keras runs on {running} in this process already, not on {wanted}")
    keras_optlab._load()


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
