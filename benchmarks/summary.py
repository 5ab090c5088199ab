"""Fills the tables of benchmarks/README.md from the JSON files.

python -m benchmarks.summary
"""

import json
import os
import re
from pathlib import Path
from typing import Any

from benchmarks.description import describe
from benchmarks.setting import Parser

FOLDER = Path(__file__).parent
PLACE = re.compile(r"(<!-- (?!end)([\w ]+?) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Rewrite what stands between the markers."""
    parser = Parser(prog="python -m benchmarks.summary", description="Fill the README's tables.")
    parser.add_argument("--readme", type=Path, default=FOLDER / "README.md", metavar="FILE")
    parser.add_argument("--results", type=Path, default=FOLDER / "results", metavar="FOLDER")
    chosen = parser.parse_args()
    if not chosen.readme.is_file():
        parser.error(f"no such file: {chosen.readme}")
    text = chosen.readme.read_text(encoding="utf-8")
    places = PLACE.findall(text)
    filled = PLACE.sub(lambda place: fill(place, chosen.results, chosen.readme.parent), text)
    chosen.readme.write_text(filled, encoding="utf-8")
    found = [key for _, key, _ in places if file_of(key, chosen.results).exists()]
    print(f"{chosen.readme}: {len(found)} of {len(places)} tables filled")


def fill(place: re.Match, results: Path, folder: Path) -> str:
    """A marked place with its table, or with what there is to say where none is measured."""
    begin, key, end = place.groups()
    path = file_of(key, results)
    if not path.exists():
        return f"{begin}Not measured yet.\n{end}"
    report = json.loads(path.read_text(encoding="utf-8"))
    picture = path.with_suffix(".png")
    parts = [f"**{report['title']}**", table(report), " ".join(report["notes"])]
    parts.append(f"`{report['command']}`: {describe(report)}")
    if picture.exists():
        parts.append(f"![{report['title']}]({os.path.relpath(picture, folder)})")
    return begin + "\n\n".join(parts) + f"\n\n{end}"


def file_of(key: str, results: Path) -> Path:
    """The JSON file of a marker."""
    return results / f"{key.replace(' ', '-')}.json"


def table(report: dict[str, Any]) -> str:
    """The table in Markdown, numbers on the right."""
    headings = [heading.replace("\n", "<br>") for heading in report["columns"]]
    alignment = ["---", *["---:"] * (len(headings) - 1)]
    cells = [[cell.replace("*", r"\*") for cell in row] for row in report["rows"]]
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, alignment, *cells))


if __name__ == "__main__":
    main()
