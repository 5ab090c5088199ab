"""`optlab compare`: train with each algorithm and schedule, ours and Keras' own."""

import contextlib
import functools
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from optlab.backend import start_lab
from optlab.options import (
    Backend,
    BatchSize,
    Data,
    Json,
    Label,
    Model,
    Optimizers,
    Seed,
    parse_list,
    typed,
    users,
)

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.results import Comparison, Results

measured = functools.partial(typer.Option, rich_help_panel="What to measure")
placed = functools.partial(typer.Option, rich_help_panel="Where to train and write")


def compare(
    context: typer.Context,
    optimizers: Optimizers = None,
    schedules: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            help="Schedules, as `optlab list` names them, or OneCycle, with commas between them. "
            "Without --optimizers and --schedules, all of both are trained.",
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training data.")] = 5,
    batch_size: BatchSize = 32,
    data: Data = None,
    label: Label = None,
    model: Model = None,
    task: Annotated[
        Literal["classification", "regression"] | None,
        users(
            help="What is learned: classes or numbers. Numbers are standardized, unless --model is "
            "given.",
            show_default="regression if any label is not whole",
        ),
    ] = None,
    seed: Seed = 0,
    seeds: Annotated[
        int,
        measured(min=1, help="How many seeds, from --seed on: each row has the mean and spread."),
    ] = 1,
    sweep: Annotated[
        bool,
        measured(
            "--sweep",
            help="Try five learning rates in each row, from a tenth to ten times the one that it "
            "has without, and show the best in validation.",
        ),
    ] = False,
    sweep_factors: Annotated[
        list[str] | None,
        measured(
            metavar="FACTORS",
            help="Sweep over the learning rate times these factors instead: 0.3,1,3.",
        ),
    ] = None,
    tune: Annotated[
        int,
        measured(
            min=0,
            metavar="TRIALS",
            help="Search for the best learning rate, decay rates, weight decay and similar "
            "arguments of each row by Optuna, in this many trials; it ends those that fall behind.",
        ),
    ] = 0,
    metric: Annotated[
        str | None,
        measured(
            help="Metric that orders rates and trials: any that Keras' `compile` takes, such as "
            "r2_score, or loss, or my_code.py:function.",
            show_default="the model's first, or accuracy or mean_absolute_error",
        ),
    ] = None,
    higher_is_better: Annotated[
        bool | None,
        measured(
            "--higher-is-better/--lower-is-better",
            help="Which values of the metric are better.",
            show_default="what Keras says of it",
        ),
    ] = None,
    target: Annotated[
        float | None,
        measured(
            help="Measure the time until the metric is as good, such as 0.9.",
            show_default="5 % worse than the best row's",
        ),
    ] = None,
    without_built_in: Annotated[
        bool, measured("--without-built-in", help="Leave out Keras' own optimizers.")
    ] = False,
    jobs: Annotated[int, placed(min=1, help="Processes that train.")] = 1,
    dask: Annotated[
        str | None,
        placed(
            metavar="ADDRESS",
            help="Train on the workers of a Dask cluster: the address of its scheduler, such as "
            "tcp://host:8786.",
        ),
    ] = None,
    out: Annotated[
        Path,
        placed(
            help="Folder of the report. Finished runs are kept in it, so that the same command "
            "goes on where it was interrupted."
        ),
    ] = Path("optlab-report"),
    fresh: Annotated[
        bool, placed("--fresh", help="Delete the finished runs, and train all of them again.")
    ] = False,
    as_json: Json = False,
    backend: Backend = None,
) -> None:
    """Train with each algorithm and schedule, ours and Keras' own, and write a report.

    For example: `optlab compare --optimizers SGD,Adam --seeds 3 --tune 20`.
    """
    factors = parse_list("--sweep-factors", sweep_factors, factor, "a factor > 0")
    if target is not None and not math.isfinite(target):
        message = f"expected a finite number. Received: {target:g}"
        raise typer.BadParameter(message, param_hint="--target")
    if tune and (sweep or factors):
        raise typer.BadParameter("--tune searches the learning rate too: leave out --sweep")
    if dask is not None and jobs != 1:
        raise typer.BadParameter("--jobs is for this machine, --dask for a cluster: take one")
    running = start_lab(backend)
    from keras_optlab.lab import data as lab_data
    from keras_optlab.lab import report
    from keras_optlab.lab.comparison_plan import NO_SWEEP, SWEEP, Plan, chosen_names
    from keras_optlab.lab.farm import Farm
    from keras_optlab.lab.objective import Choice
    from keras_optlab.lab.results import Settings
    from keras_optlab.lab.terminal import progress_bar

    settings = Settings(
        *chosen_names(optimizers, schedules),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        seeds=seeds,
        sweep=tuple(factors) or (SWEEP if sweep else NO_SWEEP),
        target=target,
        built_in=not without_built_in,
        tune=tune,
    )
    # What the user's functions print belongs to no result.
    with contextlib.redirect_stdout(sys.stderr):
        plan = Plan(
            dataset=lab_data.load(data, label, seed, standardize=model is None, task=task),
            settings=settings,
            model=model,
            farm=Farm(jobs, dask),
            runs_folder=out / "runs",
            fresh=fresh,
            again=typed(context, running),
            metric=Choice(metric, higher_is_better),
        )
        with report.replacing(out) as folder:
            with progress_bar() as progress:
                results = plan.carry_out(progress)
            report.write(results, folder)
    if as_json:
        print((out / "results.json").read_text(encoding="utf-8"), end="")
    else:
        show(results)
        print(f"Report: {out / 'report.html'}")


def factor(text: str) -> float:
    """A factor of a learning rate."""
    number = float(text)
    if not 0 < number < math.inf:
        raise ValueError(text)
    return number


def show(results: "Results") -> None:
    """Print the tables, and what a reader has to know."""
    from keras_optlab.lab.terminal import wide_console

    console = wide_console()
    for kind, title in (("optimizer", "Algorithm"), ("schedule", "Schedule")):
        if results.of_kind(kind):
            console.print(comparison_table(results, results.of_kind(kind), title))
            if results.settings.tune:
                console.print(cost_table(results, results.ordered(kind), title))
    for comparison in results.comparisons:
        if comparison.note:
            console.print(f"{comparison.name}: {comparison.note}")
        if comparison.at_edge:
            console.print(
                f"{comparison.name}: the best rate, {comparison.rate:.3g}, is at the edge of what "
                "was tried; try others with --sweep-factors"
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
    from keras_optlab.lab.terminal import simple_table

    words = results.metric.title.split()
    target = "" if results.target is None else f"to {results.metric.shown(results.target)}"
    has_best = len(results.settings.sweep) > 1 or results.settings.tune
    headings = (
        "best\nrate" if has_best else "highest\nrate",
        "\n".join([*words, "ours"]),
        "\nKeras",
        f"{target}\nsteps" if len(words) == 1 else "\n".join([*target.split(), "steps"]),
        "\ns",
        "weights\ndiffer",
        "ms a step\nours" if len(words) == 1 else "ms a\nstep\nours",
        "\nKeras",
    )
    table = simple_table(f"\n{title}", *headings, "\nratio")
    for comparison in comparisons:
        shown = (cell.line for cell in cells(results, comparison))
        table.add_row(comparison.name, f"{comparison.rate:.3g}", *shown)
    return table


def cost_table(results: "Results", comparisons: Sequence["Comparison"], title: str) -> "Table":
    """What tuning found and took, the best row first."""
    from keras_optlab.lab.cells import COST_HEADINGS, cost_cells
    from keras_optlab.lab.terminal import simple_table

    headings = (heading.replace(" ", "\n") for heading in COST_HEADINGS)
    table = simple_table(f"{results.settings.tune} trials\n{title}", *headings)
    for comparison in comparisons:
        table.add_row(comparison.name, *(cell.line for cell in cost_cells(results, comparison)))
    return table
