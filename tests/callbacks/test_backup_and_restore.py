"""Backups that survive being killed at any moment."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from linear_training import fit, linear_model, weights

from keras_optlab import callbacks, optimizers

KILLS = 20


@pytest.mark.processes
def test_a_training_killed_often_ends_with_the_same_weights(tmp_path):
    script = Path(__file__).parents[1] / "helpers" / "killed_training.py"
    # JAX compiles in the first attempt only; the saved state is the same.
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }
    environment = {**os.environ, **cache, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path), str(KILLS)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    # It was killed throughout the training.
    assert int(run.stdout.split()[-1]) > KILLS / 4
    straight, resumed = (np.load(tmp_path / f"{name}.npz") for name in ("straight", "resumed"))
    for name in straight.files:
        np.testing.assert_array_equal(straight[name], resumed[name])
    assert not (tmp_path / "backup").exists()


class Stop(keras.callbacks.Callback):
    """Interrupts training as an error in the user's code would."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise RuntimeError("stopped")


def interrupted(folder, epoch=3, **arguments):
    with pytest.raises(RuntimeError, match="stopped"):
        backup = callbacks.BackupAndRestore(folder, **arguments)
        fit(linear_model(optimizers.Adam(0.1)), 6, [backup, Stop(epoch)])


def resumed(folder, **arguments):
    model = linear_model(optimizers.Adam(0.1))
    history = fit(model, 6, [callbacks.BackupAndRestore(folder, **arguments)])
    return weights(model), len(history.epoch)


@pytest.fixture(scope="module")
def straight():
    model = linear_model(optimizers.Adam(0.1))
    fit(model, 6)
    return weights(model)


def test_an_interrupted_training_goes_on_where_it_was(tmp_path, straight):
    interrupted(tmp_path / "backup")
    found, epochs = resumed(tmp_path / "backup")
    np.testing.assert_array_equal(found, straight)
    assert epochs == 3
    assert not (tmp_path / "backup").exists()


def test_one_backup_is_kept_or_two(tmp_path):
    interrupted(tmp_path / "one")
    interrupted(tmp_path / "two", double_checkpoint=True)
    assert len(list((tmp_path / "one").glob("*.h5"))) == 1
    assert len(list((tmp_path / "two").glob("*.h5"))) == 2


def damage(folder):
    last = max(folder.glob("*.h5"), key=lambda file: file.stat().st_mtime_ns)
    last.write_bytes(last.read_bytes()[:1000])


def test_a_damaged_backup_is_refused_or_the_one_before_taken(tmp_path, straight):
    interrupted(tmp_path / "one")
    damage(tmp_path / "one")
    with pytest.raises(OSError, match=r"(?i)truncated"):
        resumed(tmp_path / "one")
    interrupted(tmp_path / "two", double_checkpoint=True)
    damage(tmp_path / "two")
    found, epochs = resumed(tmp_path / "two", double_checkpoint=True)
    np.testing.assert_array_equal(found, straight)
    assert epochs == 4


def test_a_killed_save_leaves_no_backup(tmp_path, straight):
    interrupted(tmp_path / "backup")
    (tmp_path / "backup" / "backup-9.weights.h5").write_bytes(b"half of it")
    (tmp_path / "backup" / "backup.json.new").write_text('[{"num')
    found, _ = resumed(tmp_path / "backup")
    np.testing.assert_array_equal(found, straight)


def test_a_backup_of_another_optimizer_is_refused(tmp_path):
    interrupted(tmp_path / "backup")
    model = linear_model(optimizers.SGD(0.1))
    with pytest.raises(ValueError, match="Skipping variable loading for optimizer 'sgd"):
        fit(model, 6, [callbacks.BackupAndRestore(tmp_path / "backup")])


def test_batches_are_backed_up_where_asked_for(tmp_path):
    interrupted(tmp_path / "backup", epoch=1, save_freq=2)
    # Two backups within an epoch of five batches, one at its end.
    assert (tmp_path / "backup" / "backup-3.weights.h5").exists()


def test_a_model_that_is_not_built_is_refused(tmp_path):
    callback = callbacks.BackupAndRestore(tmp_path)
    callback.set_model(linear_model(optimizers.SGD(0.1), built=False))
    with pytest.raises(ValueError, match=r"built\. Received: "):
        callback.on_train_begin()


@pytest.mark.parametrize(
    "wrong",
    [{"backup_dir": ""}, {"backup_dir": 3}, {"save_freq": "batch"}, {"save_freq": 0}],
)
def test_wrong_arguments_are_refused_by_name(wrong):
    name = next(iter(wrong))
    with pytest.raises((ValueError, TypeError), match=rf"`{name}`.*Received: {name}="):
        callbacks.BackupAndRestore(**{"backup_dir": "backup", **wrong})
