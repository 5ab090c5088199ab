"""Ours against the others, case by case: timing, table and plot."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from benchmarks import backend, bandwidth, figures, measure, problem, steps
from benchmarks.contenders import KERAS, OURS, Case
from benchmarks.measure import Spread
from benchmarks.problem import Shape
from benchmarks.report import Report, digits, mean_ratio, milliseconds, ratio

LIMIT = "memory limit"


@final
@dataclasses.dataclass(frozen=True)
class Result:
    """Times of one case.

    Args:
        seconds: One figure per round, by contender.
        difference: Difference of the weights after one step, see `steps.difference`; None if they
            are not compared.
        bandwidth: Bytes per second that `LIMIT` stands for, None if it is not measured.
    """

    seconds: dict[str, list[float]]
    difference: float | None = None
    bandwidth: float | None = None

    def median(self, contender: str) -> float | None:
        """Return the median seconds, or None if the contender does not have this case."""
        found = self.seconds.get(contender)
        return Spread.of(found).median if found else None

    def ratio(self, other: str) -> Spread | None:
        """Return our time relative to another's, or None if that does not have this case."""
        found = self.seconds.get(other)
        return Spread.of_ratio(self.seconds[OURS], found) if found else None

    def data(self) -> dict[str, Any]:
        """Return the numbers for a JSON file."""
        ratios = {other: self.ratio(other) for other in self.seconds if other != OURS}
        return dataclasses.asdict(self) | {
            "ratios": {other: dataclasses.asdict(spread) for other, spread in ratios.items()}
        }


def time_steps(
    case: Case,
    shapes: list[Shape],
    chosen: argparse.Namespace,
    stream: bandwidth.Stream,
    *,
    with_rival: bool = True,
) -> Result:
    """Time steps of ours, the built-in and the rival, and a memory stream, in turns.

    Args:
        case: The optimizer.
        shapes: Shapes of the variables.
        chosen: Options `mode`, `rounds` and `batch_seconds`.
        stream: Measures the bandwidth.
        with_rival: Whether the backend's other library takes part.
    """
    contenders = steps.of_sides(case, shapes, chosen.mode)
    difference = steps.difference(contenders, shapes) if case.same else None
    rival = backend.rival(case.name, shapes) if with_rival else None
    if rival:
        contenders[backend.RIVAL] = rival
    runners = {name: contender.run for name, contender in contenders.items()}
    runners[LIMIT] = stream.run
    seconds = measure.step_seconds(runners, chosen.rounds, chosen.batch_seconds)
    speed = stream.moved / Spread.of(seconds[LIMIT]).median
    share = case.bytes_per_element * problem.elements(shapes) / stream.moved
    seconds[LIMIT] = [share * taken for taken in seconds[LIMIT]]
    return Result(seconds, difference, speed)


def report(
    key: tuple[str, ...], title: str, results: dict[str, Result], rounds: int, notes: list[str]
) -> Report:
    """Return the table of all cases, with the geometric means of the ratios.

    Args:
        key: See `Report`.
        title: See `Report`.
        results: Results by case.
        rounds: Number of rounds.
        notes: Notes below the table, after those that all tables have.
    """
    others = others_of(results)
    rows = []
    for name, result in results.items():
        times = [milliseconds(result.median(side)) for side in (KERAS, OURS)]
        rows.append([name, *times, *(ratio(result.ratio(other)) for other in others)])
    if len(results) > 1:
        means = [mean_ratio([r.ratio(other) for r in results.values()]) for other in others]
        rows.append(["geometric mean", "", "", *means])
    return Report(
        key=key,
        title=title,
        columns=["case", "Keras ms", "ours ms", *(f"ours / {other}" for other in others)],
        rows=rows,
        notes=[f"Medians of {rounds} interleaved rounds; ratios with their quartiles.", *notes],
        data={name: result.data() for name, result in results.items()},
    )


def others_of(results: dict[str, Result]) -> list[str]:
    """Return everything that ours is compared to in at least one case."""
    found = {name: None for result in results.values() for name in result.seconds}
    return [name for name in (KERAS, backend.RIVAL, LIMIT) if name in found]


def memory_note(results: dict[str, Result], stream: bandwidth.Stream) -> str:
    """Return a sentence that explains the memory limit."""
    speed = Spread.of([result.bandwidth for result in results.values()]).median
    return (
        f"Memory limit: the bytes that a step must move, at {digits(speed / 1e9)} GB/s "
        f"({stream.name})."
    )


def agreement(results: dict[str, Result]) -> str:
    """Return a sentence on the comparison of the weights."""
    differences = {
        name: result.difference for name, result in results.items() if result.difference is not None
    }
    return steps.agreement(differences)


def draw(title: str, unit: str, results: dict[str, Result], png: Path) -> None:
    """Draw the plot of all cases.

    Args:
        title: Title of the plot.
        unit: Unit of the axis.
        results: Results by case.
        png: File to write.
    """
    by_side = medians(results, (*others_of(results), OURS))
    limit = by_side.pop(LIMIT, None)
    figures.draw_dots([figures.Dots(title, unit, list(results), by_side, limit)], png)


def medians(results: dict[str, Result], sides: Sequence[str]) -> dict[str, list[float | None]]:
    """Return milliseconds of each case by contender, None where it does not have the case."""
    return {
        side: [
            1000 * result.median(side) if side in result.seconds else None
            for result in results.values()
        ]
        for side in sides
    }
