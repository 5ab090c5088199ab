"""Variants of an optimizer that differ in one argument, timed against each other."""

import argparse
import dataclasses
from typing import Any

from benchmarks import backend, figures, measure, problem
from benchmarks.contenders import OURS
from benchmarks.measure import Spread
from benchmarks.report import Report, milliseconds, ratio


def time_variants(
    variants: dict[str, dict[str, Any]], chosen: argparse.Namespace, dtype: str = "float32"
) -> dict[str, dict[str, list[float]]]:
    """Return the seconds per step of each variant in each round, by case.

    Args:
        variants: Arguments of the constructor, by name.
        chosen: Options `cases`, `size`, `mode`, `rounds` and `batch_seconds`.
        dtype: Dtype of the variables; gradients are float32.
    """
    shapes = [problem.matrix(chosen.size)]
    gradients = backend.held(problem.gradients(shapes), chosen.mode)
    results = {}
    for case in chosen.cases:
        runners = {}
        for name, arguments in variants.items():
            optimizer = case.make(OURS, chosen.mode, **arguments)
            variables = problem.variables(shapes, dtype)
            runners[name] = backend.Step(optimizer, variables, gradients, chosen.mode).run
        results[case.name] = measure.step_seconds(runners, chosen.rounds, chosen.batch_seconds)
    return results


def publish(
    title: str,
    results: dict[str, dict[str, list[float]]],
    chosen: argparse.Namespace,
    notes: list[str],
) -> None:
    """Publish the table, with ratios to the first variant, and the plot.

    Args:
        title: Title of both.
        results: What `time_variants` returned.
        chosen: The arguments of the process.
        notes: Notes below the table.
    """
    variants = list(next(iter(results.values())))
    first, *others = variants
    ratios = {
        case: {other: Spread.of_ratio(seconds[other], seconds[first]) for other in others}
        for case, seconds in results.items()
    }
    medians = {
        variant: [Spread.of(seconds[variant]).median for seconds in results.values()]
        for variant in variants
    }
    report = Report(
        key=(chosen.module, backend.NAME, chosen.mode),
        title=f"{title}, {backend.NAME}, {chosen.mode}",
        columns=[
            "case",
            *(f"{variant} ms" for variant in variants),
            *(f"{other} / {first}" for other in others),
        ],
        rows=[
            [
                case,
                *(milliseconds(Spread.of(seconds[variant]).median) for variant in variants),
                *(ratio(ratios[case][other]) for other in others),
            ]
            for case, seconds in results.items()
        ],
        notes=[
            f"Medians of {chosen.rounds} interleaved rounds; ratios with their quartiles.",
            *notes,
        ],
        data={
            case: {
                "seconds": seconds,
                "ratios": {n: dataclasses.asdict(spread) for n, spread in ratios[case].items()},
            }
            for case, seconds in results.items()
        },
    )
    by_side = {variant: [1000 * value for value in values] for variant, values in medians.items()}
    dots = figures.Dots(report.title, "ms a step", list(results), by_side, None)
    figures.draw_dots([dots], report.file(chosen.out, ".png"))
    report.publish(chosen)
