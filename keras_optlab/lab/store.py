"""Storage of finished runs, so that an interrupted comparison resumes where it stopped.

`joblib.Memory` does not fit: it has no checksums, so a damaged number would go unnoticed; its files
are pickles, which run code when they are loaded; and it stores a result where the function runs,
while runs of other processes and machines must be kept here, in any order.
"""

import contextlib
import dataclasses
import hashlib
import inspect
import json
import os
import typing
from pathlib import Path
from typing import Any, final

import keras
import numpy as np

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.network import set_seed
from keras_optlab.lab.results import Duel, Run, Tuning
from keras_optlab.lab.training import Task
from keras_optlab.lab.tuning import Outcome, Work
from keras_optlab.lab.user_code import load_function
from keras_optlab.lab.versions import versions

FORMAT = 3
# Enough rows to tell one model from another.
PROBE = 64


@final
class Store:
    """The runs of one comparison, in files named by a hash of all that decides their numbers.

    The folder is created with the first file; without a folder nothing is kept.
    """

    def __init__(self, folder: Path | None, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.identity = {"format": FORMAT, **identity}
        self.reused = self.damaged = 0

    def path(self, folder: Path, run: Work) -> Path:
        """Return the path of a run's file."""
        return folder / f"{digest({**self.identity, 'run': dataclasses.asdict(run)})[:32]}.json"

    def load(self, run: Work) -> Outcome | None:
        """Return the result of a run, or None if its file is missing or damaged."""
        if self.folder is None or not self.path(self.folder, run).is_file():
            return None
        try:
            content = json.loads(self.path(self.folder, run).read_text(encoding="utf-8"))
            if content["checksum"] != digest(content["result"]):
                raise ValueError("damaged")
            found = rebuilt(Duel if isinstance(run, Run) else Tuning, content["result"])
            if found.run != run:
                raise ValueError("of another run")
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            self.damaged += 1
            return None
        self.reused += 1
        return found

    def save(self, result: Outcome) -> None:
        """Write the file of a run atomically: if interrupted, nothing is written."""
        if self.folder is None:
            return
        values = dataclasses.asdict(result)
        content = {"made_with": self.identity, "result": values, "checksum": digest(values)}
        path = self.path(self.folder, result.run)
        unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_text(json.dumps(content) + "\n", encoding="utf-8")
            unfinished.replace(path)
        except OSError as error:
            raise InputError(f"cannot write to {self.folder}: {error.strerror or error}") from None
        finally:
            unfinished.unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete the files of all runs, including those of other comparisons."""
        for file in self.folder.glob("[0-9a-f]" * 32 + ".json") if self.folder else ():
            file.unlink()


def digest(*parts: Any) -> str:
    """Return a hash of arrays, text, or dictionaries that JSON can hold."""
    found = hashlib.sha256()
    for part in parts:
        array = np.asarray(json.dumps(part, sort_keys=True) if isinstance(part, dict) else part)
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def rebuilt(kind: Any, value: Any) -> Any:
    """Rebuild a value of a type from the dictionaries and lists that JSON holds for it."""
    if isinstance(value, dict):
        # The dataclass; the type may be a union of it and None.
        made: Any = next(filter(dataclasses.is_dataclass, (kind, *typing.get_args(kind))))
        types = typing.get_type_hints(made)
        return made(**{name: rebuilt(types[name], part) for name, part in value.items()})
    if isinstance(value, list):
        return tuple(rebuilt(typing.get_args(kind)[0], part) for part in value)
    return value


def identity(task: Task, model: keras.Model, seed: int) -> dict[str, Any]:
    """Return all that decides the numbers of a comparison's runs.

    The model has the initial weights of this seed; do not use it afterwards.
    """
    data = task.dataset
    parts: list[Any] = [*model.get_weights(), [one.trainable for one in model.weights]]
    if task.model is not None:
        source = task.model
        parts.append(code(load_function(source, "--model") if isinstance(source, str) else source))
        # Layers without weights, or imported from elsewhere, show in the outputs, dropout in the
        # training outputs, and regularizers in the losses.
        x = keras.ops.convert_to_tensor(data.x_train[:PROBE])
        set_seed(0)
        for training in (False, True):
            parts += map(to_numpy, [model(x, training=training), *model.losses])
    return {
        **vars(task),
        "dataset": digest(data.x_train, data.y_train, data.x_validation, data.y_validation),
        "model": digest(*parts),
        "metric": vars(task.metric),
        "model_seed": seed,
        "versions": versions(),
    }


def code(function: Any) -> str:
    """Return the source of a function's module, else of the function, else an empty string."""
    parts: tuple[Any, ...] = (inspect.getmodule(function), function)
    for part in parts:
        with contextlib.suppress(OSError, TypeError):
            return inspect.getsource(part)
    return ""
