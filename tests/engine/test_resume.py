"""Training that stops anywhere and resumes from a file equals training without a stop."""

import copy
import multiprocessing
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from selection import EXHAUSTIVE, quick

from keras_optlab import ParameterGroup, callbacks, optimizers, schedules

BACKEND = keras.backend.backend()
EPOCHS, STOP, BATCHES = 4, 2, 5

groups = [ParameterGroup("bias", learning_rate_multiplier=0.5, beta_1=0.7)]
schedule = schedules.Sequence(
    [schedules.LinearWarmup(3, 1e-2), schedules.CosineDecay(1e-2, 10)], [3]
)
CONFIGURATIONS = {
    "groups": lambda: optimizers.Nadam(1e-2, groups=groups),
    "schedule": lambda: optimizers.Lamb(schedule, beta_1=schedules.OneCycleMomentum(20)),
    "average": lambda: optimizers.RMSprop(1e-2, use_ema=True, ema_overwrite_frequency=3),
    # 2 epochs of 5 batches stop in the middle of an accumulation of 3, and of 4.
    "accumulation": lambda: optimizers.Adam(1e-2, gradient_accumulation_steps=3),
    "everything": lambda: optimizers.AdamW(
        schedule,
        gradient_accumulation_steps=4,
        use_ema=True,
        global_clipnorm=1.0,
        groups=groups,
        nonfinite="skip",
    ),
    "schedule-free": lambda: optimizers.ScheduleFreeAdamW(1e-2, warmup_steps=6),
}
HALF = {
    "compensated": lambda: optimizers.Adam(1e-4),
    "stochastic": lambda: optimizers.SGD(1e-3, momentum=0.9, rounding="stochastic"),
    "small slots": lambda: optimizers.Adam(1e-3, slot_dtype="bfloat16"),
}
CALLBACKS = {
    "one cycle": (
        lambda: optimizers.SGD(1e-2, momentum=0.9),
        lambda: [callbacks.OneCycle(0.1)],
    ),
    "performance": (
        lambda: optimizers.SGD(1e-2),
        lambda: [callbacks.PerformanceScheduling("loss", patience=1, min_delta=1e9)],
    ),
}


def network(make, policy="float32", seed=3):
    """With a seed other than 3, everything that the run depends on must come from the file."""
    # Automatic names, by which orbax identifies variables, restart as in a new process.
    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Input((4,)),
        keras.layers.Dense(6, activation="relu", dtype=policy),
        keras.layers.Dense(2, dtype=policy),
    ]
    model = keras.Sequential(layers)
    model.compile(make(), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model, task, epochs, start=0, extra=()):
    fixed = {"batch_size": 13, "shuffle": False, "verbose": 0}
    model.fit(task.x, task.y, epochs=epochs, initial_epoch=start, callbacks=[*extra], **fixed)


def resume_from_weights(model, make, policy, folder):
    model.save_weights(folder / "saved.weights.h5")
    other = network(make, policy, seed=99)
    other.load_weights(folder / "saved.weights.h5")
    return other


def resume_from_model(model, make, policy, folder):
    model.save(folder / "saved.keras")
    return keras.saving.load_model(folder / "saved.keras")


def save_checkpoint(model, folder):
    """Save with the checkpoint library of this backend."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tf.train.Checkpoint(model=model, optimizer=model.optimizer).write(str(folder / "saved"))
    else:
        from orbax import checkpoint as orbax

        checkpointer = orbax.StandardCheckpointer()
        checkpointer.save(folder / "saved", model.get_state_tree())
        checkpointer.wait_until_finished()


def restore_checkpoint(model, folder):
    if BACKEND == "tensorflow":
        import tensorflow as tf

        checkpoint = tf.train.Checkpoint(model=model, optimizer=model.optimizer)
        checkpoint.read(str(folder / "saved"))
    else:
        from orbax import checkpoint as orbax

        tree = orbax.StandardCheckpointer().restore(folder / "saved", model.get_state_tree())
        model.set_state_tree(tree)


def resume_from_checkpoint(model, make, policy, folder):
    save_checkpoint(model, folder)
    other = network(make, policy, seed=99)
    restore_checkpoint(other, folder)
    return other


def resume_from_tree(model, make, policy, folder):
    tree = model.get_state_tree("numpy_array")
    other = network(make, policy, seed=99)
    other.set_state_tree(copy.deepcopy(tree))
    return other


class Stop(keras.callbacks.Callback):
    """Resumes a copy of the model from a file in the middle of `fit`, and stops training."""

    def __init__(self, resume):
        super().__init__()
        self.resume = resume

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == STOP:
            self.resumed = self.resume(self.model)
            self.model.stop_training = True


def assert_same_run(make, task, policy, resume, folder, extra=lambda: []):
    straight, stopped = network(make, policy), network(make, policy)
    fit(straight, task, EPOCHS, extra=extra())
    stop = Stop(lambda model: resume(model, make, policy, folder))
    fit(stopped, task, EPOCHS, extra=[*extra(), stop])
    fit(stop.resumed, task, EPOCHS, start=STOP, extra=extra())
    for left, right in zip(straight.get_weights(), stop.resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(np.asarray(left, "float32"), np.asarray(right, "float32"))


@pytest.mark.parametrize("name", quick(CONFIGURATIONS, ["everything"]))
def test_by_a_weights_file(task, tmp_path, name):
    assert_same_run(CONFIGURATIONS[name], task, "float32", resume_from_weights, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["everything", "accumulation"])
def test_by_a_model_file(task, tmp_path, name):
    assert_same_run(CONFIGURATIONS[name], task, "float32", resume_from_model, tmp_path)


@pytest.mark.parametrize(
    "resume", quick([resume_from_weights, resume_from_model], [resume_from_weights])
)
@pytest.mark.parametrize("name", quick(HALF, ["compensated"]))
def test_in_half_precision(task, tmp_path, name, resume):
    assert_same_run(HALF[name], task, "bfloat16", resume, tmp_path)


@pytest.mark.parametrize("name", quick(CALLBACKS, ["one cycle"]))
def test_with_callbacks(task, tmp_path, name):
    make, extra = CALLBACKS[name]
    assert_same_run(make, task, "float32", resume_from_weights, tmp_path, extra)


@pytest.fixture
def checkpoints():
    if BACKEND == "torch":
        pytest.skip("tf.train.Checkpoint is TensorFlow's, and orbax saves arrays of JAX")
    if BACKEND == "jax":
        pytest.importorskip("orbax.checkpoint", reason="the extra `checkpoints` is missing")


@pytest.mark.usefixtures("checkpoints")
@pytest.mark.parametrize(
    "name", quick(["everything", "schedule-free", "compensated"], ["everything"])
)
def test_by_a_checkpoint(task, tmp_path, name):
    make = (CONFIGURATIONS | HALF)[name]
    policy = "bfloat16" if name in HALF else "float32"
    assert_same_run(make, task, policy, resume_from_checkpoint, tmp_path)


def schedule_free(task, epochs):
    """Return a model after some epochs: its variables are not at the training point."""
    model = network(CONFIGURATIONS["schedule-free"])
    fit(model, task, epochs)
    assert model.optimizer.is_evaluating == (epochs > 0)
    return model


def assert_goes_on_as(model, reference, task):
    fit(model, task, EPOCHS, start=STOP)
    fit(reference, task, EPOCHS, start=STOP)
    for found, expected in zip(model.get_weights(), reference.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def go_on_in_a_new_process(folder, task, connection):
    model = network(CONFIGURATIONS["schedule-free"], seed=99)
    restore_checkpoint(model, folder)
    fit(model, task, EPOCHS, start=STOP)
    connection.send(model.get_weights())


@pytest.mark.processes
@pytest.mark.usefixtures("checkpoints")
def test_an_evaluation_point_checkpoint_resumes_elsewhere(task, tmp_path):
    save_checkpoint(schedule_free(task, STOP), tmp_path)
    straight = schedule_free(task, EPOCHS)
    receiver, sender = multiprocessing.Pipe(duplex=False)
    data = SimpleNamespace(x=task.x, y=task.y)
    process = multiprocessing.get_context("spawn").Process(
        target=go_on_in_a_new_process, args=(tmp_path, data, sender)
    )
    process.start()
    sender.close()
    resumed = receiver.recv()
    process.join()
    for found, expected in zip(resumed, straight.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.usefixtures("checkpoints")
@pytest.mark.slow
@pytest.mark.parametrize("epochs", [0, STOP], ids=["training point", "evaluation point"])
@pytest.mark.parametrize("now", [0, 1], ids=["at the training point", "at the evaluation point"])
def test_a_checkpoint_takes_a_model_back_in_the_same_process(task, tmp_path, epochs, now):
    saved, model = schedule_free(task, epochs), schedule_free(task, STOP)
    save_checkpoint(saved, tmp_path)
    model.optimizer.to_training_point()
    if now:
        model.optimizer.to_evaluation_point()
    restore_checkpoint(model, tmp_path)
    assert_goes_on_as(model, saved, task)


@pytest.mark.usefixtures("checkpoints")
def test_a_restored_checkpoint_can_be_saved_before_training(task, tmp_path):
    straight = schedule_free(task, STOP)
    save_checkpoint(straight, tmp_path)
    restored, again = schedule_free(task, 0), schedule_free(task, 0)
    restore_checkpoint(restored, tmp_path)
    restored.save_weights(tmp_path / "saved.weights.h5")
    again.load_weights(tmp_path / "saved.weights.h5")
    assert_goes_on_as(again, straight, task)


@pytest.mark.usefixtures("checkpoints")
def test_training_starts_at_weights_set_after_a_restore(task, tmp_path):
    save_checkpoint(schedule_free(task, STOP), tmp_path)
    model = schedule_free(task, 0)
    restore_checkpoint(model, tmp_path)
    kernel = np.ones_like(model.get_weights()[0])
    model.set_weights([kernel, *model.get_weights()[1:]])
    model.optimizer.to_training_point()
    np.testing.assert_array_equal(model.get_weights()[0], kernel)


@pytest.mark.parametrize("name", quick(CONFIGURATIONS, ["schedule-free"], EXHAUSTIVE))
def test_by_a_state_tree(task, tmp_path, name):
    assert_same_run(CONFIGURATIONS[name], task, "float32", resume_from_tree, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("stop", range(1, 6))
def test_at_any_step_of_an_accumulation(task, tmp_path, stop):
    """A custom loop may stop between any two batches."""

    def trained(model, batches):
        for batch in batches:
            rows = slice(10 * batch, 10 * batch + 10)
            model.train_on_batch(task.x[rows], task.y[rows])

    straight, stopped = (network(CONFIGURATIONS["accumulation"]) for _ in range(2))
    trained(straight, range(6))
    trained(stopped, range(stop))
    resumed = resume_from_weights(stopped, CONFIGURATIONS["accumulation"], "float32", tmp_path)
    trained(resumed, range(stop, 6))
    for left, right in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
