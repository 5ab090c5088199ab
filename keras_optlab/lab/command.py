"""The `optlab` command, once `optlab_launcher` has chosen Keras' backend."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, final

import keras

from keras_optlab.lab.arguments import shared
from keras_optlab.lab.commands import COMMANDS
from keras_optlab.lab.errors import InputError
from keras_optlab.version import __version__

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
        check_backend(options.backend)
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
        # Parents may be parsers of any class, whatever argparse's types say.
        parents: list[Any] = [shared()]
        added = commands.add_parser(
            command.NAME,
            help=command.SUMMARY,
            description=f"{command.SUMMARY}.",
            parents=parents,
        )
        command.add_arguments(added)
        added.set_defaults(run=command.run)
    return whole


def check_backend(wanted: str | None) -> None:
    """Raise an `InputError` where Keras runs on another backend than the one that is asked for."""
    running = keras.backend.backend()
    if wanted and wanted != running:
        raise InputError(f"Keras runs on {running} in this process already, not on {wanted}")
