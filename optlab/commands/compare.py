"""`optlab compare`: train with each algorithm and schedule, ours and the built-ins."""

import contextlib
import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from optlab import options
from optlab.backend import start_lab

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.results import Results

measured = functools.partial(typer.Option, rich_help_panel="What to measure")
placed = functools.partial(typer.Option, rich_help_panel="Where to train and write")


def compare(
    context: typer.Context,
    optimizers: options.Optimizers = None,
    schedules: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            help="Schedules, named as in `optlab list`, or OneCycle, separated by commas. Without "
            "--optimizers and --schedules, all of both are trained.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training data.")] = 5,
    batch_size: options.BatchSize = 32,
    data: options.Data = None,
    label: options.Label = None,
    model: options.Model = None,
    task: Annotated[
        Literal["classification", "regression"] | None,
        options.users(
            help="Whether to predict classes or numbers. Numbers are standardized, unless --model "
            "is given.",
            show_default="regression if any label is not a whole number",
        ),
    ] = None,
    seed: options.Seed = 0,
    seeds: Annotated[
        int,
        measured(min=1, help="Number of seeds, from --seed up; each row shows mean and spread."),
    ] = 1,
    sweep: Annotated[
        bool,
        measured(
            "--sweep",
            help="Try five learning rates for each row, from a tenth to ten times its standard "
            "rate, and show the one that is best in validation.",
        ),
    ] = False,
    sweep_factors: Annotated[
        list[str] | None,
        measured(
            metavar="FACTORS",
            help="Sweep over the standard rate times these factors instead: 0.3,1,3.",
        ),
    ] = None,
    tune: Annotated[
        int,
        measured(
            min=0,
            metavar="TRIALS",
            help="Number of Optuna trials that search for each row's learning rate, decay rates, "
            "weight decay and similar arguments. Trials that fall behind end early.",
        ),
    ] = 0,
    metric: Annotated[
        str | None,
        measured(
            help="Metric that ranks rates and trials: any name that `compile` takes, such as "
            "r2_score; loss; or a function, such as my_code.py:metric.",
            show_default="the model's first, else accuracy or mean_absolute_error",
        ),
    ] = None,
    higher_is_better: Annotated[
        bool | None,
        measured(
            "--higher-is-better/--lower-is-better",
            help="Whether higher or lower values of the metric are better.",
            show_default="as Keras defines it",
        ),
    ] = None,
    target: Annotated[
        float | None,
        measured(
            help="Metric value up to which time is measured, such as 0.9.",
            show_default="5 % worse than the best row's",
        ),
    ] = None,
    without_built_in: Annotated[
        bool, measured("--without-built-in", help="Leave out Keras' built-ins.")
    ] = False,
    jobs: Annotated[int, placed(min=1, help="Number of processes that train at a time.")] = 1,
    dask: Annotated[
        str | None,
        placed(
            metavar="ADDRESS",
            help="Address of the scheduler of a Dask cluster, such as tcp://host:8786, whose "
            "workers train instead of this machine.",
        ),
    ] = None,
    out: Annotated[
        Path,
        placed(
            help="Folder for the report. Finished runs are kept there, so that the same command "
            "resumes if it was interrupted."
        ),
    ] = Path("optlab-report"),
    fresh: Annotated[
        bool, placed("--fresh", help="Delete the finished runs first, and train everything again.")
    ] = False,
    as_json: options.Json = False,
    backend: options.Backend = None,
) -> None:
    """Train with each algorithm and schedule, ours and Keras' built-ins, and write a report.

    For example: `optlab compare --optimizers SGD,Adam --seeds 3 --tune 20`.
    """
    factors = options.parse_list("--sweep-factors", sweep_factors, float, "a factor > 0")
    running, built_in = start_lab(backend), not without_built_in
    from keras_optlab.lab import data as lab_data
    from keras_optlab.lab import report
    from keras_optlab.lab.comparison import Plan, settings_of
    from keras_optlab.lab.farm import Farm
    from keras_optlab.lab.objective import Choice
    from keras_optlab.lab.terminal import progress_bar

    rates = factors or sweep
    settings = settings_of(
        optimizers, schedules, epochs, batch_size, seed, seeds, rates, target, built_in, tune
    )
    # Output of the user's functions must not mix with the result on stdout.
    with contextlib.redirect_stdout(sys.stderr):
        dataset = lab_data.load(data, label, seed, standardize=model is None, task=task)
        farm, chosen = Farm(jobs, dask), Choice(metric, higher_is_better)
        again = options.typed(context, running)
        plan = Plan(dataset, settings, model, farm, out / "runs", fresh, again, chosen)
        with report.replacing(out) as folder:
            with progress_bar() as progress:
                results = plan.carry_out(progress)
            report.write(results, folder)
    if as_json:
        print((out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show(results)
        print(f"Report: {out / 'report.html'}")


def show(results: "Results") -> None:
    """Print the tables, and notes on them."""
    from keras_optlab.lab.terminal import wide_console

    console = wide_console()
    for kind, title in (("optimizer", "Algorithm"), ("schedule", "Schedule")):
        if results.of_kind(kind):
            for table in tables(results, kind, title):
                console.print(table)
    for comparison in results.comparisons:
        if comparison.note:
            console.print(f"{comparison.name}: {comparison.note}")
        if comparison.at_edge:
            console.print(
                f"{comparison.name}: the best rate, {comparison.rate:.3g}, is at the edge of the "
                "range tried; try others with --sweep-factors"
            )
    if results.reused:
        print(f"Finished runs reused: {results.reused} (--fresh trains them again)")
    if results.damaged:
        print(f"Damaged files of finished runs, trained again: {results.damaged}")
    print(f"{results.seconds:.0f} s on {results.versions['backend']}")


def tables(results: "Results", kind: str, title: str) -> Iterator["Table"]:
    """Yield the table of a kind and, after tuning, what it found and cost, best row first."""
    from keras_optlab.lab.cells import COST_HEADINGS, cells, cost_cells
    from keras_optlab.lab.terminal import simple_table

    tune, metric = results.settings.tune, results.metric
    rate = "best\nrate" if len(results.settings.sweep) > 1 or tune else "highest\nrate"
    ours = "\n".join([*metric.title.split(), "ours"])
    target = "" if results.target is None else f"to {metric.shown(results.target)}\n"
    headings = (rate, ours, "Keras", f"{target}steps", "s", "weight\ndiff.")
    table = simple_table(title, *headings, "ms per\nstep\nours", "Keras", "ratio")
    for comparison in results.of_kind(kind):
        shown = (cell.line for cell in cells(results, comparison))
        table.add_row(comparison.name, f"{comparison.rate:.3g}", *shown)
    yield table
    if tune:
        headings = (heading.replace(" ", "\n") for heading in COST_HEADINGS)
        table = simple_table(f"{tune} trials\n{title}", *headings)
        for comparison in results.ordered(kind):
            shown = (cell.line for cell in cost_cells(results, comparison))
            table.add_row(comparison.name, *shown)
        yield table
