"""Finished runs in a folder, so that an interrupted comparison goes on where it stopped.

`joblib.Memory` would not do: it has no checksums, so that a damaged number is taken as it is; its
files are pickles, which run code when they are loaded; and it stores a result where the function
runs, while runs of other processes and machines are to be kept here, in any order.
"""

import dataclasses
import hashlib
import inspect
import json
import os
import re
from pathlib import Path
from typing import Any, final

import keras

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.network import set_seed
from keras_optlab.lab.results import Duel, Run, Training
from keras_optlab.lab.training import Task
from keras_optlab.lab.user_code import load_function
from keras_optlab.lab.versions import versions

FORMAT = 1
# So many rows tell one model from another.
PROBE = 64
NAME = re.compile(r"[0-9a-f]{32}\.json")
# A run of a thousand epochs has about 100 kB.
SIZE_LIMIT = 32 * 2**20


@final
class Store:
    """The runs of one comparison, in files that are named by all that decides their numbers.

    Args:
        folder: Where the files are; it is made with the first one. None to keep nothing.
        identity: What decides the numbers, the run itself aside.
    """

    def __init__(self, folder: Path | None, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.identity = {"format": FORMAT, **identity}
        self.damaged = 0

    def path(self, run: Run) -> Path | None:
        """The file of a run; None where nothing is kept."""
        if self.folder is None:
            return None
        text = json.dumps({**self.identity, "run": dataclasses.asdict(run)}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"

    def load(self, run: Run) -> Duel | None:
        """The result of a run, or None if it is not there or its file is damaged."""
        path = self.path(run)
        if path is None or not path.is_file():
            return None
        try:
            if path.stat().st_size > SIZE_LIMIT:
                raise ValueError("too large")
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["checksum"] != checksum(content["duel"]):
                raise ValueError("the checksum differs")
            found = as_duel(content["duel"])
            if found.run != run:
                raise ValueError("another run")
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            self.damaged += 1
            return None
        return found

    def save(self, duel: Duel) -> None:
        """Write the file of a run: all of it or, if interrupted, nothing.

        Raises:
            InputError: If it cannot be written.
        """
        path = self.path(duel.run)
        if path is None:
            return
        values = dataclasses.asdict(duel)
        content = {"made_with": self.identity, "duel": values, "checksum": checksum(values)}
        unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(content) + "\n", encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            raise InputError(f"cannot write to {self.folder}: {error.strerror or error}") from None
        finally:
            unfinished.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete the files of all runs, those of other comparisons too."""
        if self.folder is None or not self.folder.is_dir():
            return
        for file in self.folder.iterdir():
            if NAME.fullmatch(file.name):
                file.unlink()


def checksum(values: dict[str, Any]) -> str:
    """What tells whether a file is as it was written."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def as_duel(values: dict[str, Any]) -> Duel:
    """A `Duel` out of the dictionaries and lists of a file.

    Raises:
        KeyError, TypeError, ValueError: If the values are not those of a duel.
    """
    run = values["run"]
    built_in, difference = values["built_in"], values["weight_difference"]
    return Duel(
        run=Run(str(run["kind"]), str(run["name"]), float(run["rate"]), int(run["seed"])),
        ours=as_training(values["ours"]),
        built_in=None if built_in is None else as_training(built_in),
        weight_difference=None if difference is None else float(difference),
    )


def as_training(values: dict[str, Any]) -> Training:
    """A `Training` out of a dictionary."""
    curves = ("validation_loss", "validation_accuracy", "training_loss")
    return Training(
        **{name: tuple(map(float, values[name])) for name in curves},
        step_seconds=float(values["step_seconds"]),
        stopped=str(values["stopped"]),
    )


def identity(task: Task, model: keras.Model, seed: int) -> dict[str, Any]:
    """What decides the numbers of a comparison's runs.

    Args:
        task: `Task`.
        model: A model of the task's, as it is built.
        seed: The seed of its weights.
    """
    return {
        "data": data_digest(task),
        "model": model_digest(task, model),
        "model_seed": seed,
        "epochs": task.epochs,
        "batch_size": task.batch_size,
        "built_in": task.built_in,
        "versions": versions(),
    }


def data_digest(task: Task) -> str:
    """A digest of all arrays of a dataset."""
    digest = hashlib.sha256()
    data = task.dataset
    for array in (data.x_train, data.y_train, data.x_validation, data.y_validation):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def model_digest(task: Task, model: keras.Model) -> str:
    """A digest of a model's initial weights, and of what it computes from them.

    Args:
        task: `Task`.
        model: A model of the task's, as it is built; what it notes while it trains, such as
            moving averages, is no longer that of a new one afterwards.
    """
    digest = hashlib.sha256()
    for variable, weight in zip(model.weights, model.get_weights(), strict=True):
        digest.update(f"{weight.dtype} {weight.shape} {variable.trainable}".encode())
        digest.update(weight.tobytes())
    if task.model is None:
        return digest.hexdigest()
    function = load_function(task.model, "--model") if isinstance(task.model, str) else task.model
    digest.update(code(function).encode())
    # Layers without weights, and those that are imported from elsewhere, show in the outputs;
    # dropout in those of training, regularizers in the losses.
    x = keras.ops.convert_to_tensor(task.dataset.x_train[:PROBE])
    set_seed(0)
    for training in (False, True):
        outputs = [model(x, training=training), *model.losses]
        digest.update(b"".join(to_numpy(one).tobytes() for one in outputs))
    return digest.hexdigest()


def code(function: Any) -> str:
    """The file that defines a function, or what can be had of its code."""
    parts: tuple[Any, ...] = (inspect.getmodule(function), function)
    for part in parts:
        try:
            return inspect.getsource(part)
        except (OSError, TypeError):
            continue
    return ""
