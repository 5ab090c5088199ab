"""Growth of the step time with the size of a matrix, and with the number of variables.

python -m benchmarks.scale --backend jax --cases Adam Lamb
"""

import argparse
import itertools
from typing import Any

import numpy as np

from benchmarks import backend, bandwidth, duel, figures, options, problem
from benchmarks.contenders import KERAS, OURS, Case
from benchmarks.duel import LIMIT, Result
from benchmarks.problem import Shape
from benchmarks.report import Report, milliseconds, ratio

SMALLEST = 1_000_000
FEWEST = 10
VARIABLE = (100, 100)


def main() -> None:
    """Measure and report."""
    parser = options.parser("scale", "Step time by size and number.", rounds=3, modes=True)
    options.add_count(parser, "--largest", 200_000_000, "elements of the largest matrix")
    options.add_count(parser, "--most", 2000, "variables of 100 x 100 at most")
    options.add_cases(parser, ["Adam"])
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    sizes = series(SMALLEST, chosen.largest)
    counts = series(FEWEST, chosen.most)
    problems = {
        "elements of a matrix": {size: [problem.matrix(size)] for size in sizes},
        "variables of 10,000": {count: [VARIABLE] * count for count in counts},
    }
    stream = bandwidth.fastest()
    results = {
        (case.name, axis): measured(case, by_size, chosen, stream)
        for case in chosen.cases
        for axis, by_size in problems.items()
    }
    report = summarized(results, chosen, stream)
    panels = [
        figures.Lines(
            title=name,
            x_label=axis,
            y_label="ms a step",
            x=list(by_size),
            series={side: medians(by_size, side) for side in (KERAS, OURS)},
            slope_one=True,
        )
        for (name, axis), by_size in results.items()
    ]
    figures.draw_lines(panels, report.file(chosen.out, ".png"), columns=len(problems))
    report.publish(chosen)


def series(first: int, last: int) -> list[int]:
    """Return 1, 10, 100, ... times `first` while that is below `last`, and then `last`."""
    values = (first * 10**decade for decade in itertools.count())
    return [*itertools.takewhile(lambda value: value < last, values), last]


def measured(
    case: Case,
    by_size: dict[int, list[Shape]],
    chosen: argparse.Namespace,
    stream: bandwidth.Stream,
) -> dict[int, Result]:
    """Time all points of one line."""
    return {
        size: duel.time_steps(case, shapes, chosen, stream, with_rival=False)
        for size, shapes in by_size.items()
    }


def medians(by_size: dict[int, Result], side: str) -> list[float]:
    """Return the milliseconds of each point."""
    return [1000 * result.median(side) for result in by_size.values()]


def exponent(by_size: dict[int, Result], side: str) -> float | None:
    """Return the b of time = a · size^b, fitted to the logarithms; None for a single point."""
    if len(by_size) < 2:
        return None
    return float(np.polyfit(np.log(list(by_size)), np.log(medians(by_size, side)), 1)[0])


def summarized(
    results: dict[tuple[str, str], dict[int, Result]],
    chosen: argparse.Namespace,
    stream: bandwidth.Stream,
) -> Report:
    """Return the table."""
    rows: list[list[str]] = []
    data: dict[str, Any] = {}
    for (name, axis), by_size in results.items():
        for size, result in by_size.items():
            times = (milliseconds(result.median(side)) for side in (KERAS, OURS))
            ratios = (ratio(result.ratio(other)) for other in (KERAS, LIMIT))
            rows.append([f"{name}, {size:,} {axis}", *times, *ratios])
        exponents = {side: exponent(by_size, side) for side in (KERAS, OURS)}
        fitted = [f"{value:.2f}" if value is not None else "" for value in exponents.values()]
        rows.append([f"{name}, exponent", *fitted, "", ""])
        data[f"{name}, {axis}"] = {
            "exponents": exponents,
            "results": {str(size): result.data() for size, result in by_size.items()},
        }
    flat = {
        f"{name}, {size:,} {axis}": result
        for (name, axis), by_size in results.items()
        for size, result in by_size.items()
    }
    return Report(
        key=("scale", backend.NAME, chosen.mode),
        title=f"Step time by size, {backend.NAME}, {chosen.mode}",
        columns=["case", "Keras ms", "ours ms", f"ours / {KERAS}", f"ours / {LIMIT}"],
        rows=rows,
        notes=[
            f"Medians of {chosen.rounds} interleaved rounds; ratios with their quartiles.",
            "Exponent: b of time = a · size^b, fitted to the logarithms.",
            duel.memory_note(flat, stream),
            duel.agreement(flat),
        ],
        data=data,
    )


if __name__ == "__main__":
    main()
