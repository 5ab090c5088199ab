"""Numbers recorded from other libraries, which the tests compare with ours.

`python tests/record.py` writes them, so that running the tests does not require torch, optax and
schedulefree.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "recorded"
NAMES = ("optimizers", "schedules")


@cache
def load(name):
    """Return all recordings in a file, by the call, or its arguments, that produced each."""
    with np.load(FOLDER / f"{name}.npz") as file:
        recorded = {key: file[key] for key in file.files}
    for array in recorded.values():
        array.setflags(write=False)
    return recorded


def key(**arguments):
    """Return arguments as the name of a recording."""
    return json.dumps(arguments)


def recorded(name, what):
    """Return one recording.

    Args:
        name: Name of the file, without the suffix.
        what: Name of the recording in the file.
    """
    try:
        return load(name)[what]
    except KeyError:
        raise KeyError(f"{what} is not recorded. Run `python tests/record.py`.") from None
