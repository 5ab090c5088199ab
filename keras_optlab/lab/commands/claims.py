"""`optlab claims`: measure what is told of optimizers and schedules."""

import argparse
import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_optlab.lab.arguments import add_folder, positive
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.terminal import progress_bar, require, simple_table, wide_console

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.claims import Evidence

NAME = "claims"
SUMMARY = "measure 14 claims about optimizers and schedules; exit code 1 if a figure fails"
PACKAGES = ("sklearn", "matplotlib", "rich")
LAST = 14


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--claims",
        nargs="+",
        type=claim,
        metavar="N",
        help=f"numbers of claims, 1 to {LAST} (default: all)",
    )
    add_folder(parser, "optlab-claims", "a picture of each and claims.json")


def claim(text: str) -> int:
    """The number of a claim, or argparse's error."""
    number = positive(text)
    if number > LAST:
        raise argparse.ArgumentTypeError(f"there are claims 1 to {LAST}. Received: {text}")
    return number


def run(options: argparse.Namespace) -> int:
    """Measure, print and draw; 1 if a figure is on the other side of its threshold than known."""
    require(*PACKAGES)
    numbers = sorted(set(options.claims or range(1, LAST + 1)))
    with writing(options.out):
        options.out.mkdir(parents=True, exist_ok=True)
    from keras_optlab.lab import claims

    started = time.perf_counter()
    console = wide_console()
    found = []
    with progress_bar() as progress:
        for done, number in enumerate(numbers):
            progress(f"claim {number}", done, len(numbers))
            evidence = claims.measure(number)
            found.append(evidence)
            with writing(options.out):
                write(options.out / f"claim_{number:02}.png", claims.png(evidence))
            console.print(f"{number}. {evidence.claim}", style="bold")
            console.print(figures(evidence))
            console.print(f"{evidence.text}\n")
    with writing(options.out):
        text = json.dumps([as_numbers(evidence) for evidence in found], indent=1, allow_nan=False)
        write(options.out / "claims.json", f"{text}\n".encode())
    print_verdicts(found)
    print(f"{time.perf_counter() - started:.0f} s. Pictures and claims.json: {options.out}")
    return 0 if all(evidence.is_as_documented for evidence in found) else 1


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What cannot be written is the user's to put right."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror or error}") from None


def write(path: Path, content: bytes) -> None:
    """Write a file, which replaces an old one when all of it is there."""
    aside = path.with_name(f".{path.name}.unfinished")
    try:
        aside.write_bytes(content)
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def figures(evidence: "Evidence") -> "Table":
    """The figures of a claim, each beside its threshold."""
    table = simple_table("Figure", "Measured", "Threshold", "")
    table.columns[0].no_wrap = False
    for one in evidence.measurements:
        outcome = "kept" if one.passed else "not kept"
        known = ", as documented" if not one.passed and one.is_as_documented else ""
        flag = "" if one.is_as_documented else ", NOT AS DOCUMENTED"
        table.add_row(one.name, f"{one.value:.4g}", one.threshold, f"{outcome}{known}{flag}")
    return table


def print_verdicts(found: Sequence["Evidence"]) -> None:
    """One line for each claim."""
    table = simple_table("", "Claim", "Verdict")
    table.columns[1].justify, table.columns[1].no_wrap = "left", False
    for evidence in found:
        table.add_row(str(evidence.number), evidence.claim, evidence.verdict)
    wide_console().print(table)


def as_numbers(evidence: "Evidence") -> dict[str, Any]:
    """What claims.json says of a claim."""
    from keras_optlab.lab.report import finite

    return finite(
        {
            "number": evidence.number,
            "claim": evidence.claim,
            "verdict": evidence.verdict,
            "holds": evidence.holds,
            "as_documented": evidence.is_as_documented,
            "text": evidence.text,
            "measurements": [
                {**dataclasses.asdict(one), "value": float(one.value), "passed": one.passed}
                for one in evidence.measurements
            ],
            "picture": f"claim_{evidence.number:02}.png",
            "caption": evidence.caption,
        }
    )
