"""Entry point of the command line: errors become one line on stderr and an exit code."""

import os
import sys
from collections.abc import Sequence

WRONG_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with `arguments`, by default those of this process.

    Returns the exit code: 0, 1 if a check failed, 2 for wrong input, 130 if interrupted.
    """
    try:
        import typer
    except ModuleNotFoundError:
        needed = 'pip install "keras-optlab[lab]" installs what `optlab` needs'
        return complain(f"typer is not installed: {needed}")
    from optlab.app import app

    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(arguments, prog_name="optlab", obj=arguments, standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        message, context = error.format_message(), getattr(error, "ctx", None)
        # A bare `optlab` has printed its help; there is nothing to add.
        if not message or context is None:
            return complain(message) if message else WRONG_INPUT
        if "unexpected extra argument" in message:
            message += "; separate list items with commas and no spaces, as in SGD,Adam"
        command = context.command_path
        return complain(f"{message} (see {command} --help)", command)
    except (BrokenPipeError, SystemExit) as error:
        # If the reader of a pipe has closed it, typer may have called `sys.exit`.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            return error.code if isinstance(error.code, int) else WRONG_INPUT
        # Otherwise Python would complain again when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        from keras_optlab.lab.errors import InputError

        if not isinstance(error, InputError):
            raise
        return complain(str(error))
    if code == INTERRUPTED:
        complain("interrupted")
    return code or 0


def complain(message: str, command: str = "optlab") -> int:
    """Print an error as one line, and return the exit code for wrong input."""
    print(f"{command}: {' '.join(message.split())}", file=sys.stderr)
    return WRONG_INPUT
