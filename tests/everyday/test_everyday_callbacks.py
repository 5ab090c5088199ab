"""Everyday uses: callbacks and schedules."""

import keras
import numpy as np
import pytest
from everyday import FEW, assert_as_built_in, assert_learns, assert_same, ours_only, use

from keras_optlab import callbacks


@use()
def test_swap_ema_weights(task, make_optimizer, jit_compile):
    optimizer = make_optimizer(use_ema=True, ema_momentum=0.8)
    model = task.linear(optimizer, jit_compile=jit_compile)
    data = task.x, task.y
    swap = keras.callbacks.SwapEMAWeights()
    history = assert_learns(model, *data, validation_data=data, callbacks=[swap]).history
    # `fit` ends on the averages, which `swap` puts in place for each evaluation.
    assert model.evaluate(*data, verbose=0) == pytest.approx(history["val_loss"][-1], rel=1e-4)


@use(FEW)
def test_tensorboard(task, make_optimizer, jit_compile, tmp_path):
    pytest.importorskip("tensorboard")
    pytest.importorskip("tensorflow")
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    board = keras.callbacks.TensorBoard(tmp_path, histogram_freq=1, update_freq=1)
    assert_learns(model, task.x, task.y, callbacks=[board])
    assert list(tmp_path.glob("train/events*"))


@use(FEW)
def test_checkpoints_of_models(task, make_optimizer, jit_compile, tmp_path):
    path = tmp_path / "{epoch}.keras"
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    checkpoint = keras.callbacks.ModelCheckpoint(path)
    assert_learns(model, task.x, task.y, callbacks=[checkpoint])
    loaded = keras.saving.load_model(tmp_path / "2.keras")
    loaded.fit(task.x, task.y, batch_size=16, shuffle=False, verbose=0)
    assert_same(model.get_weights(), loaded.get_weights())


@use(FEW)
def test_checkpoint_of_the_best_weights(task, make_optimizer, jit_compile, tmp_path):
    path = tmp_path / "best.weights.h5"
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    checkpoint = keras.callbacks.ModelCheckpoint(
        path, monitor="loss", save_best_only=True, save_weights_only=True
    )
    assert_learns(model, task.x, task.y, callbacks=[checkpoint])
    expected = model.evaluate(task.x, task.y, verbose=0)
    fresh = task.linear(make_optimizer(), jit_compile=jit_compile)
    fresh.load_weights(path)
    assert fresh.evaluate(task.x, task.y, verbose=0) == pytest.approx(expected, rel=1e-4)


BACKUPS = [
    keras.callbacks.BackupAndRestore,
    pytest.param(callbacks.BackupAndRestore, marks=ours_only),
]


@pytest.mark.parametrize("backup", BACKUPS, ids=["keras", "ours"])
@use()
def test_backup_and_restore(task, make_optimizer, jit_compile, backup, tmp_path):
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    with pytest.raises(KeyboardInterrupt):
        task.fit(model, 3, callbacks=[backup(tmp_path / "backup"), Interrupt()])
    resumed = task.linear(make_optimizer(), jit_compile=jit_compile)
    epochs = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: epochs.append(epoch))
    task.fit(resumed, 3, callbacks=[backup(tmp_path / "backup"), record])
    assert epochs == [2]
    whole = task.linear(make_optimizer(), jit_compile=jit_compile)
    assert_same(resumed.get_weights(), task.fit(whole, 3))


@use(FEW)
def test_reduce_learning_rate_on_plateau(task, make_optimizer, jit_compile):
    def train(make, **compile_arguments):
        model = task.linear(make(), **compile_arguments)
        # Every epoch is a plateau.
        reduce = keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1e9, factor=0.1)
        weights = task.fit(model, 3, callbacks=[reduce])
        assert float(model.optimizer.learning_rate) < 0.02 * make.keywords["learning_rate"]
        return weights

    assert_as_built_in(make_optimizer, train, jit_compile)


@use(FEW, quick=True)
def test_learning_rate_scheduler(task, make_optimizer, jit_compile):
    def train(make, **compile_arguments):
        model = task.linear(make(), **compile_arguments)
        scheduler = keras.callbacks.LearningRateScheduler(
            lambda epoch, rate: rate / (1 + 3 * epoch)
        )
        return task.fit(model, 2, callbacks=[scheduler])

    assert_as_built_in(make_optimizer, train, jit_compile)


@use()
def test_learning_rate_schedule(task, make_optimizer, jit_compile):
    schedules = keras.optimizers.schedules

    def train(make, **compile_arguments):
        rate = schedules.ExponentialDecay(make.keywords["learning_rate"], 2, 0.5)
        return task.fit(task.linear(make(learning_rate=rate), **compile_arguments))

    assert_as_built_in(make_optimizer, train, jit_compile)


@use(FEW)
def test_early_stopping_restores_the_best_weights(task, make_optimizer, jit_compile):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    weights = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()[0])
    )
    # The loss falls, so in this mode the first epoch is the best one.
    settings = {"monitor": "loss", "mode": "max", "patience": 2}
    stop = keras.callbacks.EarlyStopping(**settings, restore_best_weights=True)
    task.fit(model, 9, callbacks=[keep, stop])
    assert len(weights) == 3
    np.testing.assert_allclose(model.get_weights()[0], weights[0], rtol=1e-6)
