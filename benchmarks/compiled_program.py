"""Copies of whole buffers and temporary memory in a step compiled by XLA.

python -m benchmarks.compiled_program --backend jax
"""

import dataclasses
import math
import re
from typing import Any, final

from benchmarks import backend, figures, options, problem, steps
from benchmarks.contenders import FLOAT32_BYTES, KERAS, OF_KERAS, OF_MATRICES, OURS, Case
from benchmarks.report import Report
from benchmarks.setting import Parser

# A result of one array and the copy that makes it: "%copy.3 = f32[5000,5000]{1,0} copy(".
COPY = re.compile(r"= \w+\[([\d,]*)\]\S* copy\(")


@final
@dataclasses.dataclass(frozen=True)
class Program:
    """The costs of a compiled step.

    Args:
        copies: Instructions that copy an array as large as the matrix.
        temporary_bytes: Bytes it allocates in addition to its arguments and results.
    """

    copies: int
    temporary_bytes: int


def main() -> None:
    """Compile and report."""
    parser = options.parser("compiled_program", "What XLA makes of a step, on JAX.")
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    options.add_cases(parser, [name for name in OF_KERAS if name not in OF_MATRICES])
    chosen = options.parse(parser)
    check_backend(parser)
    shape = problem.matrix(chosen.size)
    results = {
        case.name: {side: program(case, side, shape) for side in (KERAS, OURS)}
        for case in chosen.cases
    }
    report = summarized(results, shape)
    panels = figures.dots(
        results,
        (KERAS, OURS),
        ("Copies of a whole buffer", "copies a step", lambda found: found.copies),
        ("Temporary memory", "MB", lambda found: found.temporary_bytes / 1e6),
    )
    figures.draw_dots(panels, report.file(chosen.out, ".png"))
    report.publish(chosen)


def check_backend(parser: Parser) -> None:
    """Exit if the backend does not expose its compiled program."""
    if backend.NAME != "jax":
        parser.error(f"--backend must be jax. Received: {backend.NAME}")


def program(case: Case, side: str, shape: problem.Shape) -> Program:
    """Compile the step that `step_time` measures, and return its costs."""
    compiled = backend.compiled(steps.new(case, side, [shape], next(iter(backend.MODES))))
    arrays = COPY.findall(compiled.as_text())
    sizes = [math.prod(int(length) for length in array.split(",") if length) for array in arrays]
    return Program(
        copies=sum(size >= math.prod(shape) for size in sizes),
        temporary_bytes=compiled.memory_analysis().temp_size_in_bytes,
    )


def summarized(results: dict[str, dict[str, Program]], shape: problem.Shape) -> Report:
    """Return the table."""
    rows, columns = shape
    data: dict[str, Any] = {
        name: {side: dataclasses.asdict(found) for side, found in sides.items()}
        for name, sides in results.items()
    }
    return Report(
        key=("compiled_program", backend.NAME),
        title=f"Compiled step of a {rows:,} x {columns:,} matrix, {backend.NAME}",
        columns=[
            "case",
            *(f"copies\n{side}" for side in (KERAS, OURS)),
            *(f"temporary MB\n{side}" for side in (KERAS, OURS)),
        ],
        rows=[
            [
                name,
                *(str(found.copies) for found in sides.values()),
                *(f"{found.temporary_bytes / 1e6:.1f}" for found in sides.values()),
            ]
            for name, sides in results.items()
        ],
        notes=[
            "Copies: instructions of the optimized program that copy an array as large as the "
            f"matrix, {FLOAT32_BYTES * math.prod(shape) / 1e6:,.0f} MB, in any branch. "
            "Temporary: what XLA allocates in addition to arguments and results; the step "
            "overwrites weights and slots."
        ],
        data=data,
    )


if __name__ == "__main__":
    main()
