"""Embedding tables: whether a step's time grows with the table, or with the rows looked up.

python -m benchmarks.sparse --backend tensorflow
"""

import argparse
import dataclasses
from typing import Any, final

import numpy as np

from benchmarks import backend, bandwidth, duel, figures, measure, options, problem, steps
from benchmarks.contenders import FLOAT32_BYTES, KERAS, OURS, Case
from benchmarks.duel import LIMIT, Result
from benchmarks.measure import Spread
from benchmarks.problem import GRADIENT_SCALE, SparseGradient
from benchmarks.report import Report, milliseconds, ratio

# Skew of the lookups: the share of row n is inversely proportional to n to this power.
ZIPF_EXPONENT = 1.0
CASES = {
    "SGD": (Case("SGD", "SGD", 0), {}),
    "Adagrad": (Case("Adagrad", "Adagrad", 1), {}),
    "Adam lazy": (Case("Adam", "Adam", 2, same=False), {"lazy": True}),
    "RMSprop lazy": (Case("RMSprop", "RMSprop", 1, same=False), {"lazy": True}),
    "Adam dense": (Case("Adam", "Adam", 2), {}),
}


# How Keras' optimizer handles a sparse gradient, and the mark for it in a table.
TAKEN, WRONG, REFUSED = "", "†", "*"
MARK_NOTES = {
    REFUSED: f"{REFUSED} The built-in refuses the sparse gradient and got a dense one.",
    WRONG: f"{WRONG} It takes it, but its weights are not those of the dense gradient.",
}


@final
@dataclasses.dataclass(frozen=True)
class Measured:
    """Results of one optimizer with one embedding table.

    Args:
        result: Times.
        mark: `TAKEN`, `WRONG` or `REFUSED`.
    """

    result: Result
    mark: str


def main() -> None:
    """Measure and report."""
    parser = options.parser("sparse", "Step time of embedding tables.", rounds=7)
    options.add_count(parser, "--small", 50_000, "rows of the small table")
    options.add_count(parser, "--large", 500_000, "rows of the large table")
    options.add_count(parser, "--width", 64, "columns of both")
    options.add_count(parser, "--lookups", 4096, "rows looked up in a step")
    options.add_names(parser, "--cases", CASES)
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    stream = bandwidth.fastest()
    results = {
        name: [measured(name, rows, chosen, stream) for rows in (chosen.small, chosen.large)]
        for name in chosen.cases
    }
    report = summarized(results, chosen, stream)
    columns = {
        f"{side}, {rows:,} rows": [1000 * pair[n].result.median(side) for pair in results.values()]
        for side in (KERAS, OURS)
        for n, rows in enumerate((chosen.small, chosen.large))
    }
    panel = figures.Dots(report.title, "ms a step", list(results), columns)
    figures.draw_dots([panel], report.file(chosen.out, ".png"))
    report.publish(chosen)


def lookups(rows: int, chosen: argparse.Namespace) -> SparseGradient:
    """Return the gradient of rows that are looked up unevenly, many of them more than once."""
    random = np.random.default_rng(0)
    share = 1 / np.arange(1, rows + 1) ** ZIPF_EXPONENT
    # Popular rows are scattered over the table.
    which = random.permutation(rows)[random.choice(rows, chosen.lookups, p=share / share.sum())]
    values = problem.normal(random, (chosen.lookups, chosen.width), GRADIENT_SCALE)
    return SparseGradient(values, which.astype(np.int64), (rows, chosen.width))


def measured(
    name: str, rows: int, chosen: argparse.Namespace, stream: bandwidth.Stream
) -> Measured:
    """Time one optimizer with one embedding table."""
    case, ours_only = CASES[name]
    gradient = lookups(rows, chosen)
    shapes, mode = [gradient.shape], next(iter(backend.MODES))
    ours = steps.new(case, OURS, shapes, mode, [gradient], **ours_only)
    dense = steps.new(case, KERAS, shapes, mode, [gradient.dense()])
    difference = steps.difference({KERAS: dense, OURS: ours}, shapes) if case.same else None
    theirs, mark = built_in(case, gradient, mode)
    runners = {KERAS: theirs.run, OURS: ours.run, LIMIT: stream.run}
    seconds = measure.step_seconds(runners, chosen.rounds, chosen.batch_seconds)
    speed = stream.moved / Spread.of(seconds[LIMIT]).median
    share = least_bytes(case, gradient, is_sparse=name != "Adam dense") / stream.moved
    seconds[LIMIT] = [share * taken for taken in seconds[LIMIT]]
    return Measured(Result(seconds, difference, speed), mark)


def built_in(case: Case, gradient: SparseGradient, mode: str) -> tuple[Any, str]:
    """Return steps of the built-in, and the mark for how it handles a sparse gradient."""
    shapes = [gradient.shape]
    refusals, word = backend.SPARSE_REFUSAL
    dense = steps.new(case, KERAS, shapes, mode, [gradient.dense()])
    try:
        sparse = steps.new(case, KERAS, shapes, mode, [gradient])
        difference = steps.difference({KERAS: dense, OURS: sparse}, shapes)
    except refusals as error:
        if word not in str(error).lower():
            raise
        return dense, REFUSED
    return sparse, TAKEN if difference <= 1 else WRONG


def least_bytes(case: Case, gradient: SparseGradient, is_sparse: bool) -> int:
    """Return the bytes that a step must move: gradients, and all rows or those looked up."""
    width = gradient.shape[1]
    per_weight = case.bytes_per_element - FLOAT32_BYTES
    rows = len(np.unique(gradient.indices)) if is_sparse else gradient.shape[0]
    return rows * width * per_weight + gradient.rows.nbytes


def summarized(
    results: dict[str, list[Measured]], chosen: argparse.Namespace, stream: bandwidth.Stream
) -> Report:
    """Return the table."""
    rows = []
    for name, pair in results.items():
        small, large = (one.result for one in pair)
        times = [milliseconds(one.result.median(KERAS)) + one.mark for one in pair]
        times += [milliseconds(one.result.median(OURS)) for one in pair]
        growth = large.median(OURS) / small.median(OURS)
        ratios = (ratio(large.ratio(other)) for other in (KERAS, LIMIT))
        rows.append([name, *times, f"{growth:.2f}", *ratios])
    flat = {
        f"{name}, {size:,} rows": one.result
        for name, pair in results.items()
        for size, one in zip((chosen.small, chosen.large), pair, strict=True)
    }
    unique = len(np.unique(lookups(chosen.large, chosen).indices))
    marks = {one.mark for pair in results.values() for one in pair}
    sizes = [
        f"{side} ms {size:,}" for side in (KERAS, OURS) for size in (chosen.small, chosen.large)
    ]
    return Report(
        key=("sparse", backend.NAME),
        title=f"Step time of embedding tables, {chosen.lookups:,} lookups, {backend.NAME}",
        columns=["case", *sizes, "ours\nlarge / small", f"ours / {KERAS}", f"ours / {LIMIT}"],
        rows=rows,
        notes=[
            f"Tables of {chosen.small:,} and {chosen.large:,} rows of {chosen.width}; of the "
            f"{chosen.lookups:,} lookups in the large one {unique:,} are of different rows.",
            f"Medians of {chosen.rounds} interleaved rounds; the last two columns are of the "
            "large table, with quartiles.",
            *(note for mark, note in MARK_NOTES.items() if mark in marks),
            duel.memory_note(flat, stream),
            duel.agreement(flat),
        ],
        data={
            name: [one.result.data() | {"mark": one.mark} for one in pair]
            for name, pair in results.items()
        },
    )


if __name__ == "__main__":
    main()
