"""A training that is killed again and again, and taken up each time, until it is done.

Run as a script, since a process that has trained cannot be forked (but with torch on one thread):
this one imports everything and forks a process for each attempt.

    python killed_training.py FOLDER KILLS
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import keras
import numpy as np

import keras_optlab

EPOCHS = 60

random.seed(0)
X = np.random.default_rng(0).normal(size=(16, 4)).astype("float32")


class Announce(keras.callbacks.Callback):
    """Tells the parent that training goes on now."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def on_epoch_begin(self, epoch, logs=None):
        if self.pipe is not None:
            os.write(self.pipe, b"x")
            os.close(self.pipe)
            self.pipe = None


def train(backup, result, pipe=None, epochs=EPOCHS):
    """Train to the end, from the backup if there is one."""
    keras.utils.set_random_seed(1)
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(8, "relu", dtype="bfloat16"),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(4, dtype="float32"),
    ]
    model = keras.Sequential(layers)
    # Three batches make an update, two an epoch: most backups are in the middle of one.
    optimizer = keras_optlab.optimizers.Nadam(1e-3, use_ema=True, gradient_accumulation_steps=3)
    model.compile(optimizer, "mse")
    callbacks = [
        keras_optlab.callbacks.OneCycle(1e-2),
        keras_optlab.callbacks.BackupAndRestore(backup),
        Announce(pipe),
    ]
    fit = {"batch_size": 8, "epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(X, X[:, ::-1], callbacks=callbacks, **fit)
    np.savez(result, *[np.asarray(weight, "float32") for weight in model.get_weights()])


def attempt(backup, result, patience):
    """Whether a training in a process of its own got to its end within some seconds."""
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
    os.read(read, 1)
    os.close(read)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            if status:
                raise RuntimeError(f"training failed with status {status}")
            return True
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main(folder, kills):
    """Kill a training so many times, and train once without; the weights go to two files."""
    # What is imported only when it is needed would be imported in each attempt.
    keras.utils.set_random_seed(1)
    if keras.backend.backend() == "torch":
        train(folder / "warm-up", folder / "warm-up.npz", epochs=1)
    attempt(folder / "straight-backup", folder / "straight.npz", 600)
    killed = 0
    while not attempt(
        folder / "backup",
        folder / "resumed.npz",
        random.uniform(0.0, 0.03) if killed < kills else 600,
    ):
        killed += 1
    print(killed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
