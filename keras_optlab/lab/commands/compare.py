"""`optlab compare`: train with each algorithm and schedule, ours and the built-in."""

import argparse
import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_optlab.lab.arguments import add_optimizers, add_seed, positive
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.terminal import (
    LAB_PACKAGES,
    progress_bar,
    require,
    simple_table,
    wide_console,
)

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.comparison_plan import Plan
    from keras_optlab.lab.data import Dataset
    from keras_optlab.lab.results import Comparison, Results

NAME = "compare"
SUMMARY = "train with each algorithm and schedule, ours and the built-in, and write a report"


def factor(text: str) -> float:
    """A finite number > 0."""
    return within(text, "a number > 0", lambda number: 0 < number < math.inf)


def accuracy(text: str) -> float:
    """A number in (0, 1]."""
    return within(text, "an accuracy in the range (0, 1]", lambda number: 0 < number <= 1)


def within(text: str, expected: str, good: Callable[[float], bool]) -> float:
    """A number for which a condition holds, or argparse's error."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not good(number):
        raise argparse.ArgumentTypeError(f"expected {expected}. Received: {text}")
    return number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_optimizers(parser)
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
    add_task(parser)
    add_care(parser)
    add_place(parser)


def add_task(parser: argparse.ArgumentParser) -> None:
    """What is trained."""
    task = parser.add_argument_group("your own model and data")
    task.add_argument(
        "--data",
        metavar="FILE",
        help=".npz with x and y, or .csv with a column label, target or y, or else the labels in "
        "the last column, standardized; or module:function, which returns (x, y) or (x_train, "
        "y_train, x_validation, y_validation), as they are with --model (default: scikit-learn's "
        "digits)",
    )
    task.add_argument("--label", metavar="NAME", help="column or array with the labels")
    task.add_argument(
        "--model",
        metavar="MODULE:FUNCTION",
        help="function without arguments that builds a new keras model with one output a class, "
        "in a module or a file.py (default: one hidden layer of 32 units)",
    )


def add_care(parser: argparse.ArgumentParser) -> None:
    """How sure the result is to be."""
    care = parser.add_argument_group("more than one run a row")
    add_seed(care)
    care.add_argument(
        "--seeds",
        type=positive,
        default=1,
        metavar="N",
        help="how many seeds, from --seed on: mean and spread (default: 1)",
    )
    care.add_argument(
        "--sweep",
        type=factor,
        nargs="*",
        metavar="FACTOR",
        help="try each row with several learning rates, its usual one times these factors, and "
        "show the best in validation (without factors: 0.1 0.316 1 3.16 10)",
    )
    care.add_argument(
        "--target",
        type=accuracy,
        metavar="ACCURACY",
        help="accuracy to which the time is taken (default: 0.95 of the highest one)",
    )
    care.add_argument(
        "--without-built-in", action="store_true", help="do not train Keras' own beside"
    )


def add_place(parser: argparse.ArgumentParser) -> None:
    """Where to train, and where to write."""
    place = parser.add_argument_group("where")
    workers = place.add_mutually_exclusive_group()
    workers.add_argument(
        "--jobs",
        type=positive,
        default=1,
        metavar="N",
        help="processes that train at a time (default: 1)",
    )
    workers.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="scheduler of a Dask cluster whose workers train, such as tcp://host:8786",
    )
    place.add_argument(
        "--out",
        type=Path,
        default=Path("optlab-report"),
        metavar="FOLDER",
        help="where to write the report; finished runs are kept in its folder `runs`, so that the "
        "same command goes on where it was interrupted (default: optlab-report)",
    )
    place.add_argument(
        "--fresh", action="store_true", help="delete the finished runs, and train all again"
    )


def run(options: argparse.Namespace) -> int:
    """Train, print the table, write the report."""
    require(*LAB_PACKAGES)
    from keras_optlab.lab import report

    plan = plan_of(options)
    with report.replacing(options.out) as folder:
        with progress_bar() as progress:
            results = plan.carry_out(progress)
        report.write(results, folder)
    show(results)
    print(f"Report: {options.out / 'report.html'}")
    return 0


def plan_of(options: argparse.Namespace) -> "Plan":
    """What is to be done."""
    import keras

    from keras_optlab.lab.comparison_plan import NO_SWEEP, SWEEP, Plan, chosen_names
    from keras_optlab.lab.farm import Farm
    from keras_optlab.lab.results import Settings

    sweep = NO_SWEEP if options.sweep is None else tuple(options.sweep) or SWEEP
    settings = Settings(
        *chosen_names(options.optimizers, options.schedules),
        epochs=options.epochs,
        batch_size=options.batch_size,
        seed=options.seed,
        seeds=options.seeds,
        sweep=sweep,
        target=options.target,
        built_in=not options.without_built_in,
    )
    return Plan(
        dataset=load(options),
        settings=settings,
        model=options.model,
        farm=Farm(options.jobs, options.dask),
        runs_folder=options.out / "runs",
        fresh=options.fresh,
        again=again(options, keras.backend.backend()),
    )


def again(options: argparse.Namespace, backend: str) -> str:
    """What to type to get the same results again."""
    line = shlex.join(["optlab", *options.arguments])
    return line if options.backend else f"{line} --backend {backend}"


def load(options: argparse.Namespace) -> "Dataset":
    """The user's data, or the digits."""
    from keras_optlab.lab import data

    if options.data is None:
        if options.label is not None:
            raise InputError("--label names a column of --data, which is missing")
        return data.digits(options.seed)
    is_function = ":" in options.data and Path(options.data).suffix.lower() not in data.READERS
    if not is_function:
        return data.read(Path(options.data), options.label, options.seed)
    if options.label is not None:
        raise InputError("--label names a column of a file, and --data is a function")
    return data.call(options.data, options.seed, standardize=options.model is None)


def show(results: "Results") -> None:
    """Print the tables, and what a reader has to know."""
    console = wide_console()
    for kind, title in (("optimizer", "Algorithm"), ("schedule", "Schedule")):
        if results.of_kind(kind):
            console.print(comparison_table(results, results.of_kind(kind), title))
    for comparison in results.comparisons:
        if comparison.note:
            console.print(f"{comparison.name}: {comparison.note}")
        if comparison.at_edge:
            console.print(
                f"{comparison.name}: the best rate, {comparison.rate:.3g}, is at the edge of what "
                "was tried; try more by --sweep FACTOR ..."
            )
    if results.reused:
        print(f"{results.reused} finished runs were there already (--fresh trains them again)")
    if results.damaged:
        print(f"{results.damaged} files of finished runs were damaged: trained again")
    print(f"{results.seconds:.0f} s on {results.versions['backend']}")


def comparison_table(
    results: "Results", comparisons: Sequence["Comparison"], title: str
) -> "Table":
    """The table of one kind of comparison, for the terminal."""
    from keras_optlab.lab.cells import cells

    target = "" if results.target is None else f"to {results.target:.1%}"
    headings = (
        "best\nrate" if len(results.settings.sweep) > 1 else "highest\nrate",
        "accuracy\nours",
        "\nKeras",
        f"{target}\nsteps",
        "\ns",
        "weights\ndiffer",
        "ms a step\nours",
        "\nKeras",
    )
    table = simple_table(f"\n{title}", *headings, "\nratio")
    for comparison in comparisons:
        shown = (cell.line for cell in cells(results, comparison))
        table.add_row(comparison.name, f"{comparison.rate:.3g}", *shown)
    return table
