"""`optlab landscape`: watch optimizers on functions of two numbers."""

import argparse
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from keras_optlab.lab.arguments import add_folder, add_optimizers, add_seed, positive
from keras_optlab.lab.errors import InputError, pick
from keras_optlab.lab.terminal import progress_bar, require, simple_table, wide_console

if TYPE_CHECKING:
    from rich.table import Table

    from keras_optlab.lab.landscape import Landscape, Settings

NAME = "landscape"
SUMMARY = "watch algorithms go down seven surfaces: pictures, and a page with a slider"

PAGE = "landscape.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    add_optimizers(parser)
    add_seed(parser)
    parser.add_argument(
        "--surfaces",
        nargs="+",
        metavar="NAME",
        help="rosenbrock, beale, himmelblau, bowl, plateau, saddle, noisy-valley (default: all)",
    )
    parser.add_argument(
        "--learning-rate",
        nargs="+",
        default=[],
        action="extend",
        type=named_rate,
        metavar="NAME=RATE",
        help="a learning rate in place of the default, which suits the surface",
    )
    parser.add_argument(
        "--built-in", action="store_true", help="show the built-in of Keras beside each"
    )
    parser.add_argument(
        "--steps", type=positive, default=200, metavar="N", help="steps (default: 200)"
    )
    add_folder(parser, "optlab-landscape", "the page and the pictures")


def named_rate(text: str) -> tuple[str, float]:
    """`NAME=RATE` as a pair, or argparse's error."""
    name, _, number = text.partition("=")
    try:
        rate = float(number)
    except ValueError:
        rate = math.nan
    if not name or not math.isfinite(rate) or rate < 0:
        raise argparse.ArgumentTypeError(f"expected NAME=RATE with RATE >= 0. Received: {text}")
    return name, rate


def run(options: argparse.Namespace) -> int:
    """Go down, draw, write the page, print where each came to."""
    require("jinja2", "matplotlib", "plotly", "rich")
    from keras_optlab.lab import landscape

    settings = chosen(options)
    make(options.out)
    with progress_bar() as progress:
        landscapes = landscape.explore(settings, progress)
    write(landscapes, settings, options.out, again(options))
    wide_console().print(heights_table(landscapes))
    print(f"\nHeight after {settings.steps} steps. Page: {options.out / PAGE}")
    return 0


def chosen(options: argparse.Namespace) -> "Settings":
    """What the options ask for."""
    from keras_optlab.lab import landscape
    from keras_optlab.lab.surfaces import SURFACES

    surfaces = pick(options.surfaces or SURFACES, SURFACES, "surface")
    names = pick(options.optimizers or landscape.DEFAULT_NAMES, landscape.NAMES, "optimizer")
    rates = {pick([n], landscape.NAMES, "optimizer")[0]: rate for n, rate in options.learning_rate}
    unused = [name for name in rates if name not in names]
    if unused:
        raise InputError(
            f"--learning-rate names {', '.join(unused)}, which --optimizers leaves out; shown are "
            f"{', '.join(names)}"
        )
    return landscape.Settings(
        surfaces=tuple(SURFACES[name] for name in surfaces),
        names=tuple(names),
        built_in=options.built_in,
        learning_rates=rates,
        steps=options.steps,
        seed=options.seed,
    )


def make(folder: Path) -> None:
    """Make the folder, before any work is done for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is not a folder" if folder.is_file() else error.strerror
        raise InputError(f"cannot write to {folder}: {reason}") from None


def again(options: argparse.Namespace) -> str:
    """What to type to get the same again."""
    import keras

    line = shlex.join(["optlab", *options.arguments])
    return line if options.backend else f"{line} --backend {keras.backend.backend()}"


def write(
    landscapes: Sequence["Landscape"], settings: "Settings", folder: Path, command: str
) -> None:
    """Write the pictures and the page."""
    from keras_optlab.lab import landscape_figures, landscape_page

    try:
        for each in landscapes:
            landscape_figures.draw(each, folder / f"{each.surface.name}.png")
        page = landscape_page.page(landscapes, settings, command)
        (folder / PAGE).write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}") from None


def heights_table(landscapes: Sequence["Landscape"]) -> "Table":
    """How far down each algorithm came on each surface."""
    from keras_optlab.lab.landscape import labels

    table = simple_table("Algorithm", *(each.surface.name for each in landscapes))
    rows = zip(*(each.trajectories for each in landscapes), strict=True)
    for label, ways in zip(labels(landscapes[0].trajectories), rows, strict=True):
        cells = ["diverged" if way.diverged else f"{way.values[-1]:.3g}" for way in ways]
        table.add_row(label, *cells)
    return table
