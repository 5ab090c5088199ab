"""`optlab compare`: train with each algorithm and schedule, ours and the built-in."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_optlab.lab.arguments import add_optimizers, add_seed, positive
from keras_optlab.lab.errors import InputError, pick
from keras_optlab.lab.terminal import (
    LAB_PACKAGES,
    progress_bar,
    require,
    simple_table,
    wide_console,
)

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.compare import Comparison
    from keras_optlab.lab.data import Dataset

NAME = "compare"
SUMMARY = "train with each algorithm and schedule, ours and the built-in, and write a report"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_optimizers(parser)
    add_seed(parser)
    parser.add_argument(
        "--schedules",
        nargs="+",
        metavar="NAME",
        help="schedules, OneCycle among them; with --optimizers or --schedules given, only what "
        "is named is trained (default: all of both)",
    )
    parser.add_argument(
        "--epochs", type=positive, default=5, metavar="N", help="epochs (default: 5)"
    )
    parser.add_argument(
        "--batch-size", type=positive, default=32, metavar="N", help="rows a batch (default: 32)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="own data: .npz with x and y, or .csv with a column label, target or y, or else "
        "the labels in the last column (default: scikit-learn's digits)",
    )
    parser.add_argument("--label", metavar="NAME", help="column or array with the labels")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("optlab-report"),
        metavar="FOLDER",
        help="where to write the report (default: optlab-report)",
    )


def run(options: argparse.Namespace) -> int:
    """Train, print the table, write the report."""
    require(*LAB_PACKAGES)
    from keras_optlab.lab import compare, report

    settings = compare.Settings(
        *chosen_names(options),
        epochs=options.epochs,
        batch_size=options.batch_size,
        seed=options.seed,
    )
    dataset = load(options)
    with report.replacing(options.out) as folder:
        with progress_bar() as progress:
            results = compare.compare(dataset, settings, progress)
        try:
            report.write(results, folder, again(options, results.versions["backend"]))
        except OSError as error:
            raise InputError(f"cannot write to {options.out}: {error.strerror}") from None
    console = wide_console()
    for kind, title in (("optimizer", "Algorithm"), ("schedule", "Schedule")):
        if results.of_kind(kind):
            console.print(comparison_table(results.of_kind(kind), title))
    for comparison in results.comparisons:
        if comparison.note:
            console.print(f"{comparison.name}: {comparison.note}")
    print(f"{results.seconds:.0f} s on {results.versions['backend']}")
    print(f"Report: {options.out / 'report.html'}")
    return 0


def again(options: argparse.Namespace, backend: str) -> str:
    """What to type to get the same results again."""
    line = shlex.join(["optlab", *options.arguments])
    return line if options.backend else f"{line} --backend {backend}"


def chosen_names(options: argparse.Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The optimizers and schedules that are named; all of both where none is."""
    from keras_optlab.lab import contenders

    optimizers, schedules = list(contenders.LEARNING_RATES), contenders.schedule_names()
    if options.optimizers or options.schedules:
        by_user = options.optimizers, options.schedules
        optimizers = pick(by_user[0], optimizers, "optimizer") if by_user[0] else []
        schedules = pick(by_user[1], schedules, "schedule") if by_user[1] else []
    return tuple(optimizers), tuple(schedules)


def load(options: argparse.Namespace) -> "Dataset":
    """The user's data, or the digits."""
    from keras_optlab.lab import data

    if options.data is not None:
        return data.read(options.data, options.label, options.seed)
    if options.label is not None:
        raise InputError("--label names a column of --data, which is missing")
    return data.digits(options.seed)


def comparison_table(comparisons: Sequence["Comparison"], title: str) -> "Table":
    """The table of one kind of comparison, for the terminal."""
    from keras_optlab.lab.page import figures

    headings = (
        "highest\nrate",
        "accuracy\nours",
        "\nKeras",
        "weights\ndiffer",
        "ms a step\nours",
        "\nKeras",
    )
    table = simple_table(f"\n{title}", *headings, "\nratio")
    for comparison in comparisons:
        highest = f"{max(comparison.learning_rate):.3g}"
        table.add_row(comparison.name, highest, *figures(comparison))
    return table
