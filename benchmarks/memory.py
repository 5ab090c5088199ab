"""Memory that a step needs beyond weights, gradients and slots, and the size of the slots.

python -m benchmarks.memory --backend tensorflow --mode jit
"""

import argparse
import json
import subprocess
import sys
from operator import itemgetter
from typing import Any

from benchmarks import backend, figures, options, origin
from benchmarks.contenders import KERAS, OURS, Case
from benchmarks.report import Report

REDUCED = "bfloat16"
OURS_REDUCED = f"ours, {REDUCED}"
# Side and dtype of the slots, by name in tables.
CONTENDERS = {KERAS: (KERAS, None), OURS: (OURS, None), OURS_REDUCED: (OURS, REDUCED)}
# Only a few, as each takes one process per contender; all of them support bfloat16 slots.
DEFAULT_CASES = ["SGD momentum", "Adam", "AMSGrad", "Lion", "Lamb", "Adafactor"]


def main() -> None:
    """Measure and report."""
    parser = options.parser("memory", "Memory of a step.", rounds=3, modes=True)
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    options.add_cases(parser, DEFAULT_CASES)
    options.add_names(parser, "--contenders", CONTENDERS)
    chosen = options.parse(parser)
    results = {
        case.name: {name: measured(case, name, chosen) for name in chosen.contenders}
        for case in chosen.cases
    }
    report = summarized(results, chosen)
    panels = figures.dots(
        results,
        chosen.contenders,
        ("Peak during a step", "times the variable's size", itemgetter("peak")),
        ("State", "bytes a weight", itemgetter("state_bytes_per_weight")),
    )
    figures.draw_dots(panels, report.file(chosen.out, ".png"))
    report.publish(chosen)


def measured(case: Case, name: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the measurements of a separate process."""
    side, slot_dtype = CONTENDERS[name]
    arguments = {
        "--backend": backend.NAME,
        "--mode": chosen.mode,
        "--size": str(chosen.size),
        "--rounds": str(chosen.rounds),
        "--case": case.name,
        "--side": side,
    }
    if slot_dtype:
        arguments["--slot-dtype"] = slot_dtype
    flat = [word for pair in arguments.items() for word in pair]
    command = [sys.executable, "-m", "benchmarks.memory_probe", *flat]
    done = subprocess.run(command, capture_output=True, text=True, cwd=origin.ROOT)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:]
        sys.exit(f"{case.name}, {name}: {''.join(last) or 'the process failed'}")
    return json.loads(done.stdout.splitlines()[-1])


def summarized(results: dict[str, Any], chosen: argparse.Namespace) -> Report:
    """Return the table."""
    names = chosen.contenders
    shown = {"peak": "peak", "temporary": "XLA temp.", "state_bytes_per_weight": "state bytes"}
    if any(one["temporary"] is None for result in results.values() for one in result.values()):
        del shown["temporary"]
    return Report(
        key=("memory", backend.NAME, chosen.mode),
        title=f"Memory of a step, {chosen.size:,} weights, {backend.NAME}, {chosen.mode}",
        columns=["case", *(f"{label}\n{name}" for label in shown.values() for name in names)],
        rows=[
            [case, *(f"{result[name][figure]:.2f}" for figure in shown for name in names)]
            for case, result in results.items()
        ],
        notes=[
            "Peak: most memory during a step beyond what was in use before it, in units of the "
            f"variable's {4 * chosen.size / 1e6:,.0f} MB; highest of {chosen.rounds} steps.",
            "State: bytes of the optimizer's variables a weight.",
        ],
        data=results,
    )


if __name__ == "__main__":
    main()
