"""`optlab claims`: measure what is said about optimizers and schedules."""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optlab.backend import start_keras
from optlab.options import Backend, Json, OutFolder, parse_list

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.claims import Evidence

LAST = 14


def claims(
    claims: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBERS",
            help=f"Numbers of claims, 1 to {LAST}, with commas between them: 1,4,13.",
            show_default="all",
        ),
    ] = None,
    out: OutFolder = Path("optlab-claims"),
    as_json: Json = False,
    backend: Backend = None,
) -> int:
    """Test 14 common claims about optimizers and schedules, with a picture of each.

    The pictures and the figures, as claims.json, are written to a folder. The exit code is 1 if
    a figure is not as documented.
    """
    expected = f"the number of a claim, 1 to {LAST}"
    numbers = sorted(set(parse_list("--claims", claims, claim_number, expected)))
    start_keras(backend)
    from keras_optlab.lab.terminal import require_lab

    require_lab()
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    found = list(measured(numbers or range(1, LAST + 1), out, silent=as_json))
    text = as_text(found)
    with writing(out):
        write(out / "claims.json", text.encode())
    if as_json:
        print(text, end="")
    else:
        print_verdicts(found)
        print(f"{time.perf_counter() - started:.0f} s. Pictures and claims.json: {out}")
    return 0 if all(evidence.is_as_documented for evidence in found) else 1


def claim_number(text: str) -> int:
    """The number of a claim."""
    number = int(text)
    if not 1 <= number <= LAST:
        raise ValueError(text)
    return number


def measured(numbers: Sequence[int], out: Path, silent: bool) -> Iterator["Evidence"]:
    """Measure claims, and draw and print each."""
    from keras_optlab.lab import claims
    from keras_optlab.lab.terminal import progress_bar, wide_console

    console = wide_console()
    with progress_bar() as progress:
        for done, number in enumerate(numbers):
            progress(f"claim {number}", done, len(numbers))
            evidence = claims.measure(number)
            with writing(out):
                write(out / f"claim_{number:02}.png", claims.png(evidence))
            if not silent:
                console.print(f"{number}. {evidence.claim}", style="bold")
                console.print(figures(evidence))
                console.print(f"{evidence.text}\n")
            yield evidence


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What cannot be written is the user's to put right."""
    from keras_optlab.lab.errors import InputError

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
    from keras_optlab.lab.terminal import simple_table

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
    from keras_optlab.lab.terminal import simple_table, wide_console

    table = simple_table("", "Claim", "Verdict")
    table.columns[1].justify, table.columns[1].no_wrap = "left", False
    for evidence in found:
        table.add_row(str(evidence.number), evidence.claim, evidence.verdict)
    wide_console().print(table)


def as_text(found: Sequence["Evidence"]) -> str:
    """What claims.json says, which is what `--json` prints."""
    from keras_optlab.lab.report import finite

    numbers = finite([as_numbers(evidence) for evidence in found])
    return json.dumps(numbers, indent=1, allow_nan=False) + "\n"


def as_numbers(evidence: "Evidence") -> dict[str, Any]:
    """What claims.json says of a claim."""
    return {
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
