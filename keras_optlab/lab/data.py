"""Data to train on: scikit-learn's digits, or the user's own table in an npz or csv file."""

import csv
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from keras_optlab.lab.errors import InputError

FEATURE_NAMES = ("x", "features")
LABEL_NAMES = ("label", "target", "y")
NPZ_LABEL_NAMES = ("y", "labels", "label", "target")


@final
@dataclass(frozen=True)
class Dataset:
    """A classification task: standardized features, and labels counted from 0.

    Args:
        name: What to call it in a report.
        x_train: Features to train on, float32 of shape (rows, features).
        y_train: Their labels, int32.
        x_validation: Features to validate on.
        y_validation: Their labels.
        classes: What each label stands for.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    classes: tuple[str, ...]


def digits(seed: int) -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels, from scikit-learn."""
    from sklearn.datasets import load_digits

    features, labels = load_digits(return_X_y=True)
    return split("scikit-learn's digits", features, labels, seed)


def read(path: Path, label: str | None, seed: int) -> Dataset:
    """A dataset from a file: its name ends in .npz or .csv.

    Args:
        path: The file. An npz has the arrays `x` (or `features`) and `y` (or `labels`); a csv
            has one example a line, with or without a line of column names first.
        label: Name of the array or column with the labels. None for one called `label`,
            `target` or `y`, or else the last column.
        seed: Decides which fifth of the rows validates.

    Raises:
        InputError: If there is no such file, or nothing in it to train on.
    """
    readers = {".npz": read_npz, ".csv": read_csv}
    if path.suffix.lower() not in readers:
        raise InputError(f"--data takes a .npz or .csv file. Received: {path}")
    try:
        features, labels = readers[path.suffix.lower()](path, label)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {path}: it is not text in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"cannot read {path}: {error}") from None
    try:
        return split(path.name, features, labels, seed)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_npz(path: Path, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of an npz file."""
    with path.open("rb") as content:
        if not zipfile.is_zipfile(content):
            raise InputError(f"cannot read {path}: it is not an npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        pickled = "allow_pickle" in str(error)
        reason = "it holds Python objects, not numbers" if pickled else "it is damaged"
        raise InputError(f"cannot read {path}: {reason}") from None
    found = ", ".join(sorted(arrays)) or "none"
    features = next((arrays[name] for name in FEATURE_NAMES if name in arrays), None)
    names = NPZ_LABEL_NAMES if label is None else (label,)
    labels = next((arrays[name] for name in names if name in arrays), None)
    if features is None or labels is None:
        wanted = " or ".join(FEATURE_NAMES if features is None else names)
        raise InputError(f"{path} has no array called {wanted}; its arrays: {found}")
    if features.ndim < 2 or labels.ndim != 1 or len(features) != len(labels):
        raise InputError(
            f"{path}: expected features of shape (rows, columns) and as many labels. "
            f"Received: features {features.shape} and labels {labels.shape}"
        )
    if features.dtype.kind not in "biuf":
        raise InputError(f"{path}: the features are not numbers but {features.dtype}")
    columns = math.prod(features.shape[1:])
    return features.reshape(len(features), columns).astype(np.float64), labels


def read_csv(path: Path, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of a csv file, with commas, semicolons or tabs."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        separator = max(",;\t", key=file.readline().count)
        file.seek(0)
        reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    if not lines:
        raise InputError(f"{path} is empty")
    columns = header(lines[0][1], label)
    if columns:
        lines = lines[1:]
    elif label is not None:
        raise InputError(f"{path} has no line of column names, so no column called {label}")
    width = len(lines[0][1] if lines else columns)
    if width < 2:
        raise InputError(f"{path} has one column; features and a label are needed")
    columns = columns or [str(number) for number in range(1, width + 1)]
    position = label_position(path, columns, label)
    features, labels = [], []
    for number, row in lines:
        if len(row) != len(columns):
            raise InputError(
                f"{path}, line {number}: expected {len(columns)} columns. Received: {len(row)}"
            )
        labels.append(row.pop(position))
        try:
            features.append([float(cell) for cell in row])
        except ValueError:
            wrong = next(cell for cell in row if not is_number(cell))
            raise InputError(f"{path}, line {number}: {wrong!r} is not a number") from None
    return np.array(features).reshape(len(features), width - 1), np.array(labels)


def header(row: list[str], label: str | None) -> list[str] | None:
    """The row, if it holds column names: that of the labels, or no number at all."""
    names = {*LABEL_NAMES, label}
    if any(cell in names for cell in row) or not any(is_number(cell) for cell in row):
        return row
    return None


def label_position(path: Path, columns: list[str], label: str | None) -> int:
    """Which column has the labels."""
    names = LABEL_NAMES if label is None else (label,)
    found = [columns.index(name) for name in names if name in columns]
    if not found and label is not None:
        raise InputError(f"{path} has no column called {label}; its columns: {', '.join(columns)}")
    return found[0] if found else len(columns) - 1


def is_number(cell: str) -> bool:
    """Whether a cell of a csv file is a number."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def split(name: str, features: np.ndarray, labels: np.ndarray, seed: int) -> Dataset:
    """Check a table, keep a random fifth of it for validation, and standardize the features.

    Raises:
        InputError: If it is too small, has a number missing, or has no classes to tell apart.
    """
    if len(features) < 10:
        raise InputError(f"at least 10 rows are needed. Received: {len(features)}")
    if not features.shape[1]:
        raise InputError("at least one feature is needed. Received: none")
    bad = np.argwhere(~np.isfinite(features))
    if len(bad):
        row, column = bad[0] + 1
        raise InputError(
            f"every feature must be a finite number. Received: {features[row - 1, column - 1]} in "
            f"row {row}, feature {column}"
        )
    classes, labels = np.unique(as_classes(labels), return_inverse=True)
    if len(classes) < 2:
        raise InputError(f"at least two classes are needed. Received: only {classes[0]}")
    if len(classes) > len(features) // 2:
        raise InputError(
            f"the labels must be classes with several rows each. Received: {len(classes)} "
            f"different labels in {len(features)} rows"
        )
    order = np.random.default_rng(seed).permutation(len(features))
    validation, train = np.split(order, [len(features) // 5])
    mean, deviation = features[train].mean(axis=0), features[train].std(axis=0)
    standard = ((features - mean) / np.where(deviation > 0, deviation, 1.0)).astype(np.float32)
    labels = labels.astype(np.int32)
    return Dataset(
        name=name,
        x_train=standard[train],
        y_train=labels[train],
        x_validation=standard[validation],
        y_validation=labels[validation],
        classes=tuple(str(value) for value in classes),
    )


def as_classes(labels: np.ndarray) -> np.ndarray:
    """Labels as integers where all are whole numbers, as text where any is not a number."""
    if labels.dtype.kind not in "biufUS":
        raise InputError(f"the labels must be integers or text. Received: {labels.dtype}")
    text = labels.astype(str)
    if any(not label for label in text):
        raise InputError(f"row {list(text).index('') + 1} has no label")
    if not all(is_number(label) for label in text):
        return text
    numbers = text.astype(np.float64)
    wrong = numbers[numbers != np.round(numbers)]
    if len(wrong) or not np.isfinite(numbers).all():
        raise InputError(
            "the labels must be classes: integers or text. "
            f"Received: {wrong[0] if len(wrong) else 'inf'}"
        )
    return numbers.astype(np.int64)
