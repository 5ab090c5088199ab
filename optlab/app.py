"""The commands of `optlab`, in the groups shown by the help."""

from importlib import metadata
from typing import Annotated

import typer

from optlab.commands import claims, compare, find_lr, landscape, lookup, parity

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

PANELS = {
    "Train a model": {"compare": compare.compare, "find-lr": find_lr.find_lr},
    "See how optimizers work": {"landscape": landscape.landscape, "claims": claims.claims},
    "Look up": {"list": lookup.list_everything, "show": lookup.show, "parity": parity.parity},
}
for panel, commands in PANELS.items():
    for name, command in commands.items():
        app.command(name, rich_help_panel=panel)(command)


def print_version(wanted: bool) -> None:
    """Print the version, and exit."""
    if wanted:
        print(f"keras-optlab {metadata.version('keras-optlab')}")
        raise typer.Exit


@app.callback(
    epilog="Start with `optlab compare`. `optlab COMMAND --help` shows the options of a command."
)
def optlab(
    version: Annotated[
        bool,
        typer.Option("--version", callback=print_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Optimizers, schedules and 1cycle for Keras: compare them, watch them, look them up."""
