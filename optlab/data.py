"""The data that `--data` and `--label` name."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_optlab.lab.data import Dataset


def load(source: str | None, label: str | None, seed: int, standardize: bool) -> "Dataset":
    """The user's data, or the digits.

    Where it is a function that returns the data, `standardize` says whether to standardize the
    features, as those of files are.
    """
    from keras_optlab.lab import data
    from keras_optlab.lab.errors import InputError

    if source is None:
        if label is not None:
            raise InputError("--label names a column of --data, which is missing")
        return data.digits(seed)
    if ":" not in source or Path(source).suffix.lower() in data.READERS:
        return data.read(Path(source), label, seed)
    if label is not None:
        raise InputError("--label names a column of a file, and --data is a function")
    return data.call(source, seed, standardize)
