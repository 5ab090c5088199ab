"""A table, printed on the terminal and written as JSON for a release."""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any, final

from rich.console import Console

from benchmarks.description import describe
from benchmarks.measure import Spread, geometric_mean
from keras_optlab.lab.report import finite
from keras_optlab.lab.terminal import simple_table

# Width of the table if stdout is not a terminal.
WIDTH = 140


@final
@dataclasses.dataclass(frozen=True)
class Report:
    """One table.

    Args:
        key: Module, backend, and whatever else distinguishes it, such as the mode.
        title: What it shows.
        columns: Headings.
        rows: Cells as printed, the row's name first.
        notes: What a reader must know, one sentence each.
        data: The numbers themselves.
    """

    key: tuple[str, ...]
    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str]
    data: dict[str, Any]

    def file(self, folder: Path, suffix: str) -> Path:
        """Return the path of a file of this report in a folder."""
        return folder / f"{'-'.join(self.key)}{suffix}"

    def publish(self, options: argparse.Namespace) -> None:
        """Print the table and write the JSON into `options.out`."""
        table = simple_table(*self.columns)
        for row in self.rows:
            table.add_row(*row)
        width = None if sys.stdout.isatty() else WIDTH
        console = Console(width=width, highlight=False, markup=False)
        console.print(f"\n{self.title}\n")
        console.print(table)
        for line in (*self.notes, describe(options.origin)):
            console.print(line)
        content = finite({**dataclasses.asdict(self), **options.origin})
        text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
        path = self.file(options.out, ".json")
        path.write_text(text + "\n", encoding="utf-8")
        plot = self.file(options.out, ".png")
        written = f"{path}, {plot.name}" if plot.exists() else str(path)
        console.print(f"Written: {written}", soft_wrap=True)


def milliseconds(seconds: float | None) -> str:
    """Format a time as a cell, empty if there is none."""
    return "" if seconds is None else digits(1000 * seconds)


def digits(value: float) -> str:
    """Format a number to three digits, never with an exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def ratio(spread: Spread | None) -> str:
    """Format a ratio with its quartiles as a cell."""
    return f"{spread.median:.2f} ({spread.low:.2f}–{spread.high:.2f})" if spread else ""


def mean_ratio(spreads: list[Spread | None]) -> str:
    """Format the geometric mean of the available ratios as a cell."""
    medians = [spread.median for spread in spreads if spread]
    return f"{geometric_mean(medians):.2f}" if medians else ""
