"""Data to train on: scikit-learn's digits, or the user's own, from a file, function or arrays."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from keras_optlab.lab.errors import InputError
from keras_optlab.lab.tables import is_number, printable, read_csv, read_npz
from keras_optlab.lab.user_code import load_function

READERS = {".npz": read_npz, ".csv": read_csv}
STANDARDIZED = "each feature standardized"
AS_THEY_ARE = "features as they are"

# Up to here every integer is a float64 of its own.
EXACT = 2**53


@final
@dataclass(frozen=True)
class Dataset:
    """A classification task: features, and labels counted from 0.

    Args:
        name: What to call it in a report.
        x_train: Features to train on, of shape (rows, ...); float32 if they are standardized.
        y_train: Their labels, int32.
        x_validation: Features to validate on.
        y_validation: Their labels.
        classes: What each label stands for.
        preparation: What was done to the features, in words.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    classes: tuple[str, ...]
    preparation: str = STANDARDIZED


def digits(seed: int) -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels, from scikit-learn."""
    from sklearn.datasets import load_digits

    arrays: Any = load_digits(return_X_y=True)
    features, labels = arrays
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
    if path.suffix.lower() not in READERS:
        raise InputError(
            f"--data takes a .npz or .csv file, or module:function. Received: {printable(path)}"
        )
    try:
        features, labels = READERS[path.suffix.lower()](path, label)
        return split(path.name, features, labels, seed)
    except InputError as error:
        raise InputError(f"{printable(path)}: {error}") from None
    except OSError as error:
        raise InputError(f"cannot read {printable(path)}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"cannot read {printable(path)}: it is not text in UTF-8") from None
    except csv.Error as error:
        raise InputError(f"cannot read {printable(path)}: {error}") from None
    except MemoryError:
        raise InputError(f"cannot read {printable(path)}: it does not fit into memory") from None


def call(spec: str, seed: int, standardize: bool) -> Dataset:
    """A dataset from a function of the user's.

    Args:
        spec: `module:function` or `path/to/file.py:function`. The function takes no arguments and
            returns what `from_arrays` takes.
        seed: See `from_arrays`.
        standardize: See `from_arrays`.

    Raises:
        InputError: If there is no such function, it fails, or returns anything else.
    """
    function: Callable[[], Any] = load_function(spec, "--data")
    try:
        arrays = function()
    except Exception as error:
        raise InputError(f"--data: {spec} failed: {type(error).__name__}: {error}") from error
    try:
        return from_arrays(spec, arrays, seed, standardize)
    except InputError as error:
        raise InputError(f"--data: {spec}: {error}") from None


def from_arrays(name: str, arrays: Any, seed: int, standardize: bool) -> Dataset:
    """A dataset from arrays.

    Args:
        name: What to call it in a report.
        arrays: `(x, y)`, of which a fifth of the rows, at random, validates, or
            `(x_train, y_train, x_validation, y_validation)`.
        seed: Decides which fifth.
        standardize: Whether the features are standardized, for a model that does not do it.

    Raises:
        InputError: If there is nothing in them to train on.
    """
    if not isinstance(arrays, (tuple, list)) or len(arrays) not in (2, 4):
        kind = type(arrays).__name__
        size = f" of {len(arrays)}" if isinstance(arrays, (tuple, list)) else ""
        raise InputError(
            "expected (x, y) or (x_train, y_train, x_validation, y_validation). "
            f"Received: {kind}{size}"
        )
    parts = [as_array(array) for array in arrays]
    if len(parts) == 2:
        features, labels = parts
        return split(name, features, labels, seed, standardize)
    return assemble(name, parts[0::2], parts[1::2], standardize)


def as_array(value: Any) -> np.ndarray:
    """An array of a tensor, a list of rows or an array."""
    try:
        return np.asarray(value)
    except Exception as error:
        raise InputError(
            f"expected arrays. Received: {type(value).__name__}, of which NumPy says {error}"
        ) from None


def split(
    name: str, features: np.ndarray, labels: np.ndarray, seed: int, standardize: bool = True
) -> Dataset:
    """Check a table, and keep a random fifth of it for validation.

    Args:
        name: What to call it in a report.
        features: Of shape (rows, ...).
        labels: One of each row.
        seed: Decides which fifth.
        standardize: Whether to standardize the features.

    Raises:
        InputError: If it is too small, has a number missing, or has no classes to tell apart.
    """
    check_shapes(features, labels)
    if len(features) < 10:
        raise InputError(f"at least 10 rows are needed. Received: {len(features)}")
    order = np.random.default_rng(seed).permutation(len(features))
    validation, train = np.split(order, [len(features) // 5])
    check_finite(features)
    labels = as_classes(labels)
    return assemble(
        name,
        (features[train], features[validation]),
        (labels[train], labels[validation]),
        standardize,
    )


def assemble(
    name: str,
    features: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    standardize: bool,
) -> Dataset:
    """A dataset of rows to train on and rows to validate on.

    Args:
        name: What to call it in a report.
        features: Those to train on, those to validate on.
        labels: The same of the labels.
        standardize: Whether to standardize the features.

    Raises:
        InputError: If there are too few, one is missing, or there are no classes to tell apart.
    """
    for x, y in zip(features, labels, strict=True):
        check_shapes(x, y)
        if not len(x):
            raise InputError("at least one row is needed to train and to validate. Received: none")
        check_finite(x)
    if features[0].shape[1:] != features[1].shape[1:]:
        raise InputError(
            "all examples must have the same shape. Received: "
            f"{features[0].shape[1:]} to train and {features[1].shape[1:]} to validate"
        )
    both = np.concatenate([as_classes(label) for label in as_one_kind(labels)])
    classes, numbered = np.unique(both, return_inverse=True)
    train, validation = np.split(numbered.astype(np.int32), [len(labels[0])])
    if len(np.unique(train)) < 2:
        only = printable(classes[train[0]])
        raise InputError(f"at least two classes are needed. Received: only {only}")
    if len(classes) > len(both) // 2:
        raise InputError(
            f"the labels must be classes with several rows each. Received: {len(classes)} "
            f"different labels in {len(both)} rows"
        )
    prepared = standardized(*features) if standardize else [plain(part) for part in features]
    return Dataset(
        name=name,
        x_train=prepared[0],
        y_train=train,
        x_validation=prepared[1],
        y_validation=validation,
        classes=tuple(str(value) for value in classes),
        preparation=STANDARDIZED if standardize else AS_THEY_ARE,
    )


def check_shapes(features: np.ndarray, labels: np.ndarray) -> None:
    """Refuse what is not a row of numbers for each label."""
    if features.dtype.kind not in "biuf":
        raise InputError(f"the features are not numbers but {features.dtype}")
    if features.ndim < 2 or labels.ndim != 1 or len(features) != len(labels):
        raise InputError(
            "expected features of shape (rows, columns) and as many labels. "
            f"Received: features {features.shape} and labels {labels.shape}"
        )
    if 0 in features.shape[1:]:
        raise InputError("at least one feature is needed. Received: none")


def check_finite(features: np.ndarray) -> None:
    """Refuse missing and infinite numbers."""
    flat = features.reshape(len(features), -1)
    bad = np.argwhere(~np.isfinite(flat))
    if len(bad):
        row, column = bad[0] + 1
        raise InputError(
            f"every feature must be a finite number. Received: {flat[row - 1, column - 1]} in "
            f"row {row}, feature {column}"
        )


def standardized(train: np.ndarray, validation: np.ndarray) -> list[np.ndarray]:
    """Features with mean 0 and variance 1 over the rows to train on; 0 where all are the same."""
    train, validation = train.astype(np.float64), validation.astype(np.float64)
    with np.errstate(all="ignore"):
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        # The deviation of what never changes may be a rounding error in place of 0.
        deviation = np.where(train.min(axis=0) < train.max(axis=0), deviation, 1.0)
        parts = [((part - mean) / deviation).astype(np.float32) for part in (train, validation)]
    usable = np.isfinite(mean).all() and np.isfinite(deviation).all() and deviation.all()
    if not (usable and all(np.isfinite(part).all() for part in parts)):
        raise InputError("the features are too large, or too small, to be standardized: scale them")
    return parts


def plain(features: np.ndarray) -> np.ndarray:
    """Features as all backends take them: float32, uint8 or int32."""
    if features.dtype.kind == "f":
        with np.errstate(over="ignore"):
            single = features.astype(np.float32)
        if not np.isfinite(single).all():
            raise InputError("the features are too large for float32: scale them down")
        return single
    if features.dtype == np.uint8:
        return features
    limits = np.iinfo(np.int32)
    if features.dtype.kind != "b" and (features.min() < limits.min or features.max() > limits.max):
        raise InputError("features that are integers must fit into 32 bits")
    return features.astype(np.int32)


def as_one_kind(labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Labels to train on and labels to validate on, text if either is."""
    kinds = {part.dtype.kind for part in labels}
    if "b" in kinds and len(kinds) > 1:
        raise InputError(
            "the labels to train on and those to validate on must be of one type. Received: "
            f"{' and '.join(str(part.dtype) for part in labels)}"
        )
    return [text(part) for part in labels] if kinds & {"U", "S"} else list(labels)


def text(labels: np.ndarray) -> np.ndarray:
    """Labels as text."""
    if labels.dtype.kind != "S":
        return labels.astype(str)
    try:
        return np.char.decode(labels, "utf-8")
    except UnicodeDecodeError:
        raise InputError("the labels are bytes that are not text in UTF-8") from None


def as_classes(labels: np.ndarray) -> np.ndarray:
    """Labels as integers where all are whole numbers, as text where any is not a number."""
    if labels.dtype.kind not in "biufUS":
        raise InputError(f"the labels must be integers or text. Received: {labels.dtype}")
    if labels.dtype.kind in "iu" and labels.max(initial=0) <= np.iinfo(np.int64).max:
        return labels.astype(np.int64)
    words = text(labels)
    if any(not word for word in words):
        raise InputError(f"row {list(words).index('') + 1} has no label")
    if not all(is_number(word) for word in words):
        return words
    numbers = words.astype(np.float64)
    wrong = numbers[~np.isfinite(numbers) | (numbers != np.round(numbers))]
    if len(wrong):
        raise InputError(f"the labels must be classes: integers or text. Received: {wrong[0]:g}")
    # Larger ones, account numbers for example, would become equal by rounding.
    return numbers.astype(np.int64) if np.abs(numbers).max(initial=0) < EXACT else words
