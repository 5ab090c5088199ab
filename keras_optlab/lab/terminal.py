"""Terminal output of commands: tables and progress."""

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def wide_console() -> "Console":
    """Return the terminal as a console; if stdout is not one, lines have 110 characters."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 110, highlight=False, markup=False)


@contextlib.contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar on stderr, if that is a terminal, and yield the function that moves it."""
    from rich.console import Console
    from rich.progress import MofNCompleteColumn, Progress

    console = Console(stderr=True)
    # Estimate the remaining time from everything done so far, however long one run takes.
    options = {"transient": True, "speed_estimate_period": math.inf}
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, **options) as bar:
        task = bar.add_task("")
        yield lambda name, done, to_do: bar.update(
            task, description=name, completed=done, total=to_do
        )


def simple_table(first: str, *headings: str) -> "Table":
    """Create a table without lines between rows, and with numbers aligned right."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
