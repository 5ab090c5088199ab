"""`optlab landscape`: watch optimizers on functions of two variables."""

import math
from pathlib import Path
from typing import Annotated

import typer

from optlab.backend import start_lab
from optlab.options import Backend, Optimizers, OutFolder, Seed, parse_list, typed
from optlab.output import writing


def landscape(
    context: typer.Context,
    optimizers: Optimizers = None,
    surfaces: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            help="Any of rosenbrock, beale, himmelblau, bowl, plateau, saddle and noisy-valley, "
            "separated by commas.",
            show_default="all",
        ),
    ] = None,
    learning_rate: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RATE",
            help="Learning rates, separated by commas: SGD=0.05,Adam=0.3.",
            show_default="rates that suit the surface",
        ),
    ] = None,
    built_in: Annotated[
        bool, typer.Option("--built-in", help="Show Keras' built-ins too.")
    ] = False,
    steps: Annotated[int, typer.Option(min=1, help="Number of steps for each algorithm.")] = 200,
    seed: Seed = 0,
    out: OutFolder = Path("optlab-landscape"),
    backend: Backend = None,
) -> None:
    """Watch algorithms descend seven surfaces, in pictures and on a page with a slider.

    By default, these are SGD, Momentum, Nesterov, Adagrad, RMSprop and Adam.
    """
    expected = "NAME=RATE with RATE >= 0"
    given = parse_list("--learning-rate", learning_rate, named_rate, expected)
    running = start_lab(backend)
    from keras_optlab.lab import landscape, landscape_views
    from keras_optlab.lab.errors import InputError, pick
    from keras_optlab.lab.surfaces import SURFACES
    from keras_optlab.lab.terminal import progress_bar, simple_table, wide_console

    shown = [SURFACES[name] for name in pick(surfaces or SURFACES, SURFACES, "surface")]
    names = pick(optimizers or landscape.DEFAULT_NAMES, landscape.NAMES, "optimizer")
    rates = {pick([name], landscape.NAMES, "optimizer")[0]: rate for name, rate in given}
    if not_shown := ", ".join(name for name in rates if name not in names):
        raise InputError(
            f"--learning-rate must name optimizers that are shown: {', '.join(names)}. Received: "
            f"{not_shown}"
        )
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with progress_bar() as progress:
        found = landscape.explore(shown, names, built_in, rates, steps, seed, progress)
    with writing(out):
        for each in found:
            landscape_views.draw(each, out / f"{each.surface.name}.png")
        page = landscape_views.page(found, steps, typed(context, running))
        (out / "landscape.html").write_text(page, encoding="utf-8")
    table = simple_table("Algorithm", *(each.surface.name for each in found))
    for ways in zip(*(each.trajectories for each in found), strict=True):
        cells = ["diverged" if way.diverged else f"{way.values[-1]:.3g}" for way in ways]
        table.add_row(ways[0].label, *cells)
    wide_console().print(table)
    print(f"\nHeight after {steps} steps. Page: {out / 'landscape.html'}")


def named_rate(text: str) -> tuple[str, float]:
    """Parse `NAME=RATE` into a pair."""
    name, _, number = text.partition("=")
    rate = float(number)
    if not name or not math.isfinite(rate) or rate < 0:
        raise ValueError(text)
    return name, rate
