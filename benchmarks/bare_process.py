"""A check that the built-in is as fast inside these benchmarks as in a bare process.

python -m benchmarks.bare_process --backend tensorflow --mode graph

A ratio to a built-in that the benchmark itself slows down would be worthless. The table shows the
built-in's step next to ours, as `step_time` measures it, and alone in a bare process. It also shows
the bare process with a `malloc` that keeps its memory, to see what fresh buffers cost: each large
result of a single operation is new memory, which the kernel hands out page by page. The command
fails if the built-in is more than a quarter slower in the benchmark than in the bare process.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import backend, bandwidth, duel, options, problem
from benchmarks.contenders import KERAS, OURS, Case
from benchmarks.measure import Spread
from benchmarks.report import Report, milliseconds, ratio

BARE = Path(__file__).parent / "bare_step.py"
# Without these settings, glibc gets every large buffer anew from the kernel (mmap).
KEEPS_MEMORY = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=34359738368"
MOST = 1.25


def main() -> None:
    """Measure, report, and fail if the two disagree."""
    parser = options.parser(
        "bare_process", "The built-in in the benchmark and alone.", rounds=5, modes=True
    )
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    options.add_cases(parser, ("SGD momentum", "Adam", "Nadam"))
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    if backend.NAME != "tensorflow":
        parser.error(f"--backend must be tensorflow. Received: {backend.NAME}")
    shapes = [problem.matrix(chosen.size)]
    stream = bandwidth.fastest()
    data, rows = {}, []
    for case in chosen.cases:
        faults = faults_of_a_step(case, shapes, chosen.mode)
        result = duel.time_steps(case, shapes, chosen, stream)
        alone = bare(case, shapes[0], chosen)
        kept = bare(case, shapes[0], chosen, GLIBC_TUNABLES=KEEPS_MEMORY)
        slower = result.median(KERAS) / Spread.of(alone["seconds"]).median
        rows.append(
            [
                case.name,
                milliseconds(result.median(OURS)),
                milliseconds(result.median(KERAS)),
                milliseconds(Spread.of(alone["seconds"]).median),
                f"{slower:.2f}",
                milliseconds(Spread.of(kept["seconds"]).median),
                f"{faults:,.0f}",
                f"{alone['faults']:,.0f}",
                f"{kept['faults']:,.0f}",
                ratio(result.ratio(KERAS)),
            ]
        )
        data[case.name] = {
            "benchmark": result.data(),
            "faults": faults,
            "bare": alone,
            "bare_with_kept_memory": kept,
            "slower": slower,
        }
    Report(
        key=("bare_process", backend.NAME, chosen.mode),
        title=f"The built-in in the benchmark and in a bare process, {backend.NAME}, {chosen.mode}",
        columns=[
            "case",
            "ours ms",
            "Keras ms",
            "bare ms",
            "Keras / bare",
            "bare ms, memory kept",
            "page faults",
            "bare",
            "memory kept",
            "ours / Keras",
        ],
        rows=rows,
        notes=[
            "Page faults are of one step of the built-in. Memory kept: the bare process with "
            f"`GLIBC_TUNABLES={KEEPS_MEMORY}`.",
            f"Transparent huge pages: {chosen.origin['machine']['huge_pages']}.",
        ],
        data=data,
    ).publish(chosen)
    apart = [name for name, found in data.items() if found["slower"] > MOST]
    if apart:
        sys.exit(f"slower in the benchmark than in a bare process: {', '.join(apart)}")


def faults_of_a_step(case: Case, shapes: list[problem.Shape], mode: str) -> float:
    """Return the page faults of one step of the built-in, with ours in memory too."""
    made = duel.steps.of_sides(case, shapes, mode)
    counts = []
    for contender in made.values():
        contender.run(3)
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        made[KERAS].run(1)
        counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return statistics.median(counts)


def bare(
    case: Case, shape: problem.Shape, chosen: argparse.Namespace, **environment: str
) -> dict[str, Any]:
    """Return the measurements of a process that runs only the built-in."""
    arguments = [case.class_name, json.dumps(case.arguments), chosen.mode, *map(str, shape)]
    done = subprocess.run(
        [sys.executable, str(BARE), *arguments, str(3 * chosen.rounds)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KERAS_BACKEND": "tensorflow", **environment},
    )
    if done.returncode:
        sys.exit(f"the bare process failed:\n{done.stderr}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
