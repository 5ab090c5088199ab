"""The page of all benchmark tables, from the file of the newest release."""

from pathlib import Path
from typing import Any

from benchmarks import tables

from .markdown import write


def write_page(docs: Path) -> None:
    """Write `benchmark_tables.md` and its pictures.

    Args:
        docs: The folder of the documentation.
    """

    def draw(report: dict[str, Any]) -> str | None:
        name = f"drawn/{'-'.join(report['key'])}.svg"
        return name if tables.draw_times(report, docs / name) else None

    (docs / "drawn").mkdir(exist_ok=True)
    text = (docs.parent / "benchmarks" / "README.md").read_text(encoding="utf-8")
    page = tables.fill(text, tables.reports(tables.newest()), draw)
    write(docs / "benchmark_tables.md", page)
