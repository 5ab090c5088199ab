"""Runs the command line: what goes wrong becomes one line on stderr and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

WRONG_INPUT = 2
INTERRUPTED = 130
NO_TYPER = 'typer is not installed: pip install "keras-optlab[lab]" brings what `optlab` needs'


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows `optlab` on the command line; None for that of this process.

    Returns:
        The exit code: 0, 1 if a check failed, 2 for wrong input, 130 if interrupted.
    """
    try:
        import typer
    except ModuleNotFoundError:
        return complain(NO_TYPER)
    from optlab.app import app

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(arguments, prog_name="optlab", obj=arguments, standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        return wrong_usage(error.format_message(), getattr(error, "ctx", None))
    except (BrokenPipeError, SystemExit) as error:
        return stopped(error)
    except Exception as error:
        from keras_optlab.lab.errors import InputError

        if not isinstance(error, InputError):
            raise
        return complain(str(error))
    if code == INTERRUPTED:
        complain("interrupted")
    return code or 0


def complain(message: str, command: str = "optlab") -> int:
    """Say in one line what is wrong."""
    print(f"{command}: {' '.join(message.split())}", file=sys.stderr)
    return WRONG_INPUT


def wrong_usage(message: str, context: "typer.Context | None") -> int:
    """Say what is wrong with the options; after the help of a bare `optlab` there is no more."""
    if not message or context is None:
        return complain(message) if message else WRONG_INPUT
    if "unexpected extra argument" in message:
        message += "; a list is written with commas and no spaces, as in SGD,Adam"
    command = context.command_path
    return complain(f"{message} (see {command} --help)", command)


def stopped(reason: BrokenPipeError | SystemExit) -> int:
    """The exit code where typer has ended the process, or the reader of a pipe has seen enough."""
    if isinstance(reason, SystemExit) and not isinstance(reason.__context__, BrokenPipeError):
        return reason.code if isinstance(reason.code, int) else WRONG_INPUT
    # Python would complain once more when it flushes stdout at the end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0
