"""Tables in Markdown from the reports of a release, for the documentation."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.description import describe
from benchmarks.measure import Spread

RELEASES = Path(__file__).parent / "releases"
# Placeholder for a table in a page: the report's key.
PLACE = re.compile(r"<!-- ([\w ]+) -->")

# Draws the figure of a report; returns its path for use in a page, or None if there is none.
Draw = Callable[[dict[str, Any]], str | None]


def reports(file: Path) -> dict[str, dict[str, Any]]:
    """Return the reports of a release by key, such as `step_time tensorflow graph`."""
    return json.loads(file.read_text(encoding="utf-8"))


def newest() -> Path:
    """Return the file of the newest release."""

    def version(file: Path) -> tuple[int, ...]:
        return tuple(map(int, file.stem.split(".")))

    return max(RELEASES.glob("*.json"), key=version)


def fill(text: str, reports: dict[str, dict[str, Any]], draw: Draw) -> str:
    """Return a page with its placeholders replaced by tables, or by a note if not measured."""

    def table_at(place: re.Match) -> str:
        report = reports.get(place[1])
        return section(report, draw(report)) if report else "Not measured yet."

    return PLACE.sub(table_at, text)


def section(report: dict[str, Any], picture: str | None) -> str:
    """Return a report in Markdown: title, table, notes, origin and picture."""
    parts = [f"**{report['title']}**", table(report), " ".join(report["notes"])]
    parts.append(f"`{report['command']}`: {describe(report)}")
    if picture:
        parts.append(f"![{report['title']}]({picture})")
    return "\n\n".join(parts)


def table(report: dict[str, Any]) -> str:
    """Return the table in Markdown, with right-aligned numbers."""
    headings = [heading.replace("\n", "<br>") for heading in report["columns"]]
    alignment = ["---", *["---:"] * (len(headings) - 1)]
    cells = [[cell.replace("*", r"\*") for cell in row] for row in report["rows"]]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, alignment, *cells))


def draw_times(report: dict[str, Any], file: Path) -> bool:
    """Draw the median time of each case and contender; return False if a report has none."""
    cases = report["data"]
    if not all(isinstance(found, dict) and "seconds" in found for found in cases.values()):
        return False
    contenders = dict.fromkeys(name for found in cases.values() for name in found["seconds"])
    medians = {name: [milliseconds(case, name) for case in cases.values()] for name in contenders}
    limit = medians.pop("memory limit", None)
    panel = figures.Dots(report["title"], "ms", list(cases), medians, limit)
    figures.draw_dots([panel], file)
    return True


def milliseconds(case: dict[str, Any], contender: str) -> float | None:
    """Return a contender's median time in a case, or None if it does not have the case."""
    seconds = case["seconds"].get(contender)
    return 1000 * Spread.of(seconds).median if seconds else None
