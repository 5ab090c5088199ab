"""The `optlab` command.

Keras takes a second or ten to import and settles on a backend then, so nothing here imports it
before the arguments are understood.
"""

import argparse
import contextlib
import importlib
import importlib.util
import os
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, final

from keras_optlab.lab.errors import InputError, pick
from keras_optlab.version import __version__

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from keras_optlab.lab.catalogue import ArgumentEntry, Entry
    from keras_optlab.lab.compare import Comparison
    from keras_optlab.lab.data import Dataset

BACKENDS = ("tensorflow", "jax", "torch")
# What the extra `lab` brings: module and package.
LAB_PACKAGES = {"sklearn": "scikit-learn", "matplotlib": "matplotlib", "rich": "rich"}
WRONG_INPUT = 2
INTERRUPTED = 130


@final
class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_INPUT, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows `optlab` on the command line; None for that of this process.

    Returns:
        The exit code: 0, 1 if parity does not hold, 2 for wrong input, 130 if interrupted.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    options = parser().parse_args(arguments)
    options.arguments = arguments
    try:
        choose_backend(options.backend)
        return options.run(options)
    except InputError as error:
        print(f"optlab: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("optlab: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader, `head` for one, has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parser() -> Parser:
    """The parser of the command line."""
    whole = Parser(
        prog="optlab",
        description="Optimizers, schedules and 1cycle of keras-optlab, beside Keras' own.",
    )
    whole.add_argument("--version", action="version", version=f"keras-optlab {__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--backend", choices=BACKENDS, help="backend of Keras (default: that of KERAS_BACKEND)"
    )
    named = argparse.ArgumentParser(add_help=False)
    named.add_argument(
        "--optimizers", nargs="+", metavar="NAME", help="algorithms, as `optlab list` names them"
    )
    named.add_argument(
        "--seed", type=non_negative, default=0, metavar="N", help="random seed (default: 0)"
    )

    def command(
        name: str,
        run: Callable[[argparse.Namespace], int],
        summary: str,
        *more: argparse.ArgumentParser,
    ) -> Parser:
        added = commands.add_parser(
            name, help=summary, description=f"{summary}.", parents=[shared, *more]
        )
        added.set_defaults(run=run)
        return added

    compare = command(
        "compare",
        run_compare,
        "train with each algorithm and schedule, ours and the built-in, and write a report",
        named,
    )
    compare.add_argument(
        "--schedules",
        nargs="+",
        metavar="NAME",
        help="schedules, OneCycle among them; with --optimizers or --schedules given, only what "
        "is named is trained (default: all of both)",
    )
    compare.add_argument(
        "--epochs", type=positive, default=5, metavar="N", help="epochs (default: 5)"
    )
    compare.add_argument(
        "--batch-size", type=positive, default=32, metavar="N", help="rows a batch (default: 32)"
    )
    compare.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="own data: .npz with x and y, or .csv with a column label, target or y, or else "
        "the labels in the last column (default: scikit-learn's digits)",
    )
    compare.add_argument("--label", metavar="NAME", help="column or array with the labels")
    compare.add_argument(
        "--out",
        type=Path,
        default=Path("optlab-report"),
        metavar="FOLDER",
        help="where to write the report (default: optlab-report)",
    )
    command(
        "parity",
        run_parity,
        "how far each algorithm is from the built-in; exit code 1 if one is too far",
        named,
    )
    command("list", run_list, "algorithms, schedules and callbacks, with arguments and source")
    return whole


def whole_number(text: str, low: int) -> int:
    """An integer of at least `low`, or argparse's error."""
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if number < low:
        raise argparse.ArgumentTypeError(f"expected an integer >= {low}. Received: {text}")
    return number


def positive(text: str) -> int:
    """An integer >= 1."""
    return whole_number(text, 1)


def non_negative(text: str) -> int:
    """An integer >= 0."""
    return whole_number(text, 0)


def choose_backend(wanted: str | None) -> None:
    """Import Keras on a backend.

    Raises:
        InputError: If the backend is not installed, or not one that this package trains on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Several threads make a small network no faster, and stall where others share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if wanted and "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = wanted
    named = os.environ.get("KERAS_BACKEND")
    if named and named not in BACKENDS:
        raise InputError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}. Received: {named}")
    try:
        with muted_stderr():
            keras = importlib.import_module("keras")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0].removesuffix("lib")
        if missing not in BACKENDS:
            raise
        raise InputError(missing_backend(missing)) from None
    running = keras.backend.backend()
    if running not in BACKENDS:
        raise InputError(f"Keras runs on {running}; take --backend {', '.join(BACKENDS)}")
    if wanted and wanted != running:
        raise InputError(f"Keras runs on {running} in this process already, not on {wanted}")


@contextlib.contextmanager
def muted_stderr() -> Iterator[None]:
    """Nothing reaches stderr, C++ included: TensorFlow logs before it reads its log level."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def missing_backend(name: str) -> str:
    """What to do about a backend that is not installed."""
    advice = f'pip install "keras-optlab[{name}]"'
    installed = [other for other in BACKENDS if importlib.util.find_spec(other)]
    if installed:
        advice += f", or take --backend {' or '.join(installed)}"
    return f"the backend {name} is not installed: {advice}"


def require(*modules: str) -> None:
    """Check that packages of the extra `lab` are there."""
    missing = [LAB_PACKAGES[name] for name in modules if not importlib.util.find_spec(name)]
    if missing:
        raise InputError(
            f'{", ".join(missing)} not installed: pip install "keras-optlab[lab]" brings what '
            "this command needs"
        )


# compare


def run_compare(options: argparse.Namespace) -> int:
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


def wide_console() -> "Console":
    """The terminal; where stdout is none, lines of 110 characters."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 110, highlight=False, markup=False)


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


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr, where that is a terminal, and the function that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    off = not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=off) as bar:
        task = bar.add_task("")

        def progress(name: str, done: int, to_do: int) -> None:
            bar.update(task, description=name, completed=done, total=to_do)

        yield progress


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


def simple_table(first: str, *headings: str) -> "Table":
    """A table without lines between its rows, numbers on the right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


# parity


def run_parity(options: argparse.Namespace) -> int:
    """Print the errors; 1 if any is over its tolerance."""
    require("rich")
    from keras_optlab.lab import parity

    named = options.optimizers
    cases = parity.cases(pick(named, parity.ARGUMENTS, "optimizer") if named else None)
    results = []
    with progress_bar() as progress:
        for number, case in enumerate(cases):
            progress(case.algorithm, number, len(cases))
            results.append(parity.measure(case, options.seed))
    table = simple_table("Algorithm", "Arguments", "Reference", "Error", "Tolerance", "")
    table.columns[1].justify, table.columns[1].no_wrap = "left", False
    for result in results:
        error = f"{result.error:.1e}" if result.error else "0"
        figures = (error, f"{result.tolerance:.0e}")
        verdict = "ok" if result.passed else "TOO FAR"
        case = result.case
        table.add_row(case.algorithm, case.label, result.reference, *figures, verdict)
    failed = sum(not result.passed for result in results)
    console = wide_console()
    console.print(table)
    console.print(
        f"{len(results) - failed} of {len(results)} cases within tolerance after {parity.STEPS} "
        "steps. Error: difference of the weights, relative to the distance travelled.",
    )
    return 1 if failed else 0


# list


def run_list(options: argparse.Namespace) -> int:
    """Print what there is."""
    from keras_optlab.lab import catalogue

    for title, entries in (
        ("Algorithms: keras_optlab.optimizers", catalogue.algorithms()),
        ("Schedules: keras_optlab.schedules", catalogue.all_schedules()),
        ("Callbacks: keras_optlab.callbacks", catalogue.all_callbacks()),
    ):
        print(f"{title}\n{'=' * len(title)}\n")
        for entry in entries.values():
            print_entry(entry)
    print("Arguments of every algorithm\n============================\n")
    print_arguments(catalogue.shared_arguments())
    return 0


def print_entry(entry: "Entry") -> None:
    """One algorithm, schedule or callback."""
    print(f"{entry.name}: {entry.summary}")
    print_arguments(entry.arguments)
    print(textwrap.fill(f"Source: {entry.source}.", 100, initial_indent="    "), end="\n\n")


def print_arguments(arguments: Sequence["ArgumentEntry"]) -> None:
    """Name, default and domain of each, one a line."""
    for argument in arguments:
        default = "" if argument.default is None else f" = {argument.default}"
        print(f"    {argument.name + default:40} {argument.domain}")
