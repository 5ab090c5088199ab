"""Numbers recorded from other libraries, which the tests compare ours with.

`python tests/record.py` writes them, so that whoever runs the tests need not install torch, optax
and schedulefree.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "recorded"
NAMES = ("optimizers", "schedules")


@cache
def load(name):
    """All recordings in a file: arrays by the call, or its arguments, that gave them."""
    with np.load(FOLDER / f"{name}.npz") as file:
        recorded = {key: file[key] for key in file.files}
    for array in recorded.values():
        array.setflags(write=False)
    return recorded


def key(**arguments):
    """Arguments as the name of a recording."""
    return json.dumps(arguments)


def recorded(name, what):
    """One recording.

    Args:
        name: Name of the file, without its ending.
        what: Its name in the file.
    """
    try:
        return load(name)[what]
    except KeyError:
        raise KeyError(f"{what} is not recorded. Run `python tests/record.py`.") from None
