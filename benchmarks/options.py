"""Arguments that the modules have in common."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import backend, origin
from benchmarks.contenders import OF_KERAS, Case
from benchmarks.setting import BACKENDS, Parser

# Text, which argparse hands to `folder` as if it had been typed: the folder is made.
RESULTS = "build/benchmarks"


def parser(module: str, summary: str, *, rounds: int | None = None, modes: bool = False) -> Parser:
    """A parser with `--backend`, `--out` and, where asked for, `--mode` and `--rounds`.

    Args:
        module: Name of the module in this package.
        summary: What it measures.
        rounds: Default of `--rounds`, None where there are no rounds.
        modes: Whether the step can be run in the backend's several modes.
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
    """Add the choice of optimizers, by default all; mostly among those that Keras has too."""
    add_names(made, flag, among, default, find=among.__getitem__)


def add_names(
    made: Parser,
    flag: str,
    known: Iterable[str],
    default: Sequence[str] = (),
    find: Callable[[str], Any] = str,
) -> None:
    """Add the choice of one or more names.

    Args:
        made: Parser.
        flag: The option.
        known: The names that there are.
        default: Those of the default, none for all.
        find: What the option has for a name.
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
    """Add how long a contender runs in a round."""
    made.add_argument(
        "--batch-seconds",
        type=positive_seconds,
        default=0.25,
        metavar="SECONDS",
        help="least time that a contender runs in a round (default: %(default)s)",
    )


def add_count(made: Parser, flag: str, default: int, meaning: str) -> None:
    """Add an integer >= 1."""
    made.add_argument(
        flag, type=count, default=default, metavar="N", help=f"{meaning} (default: %(default)s)"
    )


def parse(made: Parser) -> argparse.Namespace:
    """The arguments of this process, and as `origin` what the numbers are made with and from."""
    options = made.parse_args()
    line = [f"python -m benchmarks.{options.module}", shlex.join(sys.argv[1:])]
    options.origin = origin.origin(" ".join(line).strip())
    return options


def named(known: Iterable[str], find: Callable[[str], Any] = str) -> Callable[[str], Any]:
    """A reader of one name, whatever its upper and lower case, with argparse's error for others."""
    by_lower_case = {name.lower(): name for name in known}

    def read(text: str) -> Any:
        if text.lower() not in by_lower_case:
            choice = "; ".join(known)
            raise argparse.ArgumentTypeError(f"expected one of: {choice}. Received: {text}")
        return find(by_lower_case[text.lower()])

    return read


def count(text: str) -> int:
    """An integer >= 1, or argparse's error; 25e6 and 25_000_000 are understood."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if number < 1 or number != number // 1:
        raise argparse.ArgumentTypeError(f"expected an integer >= 1. Received: {text}")
    return int(number)


def positive_seconds(text: str) -> float:
    """A number > 0, or argparse's error."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number > 0. Received: {text}")
    return number


def folder(text: str) -> Path:
    """A folder, made where there is none, or argparse's error."""
    path = Path(text)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot write to {text}: {error.strerror}"
        raise argparse.ArgumentTypeError(reason) from None
    return path
