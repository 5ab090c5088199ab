"""Data to train on: scikit-learn's digits, or user data from a file, a function or arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from keras_optlab.lab.errors import InputError
from keras_optlab.lab.tables import READERS, check_numbers, is_number, printable, read_table
from keras_optlab.lab.user_code import call, load_function

CLASSIFICATION = "classification"
REGRESSION = "regression"
TASKS = (CLASSIFICATION, REGRESSION)

# Classes have at least two rows each, on average. If no task is given, integers need this many to
# be taken as classes: rarer ones may be numbers to predict.
FEW = 3
# Up to here, float64 can tell all integers apart.
EXACT = 2**53


@final
@dataclass(frozen=True)
class Dataset:
    """Features and what to predict from them: classes or numbers."""

    name: str
    # Of shape (rows, ...); float32 if they are standardized.
    x_train: np.ndarray
    # Labels counted from 0, int32 of shape (rows,); or targets, float32 of shape (rows, ...).
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    classes: tuple[str, ...]  # What each label stands for; empty for regression
    preparation: str  # What was done to the features and targets, in words

    @property
    def is_regression(self) -> bool:
        """Whether the targets are numbers."""
        return not self.classes


def load(
    source: str | None, label: str | None, seed: int, standardize: bool, task: str | None = None
) -> Dataset:
    """Load the dataset that `--data` and `--label` name: a file, a function or the digits.

    Features from files are standardized regardless of `standardize`.
    """
    is_function = source and ":" in source and Path(source).suffix.lower() not in READERS
    if label is not None and (source is None or is_function):
        raise InputError(f"--label names a column of a file. Received: --data {source}")
    if source is None:
        return digits(seed, task)
    if not is_function:
        return read(Path(source), label, seed, task, scale_targets=standardize)
    arrays = call(load_function(source, "--data"), f"--data: {source}")
    try:
        return from_arrays(source, arrays, seed, standardize, task)
    except InputError as error:
        raise InputError(f"--data: {source}: {error}") from None


def digits(seed: int, task: str | None = None) -> Dataset:
    """Load scikit-learn's 1,797 handwritten digits of 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    arrays = load_digits(return_X_y=True)
    return from_arrays("scikit-learn's digits", arrays, seed, standardize=True, task=task)


def read(
    path: Path, label: str | None, seed: int, task: str | None = None, scale_targets: bool = True
) -> Dataset:
    """Read a dataset from a .npz or .csv file, with standardized features; see `from_arrays`.

    `label` names the array or column with the labels or targets. If it is None, that is the one
    with a name listed in `tables`, or else the last column.
    """
    if path.suffix.lower() not in READERS:
        raise InputError(
            f"--data takes a .npz or .csv file, or module:function. Received: {printable(path)}"
        )
    try:
        arrays = read_table(path, label)
        return from_arrays(path.name, arrays, seed, True, task, scale_targets)
    except InputError as error:
        raise InputError(f"{printable(path)}: {error}") from None


def from_arrays(
    name: str,
    arrays: Any,
    seed: int,
    standardize: bool,
    task: str | None = None,
    scale_targets: bool | None = None,
) -> Dataset:
    """Build a dataset from `(x, y)` or `(x_train, y_train, x_validation, y_validation)`.

    With `(x, y)`, a random fifth of the rows, drawn with the seed, is used for validation.
    `standardize` applies to features and, unless `scale_targets` says otherwise, to regression
    targets. If the task is None, it is regression if any of `y` is not a whole number.
    """
    if not isinstance(arrays, (tuple, list)) or len(arrays) not in (2, 4):
        size = f" of {len(arrays)}" if isinstance(arrays, (tuple, list)) else ""
        raise InputError(
            "expected (x, y) or (x_train, y_train, x_validation, y_validation). "
            f"Received: {type(arrays).__name__}{size}"
        )
    parts = call(lambda: [np.asarray(array) for array in arrays], "converting the data to arrays")
    features, labels = parts[0::2], parts[1::2]
    check_shapes(features, labels)
    targets = as_targets(labels, task)
    if len(features) == 1:
        order = np.random.default_rng(seed).permutation(len(targets))
        validation, train = np.split(order, [len(targets) // 5])
        features = [features[0][train], features[0][validation]]
        targets = [targets[train], targets[validation]]
    else:
        targets = np.split(targets, [len(labels[0])])
    preparation = "each feature standardized" if standardize else "features unscaled"
    classes: tuple[str, ...] = ()
    if targets[0].dtype == np.float64:
        if (targets[0] == targets[0][0]).all():
            raise InputError(f"the targets must differ. Received: {targets[0][0]} in every row")
        scale_targets = standardize if scale_targets is None else scale_targets
        targets = (standardized if scale_targets else in_32_bits)(targets, "targets")
        preparation += f", targets {'standardized' if scale_targets else 'unscaled'}"
    else:
        classes, targets = numbered(targets, task)
    features = (standardized if standardize else in_32_bits)(features, "features")
    return Dataset(name, features[0], targets[0], features[1], targets[1], classes, preparation)


def check_shapes(features: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> None:
    """Refuse features that are not one row of finite numbers per label, and mismatched shapes."""
    for x, y in zip(features, labels, strict=True):
        if (
            x.dtype.kind not in "biuf"
            or x.ndim < 2
            or y.ndim < 1
            or len(x) != len(y)
            or 0 in x.shape[1:]
        ):
            raise InputError(
                "expected numeric features of shape (rows, columns, ...) and one label per row. "
                f"Received: features of shape {x.shape} and type {x.dtype}, labels of shape "
                f"{y.shape}"
            )
        least, needed = (10, "10 rows are") if len(features) == 1 else (1, "one row is")
        if len(x) < least:
            raise InputError(f"at least {needed} needed. Received: {len(x)}")
        check_numbers(x, "feature")
    for what, parts in (("examples", features), ("targets", labels)):
        if parts[0].shape[1:] != parts[-1].shape[1:]:
            raise InputError(
                f"all {what} must have the same shape. Received: "
                f"{parts[0].shape[1:]} for training and {parts[-1].shape[1:]} for validation"
            )


def as_targets(labels: Sequence[np.ndarray], task: str | None) -> np.ndarray:
    """Return numbers to predict as float64, or classes as integers, booleans or text."""
    kinds = {part.dtype.kind for part in labels}
    if not kinds <= set("biufUS") or ("b" in kinds and len(kinds) > 1):
        types = " and ".join(str(part.dtype) for part in labels)
        raise InputError(f"the labels must be numbers or text, of one type. Received: {types}")
    if "S" in kinds or len(kinds) > 1:
        labels = [as_text(part) for part in labels]
    together = np.concatenate(labels)
    is_numeric = together.dtype.kind != "U" or all(map(is_number, together.flat))
    numbers = together.astype(np.float64) if is_numeric else np.zeros(0)
    finite = numbers[np.isfinite(numbers)]
    if task == REGRESSION or (task is None and (finite != np.round(finite)).any()):
        for part in labels:
            check_numbers(part, "target")
        return numbers
    if together.ndim != 1:
        raise InputError(
            f"expected one label per row. Received: labels of shape {together.shape}; to predict "
            "numbers, set the task to regression"
        )
    if together.dtype.kind == "U" and not all(together):
        raise InputError(f"row {together.tolist().index('') + 1} has no label")
    if not is_numeric or together.dtype.kind in "biu":
        return together
    wrong = numbers[~np.isfinite(numbers) | (numbers != np.round(numbers))]
    if len(wrong):
        raise InputError(f"the labels must be classes: integers or text. Received: {wrong[0]:g}")
    # Rounding would make larger ones equal, account numbers for example.
    return numbers.astype(np.int64) if np.abs(numbers).max() < EXACT else as_text(together)


def as_text(labels: np.ndarray) -> np.ndarray:
    """Return labels as text; bytes that are not UTF-8 are escaped."""
    is_bytes = labels.dtype.kind == "S"
    return np.char.decode(labels, "utf-8", "backslashreplace") if is_bytes else labels.astype(str)


def numbered(
    labels: Sequence[np.ndarray], task: str | None
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """Return the classes, and the labels as class numbers."""
    both = np.concatenate(labels)
    classes, numbers = np.unique(both, return_inverse=True)
    train, validation = np.split(numbers.astype(np.int32), [len(labels[0])])
    if (train == train[0]).all():
        only = printable(classes[train[0]])
        raise InputError(f"at least two classes are needed. Received: only {only}")
    rows_each = FEW if task is None and both.dtype.kind in "iu" else 2
    if len(classes) > len(both) // rows_each:
        raise InputError(
            f"found {len(classes)} different labels in {len(both)} rows: set the task to "
            "regression if they are numbers to predict, or to classification if they are classes, "
            "with at least two rows each on average"
        )
    return tuple(str(value) for value in classes), [train, validation]


def standardized(parts: Sequence[np.ndarray], what: str) -> list[np.ndarray]:
    """Scale columns to mean 0 and variance 1 over the training rows; constant ones become 0."""
    train, validation = (part.astype(np.float64) for part in parts)
    with np.errstate(all="ignore"):
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        # The deviation of a constant column may be a rounding error, not 0.
        deviation = np.where(train.min(axis=0) < train.max(axis=0), deviation, 1.0)
        scaled = [((part - mean) / deviation).astype(np.float32) for part in (train, validation)]
    if not all(np.isfinite(part).all() for part in (deviation, *scaled)):
        raise InputError(f"the {what} are too large, or too small, to be standardized: scale them")
    return scaled


def in_32_bits(parts: Sequence[np.ndarray], what: str) -> list[np.ndarray]:
    """Convert numbers to types that all backends take: float32, uint8 or int32."""
    kept = []
    for part in parts:
        dtype = np.dtype("float32" if part.dtype.kind == "f" else "int32")
        with np.errstate(all="ignore"):
            kept.append(part if part.dtype == np.uint8 else part.astype(dtype))
        if not np.isfinite(kept[-1]).all() or (dtype == np.int32 and (kept[-1] != part).any()):
            raise InputError(f"the {what} are too large for {dtype}: scale them down")
    return kept
