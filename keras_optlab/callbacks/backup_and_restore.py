"""Atomic backups: complete or absent, whenever the process is killed."""

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any, final

import keras
import numpy as np

from keras_optlab.arguments.declaration import Declared, argument
from keras_optlab.arguments.domain import Boolean, FilePath, Integer, WordOr
from keras_optlab.backends import backend
from keras_optlab.engine.saved_state import SkippedState
from keras_optlab.keras_glue.hooks import start_at_epoch
from keras_optlab.keras_glue.types import Callback

INDEX = "backup.json"


@final
class BackupAndRestore(Declared, Callback):
    """Goes on with a training that was interrupted, from its last backup.

    `keras.callbacks.BackupAndRestore` overwrites its weights file, then the file that says which
    epoch they are of. A process that is killed in between leaves half a file, or the weights of
    one epoch with the number of another: the resumed run is another run. Here a backup is written
    to a new file, and becomes the current one by the renaming of one small file.

    The resumed run ends with the same weights as one without interruption, bit for bit on the same
    machine, if the batches of an epoch are the same in both: with data in a fixed order
    (`shuffle=False`) or a custom order that depends on the epoch alone. What is saved is the
    model with its optimizer: weights, slots, step count, hyperparameters, gradients accumulated so
    far, compensations, what `PerformanceScheduling` has counted; and the random generators of its
    layers, such as `Dropout`, which no file of Keras holds. The model has to be built before `fit`.

    Args:
        backup_dir: String or path, the folder of the backups.
        save_freq: `"epoch"`, or an integer n >= 1: after every n batches, and at the end of each
            epoch. From a backup made within an epoch, `fit` resumes at that epoch's start, and goes
            through all of its data again: nothing is lost, but it is another run. Defaults to
            `"epoch"`.
        double_checkpoint: Boolean. True keeps the backup before the last one too, and takes it if
            the last cannot be read, should the disk be at fault. Defaults to `False`.
        delete_checkpoint: Boolean, whether the folder is deleted when training has come to its
            end. Defaults to `True`.

    All arguments and defaults are those of `keras.callbacks.BackupAndRestore`.

    Raises:
        ValueError: For an argument outside its range; when training begins, if the model is not
            built, or if the backup is that of another model or optimizer.
        TypeError: For an argument of another type.
        OSError: When training begins, if no backup can be read.

    Source: `keras.callbacks.BackupAndRestore`.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras_optlab.optimizers.Adam(), loss="mse")
    >>> backup = keras_optlab.callbacks.BackupAndRestore("backup")
    >>> data = keras.ops.ones((20, 1))
    >>> _ = model.fit(data, data, epochs=5, verbose=0, shuffle=False, callbacks=[backup])
    """

    backup_dir: Path = argument(FilePath())
    save_freq: str | int = argument(WordOr("epoch", Integer(low=1)), default="epoch")
    double_checkpoint: bool = argument(Boolean(), default=False)
    delete_checkpoint: bool = argument(Boolean(), default=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for name, value in self.bind(args, kwargs).items():
            setattr(self, name, value)
        self.epoch = 0
        self.batches = 0

    # Restoring

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Load the last backup, if there is one, and have `fit` begin at its epoch."""
        if not self.model.built:
            raise ValueError(
                "BackupAndRestore can restore only a model that is built. Received: "
                f"{self.model!r}, which is not. Give it an `Input`, or call it on a batch."
            )
        self.epoch = self.batches = 0
        saved = self.backups()
        for number, backup in enumerate(saved, 1):
            try:
                self.restore(backup)
                return
            except OSError:
                if number == len(saved):
                    raise

    def backups(self) -> list[dict[str, Any]]:
        """What the index says of each backup, the last one first."""
        index = Path(self.backup_dir, INDEX)
        return json.loads(index.read_text()) if index.exists() else []

    def restore(self, backup: dict[str, Any]) -> None:
        """Load one backup."""
        model = self.model
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        with warnings.catch_warnings():
            # Without its state, the optimizer would not go on with the run that was killed.
            warnings.simplefilter("error", SkippedState)
            model.load_weights(Path(self.backup_dir, backup["weights"]))
        set_random_state(model, backup["random_state"])
        self.epoch = backup["epoch"]
        start_at_epoch(model, self.epoch)

    # Saving

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, if it is time."""
        self.batches += 1
        if isinstance(self.save_freq, int) and self.batches % self.save_freq == 0:
            self.save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, with the epoch that comes next."""
        self.epoch = epoch + 1
        self.save()

    def save(self) -> None:
        """Write a backup, make it the current one, and delete those that are no longer needed."""
        folder = Path(self.backup_dir)
        folder.mkdir(parents=True, exist_ok=True)
        kept = self.backups()[: 1 if self.double_checkpoint else 0]
        number = max((backup["number"] for backup in self.backups()), default=0) + 1
        weights = folder / f"backup-{number}.weights.h5"
        self.model.save_weights(weights, overwrite=True)
        flush(weights)
        new = {
            "number": number,
            "weights": weights.name,
            "epoch": self.epoch,
            "random_state": random_state(self.model),
        }
        written = folder / f"{INDEX}.new"
        written.write_text(json.dumps([new, *kept]))
        flush(written)
        os.replace(written, folder / INDEX)
        needed = {new["weights"], *(backup["weights"] for backup in kept)}
        for file in folder.glob("backup-*.weights.h5"):
            if file.name not in needed:
                file.unlink()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Delete the backups of a training that has come to its end."""
        if self.delete_checkpoint:
            shutil.rmtree(self.backup_dir, ignore_errors=True)


def random_state(model: keras.Model) -> dict[str, Any]:
    """The random generators that a model's layers draw from, such as `Dropout`'s."""
    return {
        "layers": [np.array(state).tolist() for state in seed_variables(model)],
        "backend": backend.random_state(),
    }


def set_random_state(model: keras.Model, state: dict[str, Any]) -> None:
    """Put back what `random_state` returned."""
    for variable, value in zip(seed_variables(model), state["layers"], strict=True):
        variable.assign(np.array(value, keras.backend.standardize_dtype(variable.dtype)))
    backend.set_random_state(state["backend"])


def seed_variables(model: keras.Model) -> list[keras.Variable]:
    """The states of a model's random generators, which are variables, but in no file of Keras."""
    saved = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in saved]


def flush(file: Path) -> None:
    """Have the contents of a file on the disk before its name is."""
    with open(file, "rb+") as handle:
        os.fsync(handle.fileno())
