"""Data to train on: scikit-learn's digits, or the user's own, from a file, function or arrays."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from keras_optlab.lab.errors import InputError
from keras_optlab.lab.tables import SHOWN, is_number, printable, read_csv, read_npz
from keras_optlab.lab.user_code import load_function

READERS = {".npz": read_npz, ".csv": read_csv}
CLASSIFICATION = "classification"
REGRESSION = "regression"
TASKS = (CLASSIFICATION, REGRESSION)
STANDARDIZED = "each feature standardized"
AS_THEY_ARE = "features as they are"

# Whole numbers of which each occurs less often may be meant as numbers, not as classes.
FEW = 3
# Up to here every integer is a float64 of its own.
EXACT = 2**53


@final
@dataclass(frozen=True)
class Dataset:
    """Features, and what is to be learned of them: classes or numbers.

    Args:
        name: What to call it in a report.
        x_train: Features to train on, of shape (rows, ...); float32 if they are standardized.
        y_train: Labels counted from 0, int32 of shape (rows,); or targets, float32 of shape
            (rows, ...).
        x_validation: Features to validate on.
        y_validation: Their labels or targets.
        classes: What each label stands for; empty for regression.
        preparation: What was done to the features and targets, in words.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    classes: tuple[str, ...]
    preparation: str = STANDARDIZED

    @property
    def is_regression(self) -> bool:
        """Whether the targets are numbers."""
        return not self.classes


def load(
    source: str | None, label: str | None, seed: int, standardize: bool, task: str | None = None
) -> Dataset:
    """The dataset that `--data` and `--label` name: of a file, of a function, or the digits.

    The features of files are standardized whatever `standardize` says.
    """
    if source is None:
        if label is not None:
            raise InputError("--label names a column of --data, which is missing")
        return digits(seed, task)
    if ":" not in source or Path(source).suffix.lower() in READERS:
        return read(Path(source), label, seed, task, scale_targets=standardize)
    if label is not None:
        raise InputError("--label names a column of a file, and --data is a function")
    return call(source, seed, standardize, task)


def digits(seed: int, task: str | None = None) -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels, from scikit-learn."""
    from sklearn.datasets import load_digits

    arrays: Any = load_digits(return_X_y=True)
    features, labels = arrays
    return split("scikit-learn's digits", features, labels, seed, task=task)


def read(
    path: Path, label: str | None, seed: int, task: str | None = None, scale_targets: bool = True
) -> Dataset:
    """A dataset from a file: its name ends in .npz or .csv.

    Args:
        path: The file. An npz has the arrays `x` (or `features`) and `y` (or `labels`); a csv
            has one example a line, with or without a line of column names first.
        label: Name of the array or column with the labels or targets. None for one called
            `label`, `target` or `y`, or else the last column.
        seed: Decides which fifth of the rows validates.
        task: See `from_arrays`.
        scale_targets: Whether the targets of a regression are standardized.

    Raises:
        InputError: If there is no such file, or nothing in it to train on.
    """
    if path.suffix.lower() not in READERS:
        raise InputError(
            f"--data takes a .npz or .csv file, or module:function. Received: {printable(path)}"
        )
    try:
        features, labels = READERS[path.suffix.lower()](path, label)
        return split(path.name, features, labels, seed, True, task, scale_targets)
    except InputError as error:
        raise InputError(f"{printable(path)}: {error}") from None
    except UnicodeDecodeError:
        reason: Any = "it is not text in UTF-8"
    except MemoryError:
        reason = "it does not fit into memory"
    except OSError as error:
        reason = error.strerror or error
    except csv.Error as error:
        reason = error
    raise InputError(f"cannot read {printable(path)}: {reason}")


def call(spec: str, seed: int, standardize: bool, task: str | None = None) -> Dataset:
    """A dataset from what `module:function` returns; the other arguments as in `from_arrays`."""
    function: Callable[[], Any] = load_function(spec, "--data")
    try:
        arrays = function()
    except Exception as error:
        raise InputError(f"--data: {spec} failed: {type(error).__name__}: {error}") from error
    try:
        return from_arrays(spec, arrays, seed, standardize, task)
    except InputError as error:
        raise InputError(f"--data: {spec}: {error}") from None


def from_arrays(
    name: str, arrays: Any, seed: int, standardize: bool, task: str | None = None
) -> Dataset:
    """A dataset from arrays.

    Args:
        name: What to call it in a report.
        arrays: `(x, y)`, of which a fifth of the rows, at random, validates, or
            `(x_train, y_train, x_validation, y_validation)`.
        seed: Decides which fifth.
        standardize: Whether the features, and the targets of a regression, are standardized, for a
            model that does not do it.
        task: `"classification"` or `"regression"`. None for regression if any of `y` is a number
            that is not whole, and classification otherwise.

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
        return split(name, features, labels, seed, standardize, task)
    return assemble(name, parts[0::2], parts[1::2], standardize, task)


def as_array(value: Any) -> np.ndarray:
    """An array of a tensor, a list of rows or an array."""
    try:
        return np.asarray(value)
    except Exception as error:
        raise InputError(
            f"expected arrays. Received: {type(value).__name__}, of which NumPy says {error}"
        ) from None


def split(
    name: str,
    features: np.ndarray,
    labels: np.ndarray,
    seed: int,
    standardize: bool = True,
    task: str | None = None,
    scale_targets: bool | None = None,
) -> Dataset:
    """Check a table, and keep a random fifth of it for validation; see `from_arrays`.

    Targets are standardized where features are, unless `scale_targets` says otherwise.
    """
    check_shapes(features, labels)
    if len(features) < 10:
        raise InputError(f"at least 10 rows are needed. Received: {len(features)}")
    order = np.random.default_rng(seed).permutation(len(features))
    validation, train = np.split(order, [len(features) // 5])
    # Checked as a whole, so that an error names the row of the table.
    check_finite(features, "feature")
    (targets,) = as_targets([labels], task)
    xs, ys = ([part[train], part[validation]] for part in (features, targets))
    return assemble(name, xs, ys, standardize, task, scale_targets)


def assemble(
    name: str,
    features: Sequence[np.ndarray],
    labels: Sequence[np.ndarray],
    standardize: bool,
    task: str | None = None,
    scale_targets: bool | None = None,
) -> Dataset:
    """A dataset of rows to train on and rows to validate on; the arguments are those of `split`."""
    for x, y in zip(features, labels, strict=True):
        check_shapes(x, y)
        if not len(x):
            raise InputError("at least one row is needed to train and to validate. Received: none")
        check_finite(x, "feature")
    for what, (train, validation) in (("examples", features), ("targets", labels)):
        if train.shape[1:] != validation.shape[1:]:
            raise InputError(
                f"all {what} must have the same shape. Received: "
                f"{train.shape[1:]} to train and {validation.shape[1:]} to validate"
            )
    scale_targets = standardize if scale_targets is None else scale_targets
    targets = as_targets(labels, task)
    preparation = STANDARDIZED if standardize else AS_THEY_ARE
    classes: tuple[str, ...] = ()
    if targets[0].dtype == np.float64:
        if (targets[0] == targets[0][0]).all():
            raise InputError(f"the targets must differ. Received: {targets[0][0]} in every row")
        targets = (standardized if scale_targets else plain)(*targets, what="targets")
        preparation += f", targets {'standardized' if scale_targets else 'as they are'}"
    else:
        classes, targets = numbered(targets, task)
    prepared = (standardized if standardize else plain)(*features, what="features")
    return Dataset(
        name=name,
        x_train=prepared[0],
        y_train=targets[0],
        x_validation=prepared[1],
        y_validation=targets[1],
        classes=classes,
        preparation=preparation,
    )


def numbered(
    labels: Sequence[np.ndarray], task: str | None
) -> tuple[tuple[str, ...], list[np.ndarray]]:
    """The classes, and labels as their numbers."""
    both = np.concatenate(labels)
    classes, numbers = np.unique(both, return_inverse=True)
    train, validation = np.split(numbers.astype(np.int32), [len(labels[0])])
    if len(np.unique(train)) < 2:
        only = printable(classes[train[0]])
        raise InputError(f"at least two classes are needed. Received: only {only}")
    if len(classes) > len(both) // 2:
        raise InputError(
            f"the labels must be classes with several rows each. Received: {len(classes)} "
            f"different labels in {len(both)} rows; if they are numbers to predict, the task is "
            "regression"
        )
    if task is None and both.dtype.kind == "i" and len(classes) > len(both) // FEW:
        raise InputError(
            f"there are {len(classes)} different whole numbers in {len(both)} rows: say by the "
            "task whether they are classes (classification) or numbers to predict (regression)"
        )
    return tuple(str(value) for value in classes), [train, validation]


def check_shapes(features: np.ndarray, labels: np.ndarray) -> None:
    """Refuse what is not a row of numbers for each label."""
    if features.dtype.kind not in "biuf":
        raise InputError(f"the features are not numbers but {features.dtype}")
    if features.ndim < 2 or labels.ndim < 1 or len(features) != len(labels):
        raise InputError(
            "expected features of shape (rows, columns) and as many labels. "
            f"Received: features {features.shape} and labels {labels.shape}"
        )
    if 0 in features.shape[1:]:
        raise InputError("at least one feature is needed. Received: none")


def check_finite(array: np.ndarray, what: str) -> None:
    """Refuse missing and infinite numbers."""
    flat = array.reshape(len(array), -1)
    bad = np.argwhere(~np.isfinite(flat))
    if len(bad):
        row, column = bad[0] + 1
        raise InputError(
            f"every {what} must be a finite number. Received: {flat[row - 1, column - 1]} in "
            f"row {row}, {what} {column}"
        )


def standardized(train: np.ndarray, validation: np.ndarray, what: str) -> list[np.ndarray]:
    """Numbers with mean 0 and variance 1 over the rows to train on; 0 where all are the same."""
    train, validation = train.astype(np.float64), validation.astype(np.float64)
    with np.errstate(all="ignore"):
        mean, deviation = train.mean(axis=0), train.std(axis=0)
        # The deviation of what never changes may be a rounding error, not 0.
        deviation = np.where(train.min(axis=0) < train.max(axis=0), deviation, 1.0)
        parts = [((part - mean) / deviation).astype(np.float32) for part in (train, validation)]
    usable = np.isfinite(mean).all() and np.isfinite(deviation).all() and deviation.all()
    if not (usable and all(np.isfinite(part).all() for part in parts)):
        raise InputError(f"the {what} are too large, or too small, to be standardized: scale them")
    return parts


def plain(train: np.ndarray, validation: np.ndarray, what: str) -> list[np.ndarray]:
    """Numbers as all backends take them."""
    return [in_32_bits(part, what) for part in (train, validation)]


def in_32_bits(array: np.ndarray, what: str) -> np.ndarray:
    """Numbers as float32, uint8 or int32."""
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            rounded = array.astype(np.float32)
        if not np.isfinite(rounded).all():
            raise InputError(f"the {what} are too large for float32: scale them down")
        return rounded
    if array.dtype == np.uint8:
        return array
    limits = np.iinfo(np.int32)
    if array.dtype.kind != "b" and (array.min() < limits.min or array.max() > limits.max):
        raise InputError(f"{what} that are integers must fit into 32 bits")
    return array.astype(np.int32)


def as_targets(labels: Sequence[np.ndarray], task: str | None) -> list[np.ndarray]:
    """Numbers to predict as float64, or classes as integers or text."""
    labels = as_one_kind(labels)
    if task is None and any(has_fractions(part) for part in labels):
        task = REGRESSION
    return [as_numbers(part) if task == REGRESSION else as_classes(part) for part in labels]


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


def has_fractions(labels: np.ndarray) -> bool:
    """Whether all are numbers, in text or not, and not all whole: no classes."""
    if labels.dtype.kind not in "fU" or not all_numbers(labels):
        return False
    numbers = labels.astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    return bool((numbers != np.round(numbers)).any())


def all_numbers(labels: np.ndarray) -> bool:
    """Whether there is no text that is not a number."""
    return labels.dtype.kind != "U" or all(map(is_number, labels.flat))


def as_numbers(targets: np.ndarray) -> np.ndarray:
    """Targets as float64."""
    if targets.dtype.kind not in "biufU":
        raise InputError(f"the targets must be numbers. Received: {targets.dtype}")
    if not all_numbers(targets):
        wrong = next(item for item in targets.flat if not is_number(item))
        raise InputError(f"the targets must be numbers. Received: {printable(wrong)[:SHOWN]!r}")
    numbers = targets.astype(np.float64)
    check_finite(numbers, "target")
    return numbers


def as_classes(labels: np.ndarray) -> np.ndarray:
    """Labels as integers where all are whole numbers, as text where any is not a number."""
    if labels.ndim != 1:
        raise InputError(
            f"expected one label a row. Received: labels {labels.shape}; if they are numbers to "
            "predict, the task is regression"
        )
    if labels.dtype.kind not in "biufUS":
        raise InputError(f"the labels must be integers or text. Received: {labels.dtype}")
    if labels.dtype.kind in "iu" and labels.max(initial=0) <= np.iinfo(np.int64).max:
        return labels.astype(np.int64)
    words = text(labels)
    if any(not word for word in words):
        raise InputError(f"row {list(words).index('') + 1} has no label")
    if not all_numbers(words):
        return words
    numbers = words.astype(np.float64)
    wrong = numbers[~np.isfinite(numbers) | (numbers != np.round(numbers))]
    if len(wrong):
        raise InputError(f"the labels must be classes: integers or text. Received: {wrong[0]:g}")
    # Larger ones, account numbers for example, would become equal by rounding.
    return numbers.astype(np.int64) if np.abs(numbers).max(initial=0) < EXACT else words
