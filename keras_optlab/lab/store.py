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
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, final

import keras

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.network import set_seed
from keras_optlab.lab.results import Arguments, Duel, Run, Search, Training, Trial, Tuning
from keras_optlab.lab.training import Task
from keras_optlab.lab.user_code import load_function
from keras_optlab.lab.versions import versions

FORMAT = 2
# Enough rows to tell one model from another.
PROBE = 64
Made = TypeVar("Made")
NAME = re.compile(r"[0-9a-f]{32}\.json")
# A run of a thousand epochs has about 100 kB.
SIZE_LIMIT = 32 * 2**20


@final
class Store:
    """The runs of one comparison, in files that are named by all that decides their numbers.

    The folder is made with the first one; without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.identity = {"format": FORMAT, **identity}
        self.damaged = 0

    def path(self, run: Run | Search) -> Path | None:
        """The file of a run; None where nothing is kept."""
        if self.folder is None:
            return None
        text = json.dumps({**self.identity, "run": dataclasses.asdict(run)}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"

    def load(self, run: Run | Search) -> Duel | Tuning | None:
        """The result of a run, or None if it is not there or its file is damaged."""
        path = self.path(run)
        if path is None or not path.is_file():
            return None
        try:
            if path.stat().st_size > SIZE_LIMIT:
                raise ValueError("too large")
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["checksum"] != checksum(content["result"]):
                raise ValueError("the checksum differs")
            found = (as_duel if isinstance(run, Run) else as_tuning)(content["result"])
            if found.run != run:
                raise ValueError("another run")
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            self.damaged += 1
            return None
        return found

    def save(self, result: Duel | Tuning) -> None:
        """Write the file of a run: all of it or, if interrupted, nothing."""
        path = self.path(result.run)
        if path is None:
            return
        values = dataclasses.asdict(result)
        content = {"made_with": self.identity, "result": values, "checksum": checksum(values)}
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
    """A `Duel` out of the dictionaries and lists of a file; an error if they are not one's."""
    built_in, difference = values["built_in"], values["weight_difference"]
    return Duel(
        run=made(Run, values["run"]),
        ours=made(Training, values["ours"]),
        built_in=None if built_in is None else made(Training, built_in),
        weight_difference=None if difference is None else float(difference),
    )


def as_tuning(values: dict[str, Any]) -> Tuning:
    """A `Tuning` out of the dictionaries and lists of a file, as `as_duel`."""
    trials, best = tuple(made(Trial, trial) for trial in values["trials"]), values["best"]
    if best is not None and not 0 <= int(best) < len(trials):
        raise ValueError("no such trial")
    return Tuning(made(Search, values["run"]), trials, None if best is None else int(best))


def made(kind: type[Made], values: dict[str, Any]) -> Made:
    """An instance of a dataclass whose fields are plain, with each field of its type."""
    fields = {field.name: field.type for field in dataclasses.fields(kind)}  # type: ignore
    if fields.keys() != values.keys():
        raise KeyError(f"expected {sorted(fields)}. Received: {sorted(values)}")
    return kind(**{name: FROM_JSON[fields[name]](value) for name, value in values.items()})


def as_arguments(pairs: list[list[Any]]) -> Arguments:
    """Names and values of arguments."""
    return tuple((str(name), float(value)) for name, value in pairs)


# How a value of a file becomes one of a field's type.
FROM_JSON: dict[Any, Callable[[Any], Any]] = {
    str: str,
    int: int,
    float: float,
    Arguments: as_arguments,
    tuple[float, ...]: lambda values: tuple(map(float, values)),
}


def identity(task: Task, model: keras.Model, seed: int) -> dict[str, Any]:
    """What decides the numbers of a comparison's runs; the model has weights of this seed."""
    return {
        "data": data_digest(task),
        "model": model_digest(task, model),
        "model_seed": seed,
        "epochs": task.epochs,
        "batch_size": task.batch_size,
        "built_in": task.built_in,
        "metric": dataclasses.asdict(task.metric),
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
    """A digest of a new model's weights and of what it computes from them; it is used up then."""
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
