"""Train to the end in processes that are killed and resumed again and again.

Run as a script, because a process that has trained cannot be forked (except with torch on one
thread). This one imports everything and forks a process for each attempt.

    python killed_training.py FOLDER KILLS
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np

import keras_optlab

EPOCHS = 70

random.seed(0)
X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")


class Announce(keras.callbacks.Callback):
    """Signals the start of training and the end of each batch to the parent process."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def tell(self):
        if self.pipe is not None:
            os.write(self.pipe, b"x")

    def on_train_begin(self, logs=None):
        self.tell()

    def on_train_batch_end(self, batch, logs=None):
        self.tell()


def train(backup, result, pipe=None, epochs=EPOCHS):
    """Train to the end, resuming from the backup if it exists."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, "relu", dtype="bfloat16"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(4, dtype="float32"),
    ]
    model = keras.Sequential(layers)
    # An update takes three batches, an epoch two: most backups fall in the middle of an update.
    optimizer = keras_optlab.optimizers.Nadam(1e-3, use_ema=True, gradient_accumulation_steps=3)
    model.compile(optimizer, "mse")
    callbacks = [
        Announce(pipe),
        keras_optlab.callbacks.OneCycle(1e-2),
        keras_optlab.callbacks.BackupAndRestore(backup),
    ]
    fit = {"batch_size": 8, "epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(X, X[:, ::-1], callbacks=callbacks, **fit)
    np.savez(result, *[np.asarray(weight, "float32") for weight in model.get_weights()])


def attempt(backup, result, batches, patience):
    """Train in a forked process, and return whether it finished before being killed.

    It is killed `patience` seconds after `batches` batches, or after training starts if that is 0.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        code = 1
        try:
            train(backup, result, write)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    for _ in range(batches + 1):
        os.read(read, 1)
    deadline = time.monotonic() + patience
    status = None
    while status is None and time.monotonic() < deadline:
        done, found = os.waitpid(child, os.WNOHANG)
        status = found if done else None
        time.sleep(0.0005)
    if status is None:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(read)
    if status:
        raise RuntimeError(f"training failed with status {status}")
    return status == 0


def epoch_of(backup):
    """Return the epoch that a backup resumes from."""
    index = backup / "backup.json"
    return json.loads(index.read_text())[0]["epoch"] if index.exists() else 0


def main(folder, kills):
    """Train once without and once with several kills, and write the weights to two files.

    Print the number of distinct epochs that the killed attempts left in the backup.
    """
    # Trigger lazy imports here, or each attempt would repeat them.
    keras.utils.set_random_seed(1)
    if keras.backend.backend() == "torch":
        train(folder / "warm-up", folder / "warm-up.npz", epochs=1)
    backup, result = folder / "backup", folder / "resumed.npz"
    start = time.monotonic()
    attempt(folder / "straight-backup", folder / "straight.npz", 1, 600)
    an_epoch = (time.monotonic() - start) / EPOCHS
    epochs = []
    for n in range(kills):
        # With 0 batches, the kill comes while it loads the backup and compiles.
        patience = random.uniform(0.0, min(an_epoch, 0.05))
        if attempt(backup, result, random.randrange(5), patience):
            raise RuntimeError(f"Training finished after only {n} kills. Increase EPOCHS.")
        epochs.append(epoch_of(backup))
    attempt(backup, result, 0, 600)
    print(len(set(epochs)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
