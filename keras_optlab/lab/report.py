"""The report folder: written to a temporary folder and moved into place once complete."""

import contextlib
import dataclasses
import functools
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_optlab.lab import cells, figures, report_charts, web
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.results import TARGET_SHARE, Results

FILES = (
    *("report.html", "results.json", "results.csv", "epochs.csv", "trials.csv"),
    *("optimizers.png", "schedules.png"),
)

TITLES = {"optimizer": "Algorithms", "schedule": "Schedules and 1cycle"}


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Provide a folder to write a report into, which replaces the old report at the end.

    If the block raises or is interrupted, the old report is left unchanged. Other files in the
    folder are left alone.
    """
    existed = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except OSError as error:
        reason = "it is not a folder" if folder.is_file() else error.strerror or error
        raise InputError(f"cannot write to {folder}: {reason}") from None
    try:
        yield aside
        written = {file.name for file in aside.iterdir()}
        try:
            move(written, aside, folder)
        finally:  # what Ctrl-C kept from being moved
            move(written, aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if not existed and not any(folder.iterdir()):
            folder.rmdir()


def move(written: set[str], aside: Path, folder: Path) -> None:
    """Move the files that have not been moved yet, and delete leftovers of an earlier report."""
    for name in FILES:
        if name not in written:
            (folder / name).unlink(missing_ok=True)
        elif (aside / name).exists():
            (aside / name).replace(folder / name)


def write(results: Results, folder: Path) -> None:
    """Write the pictures, the page and the numbers into a folder from `replacing`."""
    draw_schedules = functools.partial(figures.draw_schedules, epochs=results.settings.epochs)
    pictures, charts = {}, {}
    numbers = finite(dataclasses.asdict(results) | {"target": results.target})
    tables = {"results": results.table(), "epochs": results.epochs(), "trials": results.trials()}
    try:
        for kind, draw in ("optimizer", figures.draw_optimizers), ("schedule", draw_schedules):
            rows = results.of_kind(kind)
            if rows:
                # By matplotlib, since it is viewed as a whole, and also where scripts do not run.
                pictures[kind] = draw(rows, folder / f"{kind}s.png")
                charts[kind] = report_charts.figures(results, rows, TITLES[kind])
        page = web.render(
            "report.html",
            {"figures": charts},
            results=results,
            titles=TITLES,
            pictures=pictures,
            charts=charts,
            cells=cells,
            target_share=TARGET_SHARE,
            replace=dataclasses.replace,
            zip=zip,
            again=results.again,
            versions=results.versions,
        )
        (folder / "report.html").write_text(page, encoding="utf-8")
        text = json.dumps(numbers, indent=1, allow_nan=False, ensure_ascii=False)
        (folder / "results.json").write_text(text + "\n", encoding="utf-8")
        for name, table in tables.items():
            if len(table):
                table.to_csv(folder / f"{name}.csv", index=False)
    except OSError as error:
        raise InputError(f"cannot write to {folder.parent}: {error.strerror}") from None


def finite(value: Any) -> Any:
    """Return a value that JSON can hold: lists for tuples, None for NaN and infinity."""
    return json.loads(json.dumps(value), parse_constant=lambda name: None)
