"""Command-line arguments shared by the modules."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import backend, origin
from benchmarks.contenders import OF_KERAS, Case
from benchmarks.setting import BACKENDS, Parser

# A string: argparse passes it to `folder` as if typed, which creates the folder.
RESULTS = "build/benchmarks"


def parser(module: str, summary: str, *, rounds: int | None = None, modes: bool = False) -> Parser:
    """Return a parser with `--backend`, `--out` and, on request, `--mode` and `--rounds`.

    Args:
        module: Name of the module in this package.
        summary: What it measures.
        rounds: Default of `--rounds`, None if there are no rounds.
        modes: Whether the step can be run in each of the backend's modes.
    """
    made = Parser(prog=f"python -m benchmarks.{module}", description=summary, allow_abbrev=False)
    made.set_defaults(module=module)
    made.add_argument("--backend", choices=BACKENDS, help="default: that of KERAS_BACKEND")
    if modes:
        made.add_argument(
            "--mode",
            choices=list(backend.MODES),
            default=next(iter(backend.MODES)),
            help="how a step is run (default: %(default)s)",
        )
    if rounds is not None:
        add_count(made, "--rounds", rounds, "rounds, in each of which every contender runs once")
    made.add_argument(
        "--out",
        type=folder,
        default=RESULTS,
        metavar="FOLDER",
        help="where the JSON and the plot go (default: %(default)s)",
    )
    return made


def add_cases(
    made: Parser,
    default: Sequence[str] = (),
    flag: str = "--cases",
    among: dict[str, Case] = OF_KERAS,
) -> None:
    """Add an option that selects optimizers, by default all those that Keras has too."""
    add_names(made, flag, among, default, find=among.__getitem__)


def add_names(
    made: Parser,
    flag: str,
    known: Iterable[str],
    default: Sequence[str] = (),
    find: Callable[[str], Any] = str,
) -> None:
    """Add an option that takes one or more names.

    Args:
        made: Parser.
        flag: The option.
        known: The valid names.
        default: Names selected by default, empty for all.
        find: Function that returns the option's value for a name.
    """
    made.add_argument(
        flag,
        nargs="+",
        type=named(known, find),
        default=[find(name) for name in default or known],
        metavar="NAME",
        help=f"of: {'; '.join(known)} (default: {'; '.join(default) or 'all'})",
    )


def add_batch_seconds(made: Parser) -> None:
    """Add the option for how long a contender runs in a round."""
    made.add_argument(
        "--batch-seconds",
        type=positive_seconds,
        default=0.25,
        metavar="SECONDS",
        help="least time that a contender runs in a round (default: %(default)s)",
    )


def add_count(made: Parser, flag: str, default: int, meaning: str) -> None:
    """Add an option that takes an integer >= 1."""
    made.add_argument(
        flag, type=count, default=default, metavar="N", help=f"{meaning} (default: %(default)s)"
    )


def parse(made: Parser) -> argparse.Namespace:
    """Parse the arguments of this process, and add the origin of the numbers as `origin`."""
    options = made.parse_args()
    line = [f"python -m benchmarks.{options.module}", shlex.join(sys.argv[1:])]
    options.origin = origin.origin(" ".join(line).strip())
    return options


def named(known: Iterable[str], find: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """Return a case-insensitive reader of one name, which raises argparse's error for others."""
    by_lower_case = {name.lower(): name for name in known}

    def read(text: str) -> Any:
        if text.lower() not in by_lower_case:
            choice = "; ".join(known)
            raise argparse.ArgumentTypeError(f"expected one of: {choice}. Received: {text}")
        return find(by_lower_case[text.lower()])

    return read


def count(text: str) -> int:
    """Read an integer >= 1, such as 25e6 or 25_000_000, or raise argparse's error."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if number < 1 or number != number // 1:
        raise argparse.ArgumentTypeError(f"expected an integer >= 1. Received: {text}")
    return int(number)


def positive_seconds(text: str) -> float:
    """Read a number > 0, or raise argparse's error."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number > 0. Received: {text}")
    return number


def folder(text: str) -> Path:
    """Return a folder, created if it does not exist, or raise argparse's error."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot write to {text}: {error.strerror}"
        raise argparse.ArgumentTypeError(reason) from None
    return path
