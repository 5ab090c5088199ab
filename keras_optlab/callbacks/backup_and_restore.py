"""Atomic backups: complete or absent, no matter when the process is killed."""

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
    """Callback that resumes interrupted training from its last backup.

    `keras.callbacks.BackupAndRestore` overwrites its weights file, then the file that records which
    epoch the weights belong to. A process killed in between leaves half a file, or the weights of
    one epoch with the number of another, so the resumed run differs from an uninterrupted one. Here
    each backup is written to a new file, and renaming one small file makes it the current one.

    A resumed run ends with the same weights as an uninterrupted one, bit for bit on the same
    machine, if both see the same batches in each epoch: with data in a fixed order
    (`shuffle=False`), or in a custom order that depends only on the epoch. A backup contains the
    model and its optimizer: weights, slots, step count, hyperparameters, gradients accumulated so
    far, compensations and the counts of `PerformanceScheduling`. A backup also contains the state
    of random generators in layers such as `Dropout`, which Keras does not save in any file. The
    model must be built before `fit`.

    Args:
        backup_dir: String or path, the folder for the backups.
        save_freq: `"epoch"`, or an integer n >= 1 to save after every n batches and at the end of
            each epoch. From a backup made mid-epoch, `fit` resumes at the start of that epoch and
            goes through all of its data again: nothing is lost, but the run differs from an
            uninterrupted one. Defaults to `"epoch"`.
        double_checkpoint: Boolean, whether to also keep the previous backup, which is used if the
            last one cannot be read, for example after a disk fault. Defaults to `False`.
        delete_checkpoint: Boolean, whether to delete the folder when training completes. Defaults
            to `True`.

    All arguments and defaults are those of `keras.callbacks.BackupAndRestore`.

    Raises:
        ValueError: For an argument outside its range; when training begins, if the model is not
            built, or if the backup is from another model or optimizer.
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
        """Load the last backup, if there is one, and make `fit` start at its epoch."""
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
        """Return the index entries of all backups, latest first."""
        index = Path(self.backup_dir, INDEX)
        return json.loads(index.read_text()) if index.exists() else []

    def restore(self, backup: dict[str, Any]) -> None:
        """Load one backup."""
        model = self.model
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        with warnings.catch_warnings():
            # An optimizer without its saved state would not continue the interrupted run.
            warnings.simplefilter("error", SkippedState)
            model.load_weights(Path(self.backup_dir, backup["weights"]))
        set_random_state(model, backup["random_state"])
        self.epoch = backup["epoch"]
        start_at_epoch(model, self.epoch)

    # Saving

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Save a backup if one is due."""
        self.batches += 1
        if isinstance(self.save_freq, int) and self.batches % self.save_freq == 0:
            self.save()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save a backup that resumes at the next epoch."""
        self.epoch = epoch + 1
        self.save()

    def save(self) -> None:
        """Write a backup, make it the current one, and delete those no longer needed."""
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
        """Delete the backups of completed training if `delete_checkpoint` is true."""
        if self.delete_checkpoint:
            shutil.rmtree(self.backup_dir, ignore_errors=True)


def random_state(model: keras.Model) -> dict[str, Any]:
    """Return the state of all random generators that layers such as `Dropout` draw from."""
    return {
        "layers": [np.array(state).tolist() for state in seed_variables(model)],
        "backend": backend.random_state(),
    }


def set_random_state(model: keras.Model, state: dict[str, Any]) -> None:
    """Restore what `random_state` returned."""
    for variable, value in zip(seed_variables(model), state["layers"], strict=True):
        variable.assign(np.array(value, keras.backend.standardize_dtype(variable.dtype)))
    backend.set_random_state(state["backend"])


def seed_variables(model: keras.Model) -> list[keras.Variable]:
    """Return the variables of a model's random generators, which Keras saves in no file."""
    saved = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in saved]


def flush(file: Path) -> None:
    """Force the contents of a file to disk, before anything refers to it by name."""
    with open(file, "rb+") as handle:
        os.fsync(handle.fileno())
