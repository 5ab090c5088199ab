"""Tables from untrusted files: npz and csv."""

import io
import math
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_optlab.lab.errors import InputError

FEATURE_NAMES = ("x", "features")
LABEL_NAMES = ("label", "target", "y")
NPZ_LABEL_NAMES = ("y", "labels", "label", "target")

# A zip file of a few kB may declare terabytes. Larger data must come from a function.
NPZ_LIMIT = 2 * 2**30
CSV_LIMIT = 256 * 2**20
# An array of text reserves the length of its longest item for every item.
LABEL_LIMIT = 200


def printable(value: object, limit: int = 240) -> str:
    """Make untrusted text fit for an error message: short, and harmless to a terminal."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return shown if len(shown) <= limit else f"{shown[:limit]}..."


def read_table(path: Path, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Read features and labels from a file; an `InputError` says why it cannot be read."""
    # Reading a pipe would block.
    if not path.is_file():
        raise InputError("no such file, or it is a folder or a pipe")
    try:
        return READERS[path.suffix.lower()](path, label)
    except InputError:
        raise
    except Exception as error:
        # pandas, NumPy, zipfile and the decompressors raise many types of errors on damage.
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(f"cannot be read: {printable(reason)}") from error


def read_npz(path: Path, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Read features and labels from an npz file."""
    if not zipfile.is_zipfile(path):
        raise InputError("it is not an npz file")
    label_names = NPZ_LABEL_NAMES if label is None else (label,)
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        chosen = [
            found(each, sorted(archive.files), "array") for each in (FEATURE_NAMES, label_names)
        ]
        check_size(sum(archive.zip.getinfo(f"{name}.npy").file_size for name in chosen), NPZ_LIMIT)
        features, labels = (np.asarray(archive[name]) for name in chosen)
    return features, labels


def read_csv(path: Path, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Read features and labels from a csv file, separated by commas, semicolons or tabs."""
    import pandas as pd

    check_size(path.stat().st_size, CSV_LIMIT)
    text = path.read_text("utf-8-sig")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    # All as text, where NA is a word. Cells that a short line lacks are empty, and refused below.
    table = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None,
        dtype=str,
        keep_default_na=False,
        skipinitialspace=True,
    )
    cells = table.fillna("").map(str.strip).to_numpy(object)
    cells = cells[(cells != "").any(axis=1)]
    columns: list[str] = cells[0].tolist()
    if len(columns) < 2:
        raise InputError("it has one column; features and a label are needed")
    label_names = [name for name in LABEL_NAMES if name in columns] if label is None else [label]
    if not set(columns).isdisjoint(label_names) or not any(map(is_number, columns)):
        cells = cells[1:]
    name = found(label_names, columns, "column") if label_names else columns[-1]
    if label_names and columns.count(name) > 1:
        raise InputError(f"several columns are called {printable(name)}")
    position = columns.index(name) if label_names else len(columns) - 1
    features, labels = np.delete(cells, position, axis=1), cells[:, position]
    if max(map(len, labels), default=0) > LABEL_LIMIT:
        raise InputError(
            f"a label has more than {LABEL_LIMIT} characters, too long for a class name"
        )
    check_numbers(features, "feature")
    return features.astype(np.float64), labels.astype(str)


READERS = {".npz": read_npz, ".csv": read_csv}


def found(wanted: Sequence[str], there: Sequence[str], what: str) -> str:
    """Return the first of the wanted names that exists."""
    for name in wanted:
        if name in there:
            return name
    shown = [printable(name, 60) for name in there[:10]] + ["..."] * (len(there) > 10)
    raise InputError(
        f"no {what} called {' or '.join(map(printable, wanted))}; its {what}s: "
        f"{', '.join(shown) or 'none'}"
    )


def check_size(size: int, limit: int) -> None:
    """Refuse data that is too large."""
    if size > limit:
        raise InputError(
            f"data from a file may have at most {limit / 2**20:,.0f} MB. Received: "
            f"{size / 2**20:,.0f} MB; load larger data with --data module:function"
        )


def check_numbers(table: np.ndarray, what: str) -> None:
    """Refuse missing and infinite values, and text that is not a number."""
    flat = table.reshape(len(table), math.prod(table.shape[1:]))
    if table.dtype.kind in "biuf":
        is_finite = np.isfinite
    else:
        is_finite = np.vectorize(lambda cell: is_number(cell) and math.isfinite(float(cell)), "?")
    wrong = np.argwhere(~is_finite(flat))
    if len(wrong):
        row, column = wrong[0]
        raise InputError(
            f"every {what} must be a finite number. Received: "
            f"{printable(repr(flat.item(row, column)), 60)} in row {row + 1}, {what} {column + 1}"
        )


def is_number(cell: str) -> bool:
    """Whether a cell is a number; `1_000`, which Python reads as 1000, is not."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
