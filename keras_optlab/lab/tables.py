"""Reading tables from files that anybody may have written: npz and csv.

Files of CSV are read by `csv`, not pandas, which fills short lines with NaN, takes words such as NA
for missing numbers, and does not say in which line a wrong cell is.
"""

import csv
import math
import zipfile
from pathlib import Path

import numpy as np

from keras_optlab.lab.errors import InputError

FEATURE_NAMES = ("x", "features")
LABEL_NAMES = ("label", "target", "y")
NPZ_LABEL_NAMES = ("y", "labels", "label", "target")

# A zip file of a few kB may declare terabytes. What is larger comes by a function.
NPZ_LIMIT = 2 * 2**30
CSV_LIMIT = 256 * 2**20
# An array of text takes the room of its longest item for each.
LABEL_LIMIT = 200
# So much of a name that others chose is shown.
SHOWN = 60


def printable(name: object) -> str:
    """A name as an error message can show it: short, and without what moves a terminal."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in str(name))
    return shown if len(shown) <= 4 * SHOWN else f"{shown[: 4 * SHOWN]}..."


def names(found: list[str]) -> str:
    """The names that a file has, the first ones if they are many."""
    shown = [printable(name)[:SHOWN] for name in found[:10]]
    return ", ".join(shown + (["..."] if len(found) > 10 else [])) or "none"


def check_file(path: Path, limit: int) -> None:
    """Refuse what is no plain file, or too large."""
    size = path.stat().st_size
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError("not a plain file")
    if size > limit:
        raise InputError(too_large(size, limit))


def too_large(size: int, limit: int) -> str:
    """What to say of a file that is too large."""
    return (
        f"at most {limit / 2**20:,.0f} MB are read. Received: {size / 2**20:,.0f} MB; give larger "
        "data by --data module:function"
    )


def read_npz(path: Path, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of an npz file."""
    check_file(path, NPZ_LIMIT)
    with path.open("rb") as content:
        if not zipfile.is_zipfile(content):
            raise InputError("it is not an npz file")
    try:
        with zipfile.ZipFile(path) as archive:
            return arrays_of(archive, label)
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:
        # What zipfile, the decompressors and NumPy raise on damaged bytes is not a short list.
        raise InputError("it is damaged") from error


def arrays_of(archive: zipfile.ZipFile, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The two arrays of an archive."""
    members = {item.filename.removesuffix(".npy"): item for item in archive.infolist()}
    label_names = NPZ_LABEL_NAMES if label is None else (label,)
    chosen = []
    for wanted in (FEATURE_NAMES, label_names):
        name = next((name for name in wanted if name in members), None)
        if name is None:
            raise InputError(
                f"no array called {' or '.join(map(printable, wanted))}; its arrays: "
                f"{names(sorted(members))}"
            )
        chosen.append(members[name])
    size = sum(item.file_size for item in chosen)
    if size > NPZ_LIMIT:
        raise InputError(too_large(size, NPZ_LIMIT))
    features, labels = (read_array(archive, item) for item in chosen)
    return features, labels


def read_array(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> np.ndarray:
    """One array, if its header promises no more than the archive holds."""
    headers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    with archive.open(item) as file:
        version = np.lib.format.read_magic(file)
        if version not in headers:
            raise InputError("an array is in a format that is not read here: save it again")
        shape, _, dtype = headers[version](file)
    if dtype.hasobject:
        raise InputError("it holds Python objects, not numbers")
    if math.prod(shape) * dtype.itemsize > item.file_size:
        raise InputError("it is damaged: an array is larger than the file says")
    with archive.open(item) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def read_csv(path: Path, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a csv file, with commas, semicolons or tabs.

    Apart from an `InputError`, an OSError, UnicodeDecodeError or csv.Error says what is wrong.
    """
    check_file(path, CSV_LIMIT)
    with path.open(newline="", encoding="utf-8-sig") as file:
        separator = max(",;\t", key=file.readline().count)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    if not lines:
        raise InputError("it is empty")
    columns = header(lines[0][1], label)
    if columns:
        lines = lines[1:]
    elif label is not None:
        raise InputError(f"it has no line of column names, so no column called {printable(label)}")
    width = len(lines[0][1]) if lines else len(columns or ())
    if width < 2:
        raise InputError("it has one column; features and a label are needed")
    columns = columns or [str(number) for number in range(1, width + 1)]
    position = label_position(columns, label)
    features, labels = [], []
    for number, row in lines:
        if len(row) != len(columns):
            raise InputError(
                f"line {number}: expected {len(columns)} columns. Received: {len(row)}"
            )
        labels.append(row.pop(position))
        if len(labels[-1]) > LABEL_LIMIT:
            raise InputError(
                f"line {number}: a label has {len(labels[-1]):,} characters, which is no class"
            )
        wrong = next((cell for cell in row if not is_number(cell)), None)
        if wrong is not None:
            raise InputError(f"line {number}: {printable(wrong)[:SHOWN]!r} is not a number")
        features.append([float(cell) for cell in row])
    return np.array(features).reshape(len(features), width - 1), np.array(labels, dtype=str)


def header(row: list[str], label: str | None) -> list[str] | None:
    """The row, if it holds column names: that of the labels, or no number at all."""
    known = {*LABEL_NAMES, label}
    if any(cell in known for cell in row) or not any(is_number(cell) for cell in row):
        return row
    return None


def label_position(columns: list[str], label: str | None) -> int:
    """Which column has the labels."""
    wanted = LABEL_NAMES if label is None else (label,)
    found = [columns.index(name) for name in wanted if name in columns]
    if not found and label is not None:
        raise InputError(f"no column called {printable(label)}; its columns: {names(columns)}")
    if found and columns.count(columns[found[0]]) > 1:
        raise InputError(f"several columns are called {printable(columns[found[0]])}")
    return found[0] if found else len(columns) - 1


def is_number(cell: str) -> bool:
    """Whether a cell of a csv file is a number; `1_000`, which Python reads as 1000, is none."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
