"""Command that adds measured tables to the file of a release, for the documentation.

python -m benchmarks.release
"""

import json
from pathlib import Path

from benchmarks import options, tables
from benchmarks.setting import Parser
from keras_optlab import __version__


def main() -> None:
    """Add the reports of a folder, replacing those of the same key."""
    parser = Parser(prog="python -m benchmarks.release", description="Keep measured tables.")
    parser.add_argument("--results", type=Path, default=options.RESULTS, metavar="FOLDER")
    parser.add_argument("--version", default=__version__, help="default: %(default)s")
    chosen = parser.parse_args()
    found = sorted(chosen.results.glob("*.json"))
    if not found:
        parser.error(f"no table in {chosen.results}: run another module of `benchmarks` first")
    file = tables.RELEASES / f"{chosen.version}.json"
    reports = tables.reports(file) if file.exists() else {}
    for path in found:
        report = json.loads(path.read_text(encoding="utf-8"))
        reports[" ".join(report["key"])] = report
    content = json.dumps(dict(sorted(reports.items())), indent=1, ensure_ascii=False)
    file.write_text(content + "\n", encoding="utf-8")
    print(f"{file}: {len(found)} tables replaced, {len(reports)} in all")


if __name__ == "__main__":
    main()
