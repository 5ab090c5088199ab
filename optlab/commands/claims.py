"""`optlab claims`: test common claims about optimizers and schedules."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from optlab.backend import start_lab
from optlab.options import Backend, Json, OutFolder, parse_list
from optlab.output import as_json as as_text
from optlab.output import writing

if TYPE_CHECKING:
    from keras_optlab.lab.claims import Evidence

LAST = 14


def claims(
    claims: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NUMBERS",
            help=f"Numbers of claims, 1 to {LAST}, separated by commas: 1,4,13.",
            show_default="all",
        ),
    ] = None,
    out: OutFolder = Path("optlab-claims"),
    as_json: Json = False,
    backend: Backend = None,
) -> int:
    """Test 14 common claims about optimizers and schedules, with a picture of each.

    The pictures and a file with the figures, claims.json, are written to a folder. The exit code
    is 1 if a figure is not as documented.
    """
    expected = f"the number of a claim, 1 to {LAST}"
    numbers = sorted(set(parse_list("--claims", claims, claim_number, expected)))
    numbers = numbers or range(1, LAST + 1)
    start_lab(backend)
    from keras_optlab.lab.claims import draw, measure
    from keras_optlab.lab.terminal import progress_bar, simple_table, wide_console

    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    started, found, facts = time.perf_counter(), [], []
    with progress_bar() as progress:
        for done, number in enumerate(numbers):
            progress(f"claim {number}", done, len(numbers))
            found.append(measure(number))
            facts.append(as_numbers(found[-1]))
            with writing(out):
                draw(found[-1], out / facts[-1]["picture"])
            if not as_json:
                print_figures(found[-1])
    text = as_text(facts)
    with writing(out):
        (out / "claims.json").write_text(f"{text}\n", encoding="utf-8")
    if as_json:
        print(text)
    else:
        table = simple_table("", "Claim", "Verdict")
        table.columns[1].justify, table.columns[1].no_wrap = "left", False
        for evidence in found:
            table.add_row(str(evidence.number), evidence.claim, evidence.verdict)
        wide_console().print(table)
        print(f"{time.perf_counter() - started:.0f} s. Pictures and claims.json: {out}")
    return 0 if all(evidence.is_as_documented for evidence in found) else 1


def claim_number(text: str) -> int:
    """Return the number of a claim, or raise a `ValueError` if there is none."""
    return range(1, LAST + 1).index(int(text)) + 1


def as_numbers(evidence: "Evidence") -> dict[str, Any]:
    """Return the entry of a claim in claims.json."""
    facts = ("number", "claim", "verdict", "holds", "text", "caption")
    return {name: getattr(evidence, name) for name in facts} | {
        "as_documented": evidence.is_as_documented,
        "measurements": [
            {**dataclasses.asdict(one), "value": float(one.value), "passed": one.passed}
            for one in evidence.measurements
        ],
        "picture": f"claim_{evidence.number:02}.png",
    }


def print_figures(evidence: "Evidence") -> None:
    """Print a claim, its figures with their thresholds, and the outcome."""
    from keras_optlab.lab.terminal import simple_table, wide_console

    table = simple_table("Figure", "Measured", "Threshold", "")
    table.columns[0].no_wrap = False
    for one in evidence.measurements:
        outcome = "met" if one.passed else "not met"
        if not one.is_as_documented:
            outcome += ", NOT AS DOCUMENTED"
        elif not one.passed:
            outcome += ", as documented"
        table.add_row(one.name, f"{one.value:.4g}", one.threshold, outcome)
    console = wide_console()
    console.print(f"{evidence.number}. {evidence.claim}", style="bold")
    console.print(table)
    console.print(f"{evidence.text}\n")
