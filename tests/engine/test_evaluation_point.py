"""ScheduleFreeAdamW: trained at one point, evaluated and saved at another, in Keras' loops."""

import keras
import numpy as np
import pytest
from recordings import recorded

from keras_optlab import optimizers

ARGUMENTS = {"learning_rate": 0.05, "warmup_steps": 5}


def authors(epochs):
    """Return the authors' losses and weights on the same task, at their evaluation point."""
    what = ("losses", "kernels")
    numbers = (recorded("optimizers", f"linear task, {name} in float32") for name in what)
    return list(zip(*numbers, strict=True))[:epochs]


def model(task, **compile_arguments):
    return task.linear(optimizers.ScheduleFreeAdamW(**ARGUMENTS), **compile_arguments)


def test_validation_and_final_weights_are_the_authors(task):
    expected, ours = authors(epochs=3), model(task)
    validation = {"validation_data": (task.x, task.y), "validation_batch_size": 64}
    history = ours.fit(task.x, task.y, 16, 2, shuffle=False, verbose=0, **validation)
    np.testing.assert_allclose(
        history.history["val_loss"], [loss for loss, _ in expected[:2]], rtol=1e-6
    )
    np.testing.assert_allclose(ours.get_weights()[0], expected[1][1], atol=1e-6)
    # Another `fit` continues from the training point, though weights were at the evaluation point.
    np.testing.assert_allclose(task.fit(ours)[0], expected[2][1], atol=1e-6)
    assert ours.evaluate(task.x, task.y, 64, verbose=0) == pytest.approx(expected[2][0], rel=1e-6)
    prediction = ours.predict(task.x, verbose=0)
    np.testing.assert_allclose(prediction, task.x @ expected[2][1], atol=1e-5)


def test_evaluating_in_between_changes_nothing_in_training(task):
    plain = task.fit(model(task), 3)
    watched = model(task)
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(np.array(self.model.get_weights()[0]))

    validated = task.fit(watched, 3, callbacks=[Look()], validation_data=(task.x, task.y))
    np.testing.assert_array_equal(validated[0], plain[0])
    # The last callback already sees the weights that `fit` ends with.
    np.testing.assert_array_equal(seen[-1], plain[0])


def test_files_hold_the_evaluation_point_and_go_on_bit_for_bit(task, tmp_path):
    straight = model(task)
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    task.fit(straight, 3, callbacks=[save])
    for epoch, (_, expected) in enumerate(authors(epochs=2), start=1):
        loaded = keras.saving.load_model(tmp_path / f"{epoch}.keras")
        np.testing.assert_allclose(loaded.get_weights()[0], expected, atol=1e-6)
        resumed = task.fit(loaded, 3 - epoch)
        np.testing.assert_array_equal(resumed[0], straight.get_weights()[0])


def test_training_starts_anew_at_weights_set_after_fit(task):
    ours = model(task)
    task.fit(ours)
    ours.set_weights([task.kernel])
    ours.optimizer.learning_rate = 0.0
    np.testing.assert_array_equal(task.fit(ours)[0], task.kernel)


def test_a_custom_loop_switches_points_by_hand(task):
    ours = model(task)
    for _, kernel in authors(epochs=2):
        ours.optimizer.to_training_point()
        for start in range(0, 64, 16):
            rows = slice(start, start + 16)
            ours.train_on_batch(task.x[rows], task.y[rows])
        ours.optimizer.to_evaluation_point()
        np.testing.assert_allclose(ours.get_weights()[0], kernel, atol=1e-6)


def test_evaluate_between_custom_steps_changes_nothing(task):
    disturbed, plain = model(task), model(task)
    for ours in (disturbed, plain):
        for start in range(0, 64, 16):
            rows = slice(start, start + 16)
            ours.train_on_batch(task.x[rows], task.y[rows])
            if ours is disturbed:
                ours.evaluate(task.x, task.y, verbose=0)
    np.testing.assert_array_equal(disturbed.get_weights()[0], plain.get_weights()[0])


def test_a_step_at_the_evaluation_point_continues_training(task):
    ours, reference = model(task), model(task)
    for each in (ours, reference):
        each.train_on_batch(task.x[:16], task.y[:16])
        each.train_on_batch(task.x[16:32], task.y[16:32])
    ours.optimizer.to_evaluation_point()
    zero = keras.ops.zeros((4, 2))
    for each in (ours, reference):
        each.optimizer.apply([zero], each.trainable_variables)
    np.testing.assert_allclose(ours.get_weights()[0], reference.get_weights()[0], atol=1e-6)
    assert not ours.optimizer.is_evaluating


def test_it_works_inside_a_loss_scale_optimizer(task):
    inner = optimizers.ScheduleFreeAdamW(**ARGUMENTS)
    ours = task.linear(keras.optimizers.LossScaleOptimizer(inner))
    expected = authors(epochs=2)
    np.testing.assert_allclose(task.fit(ours)[0], expected[0][1], atol=1e-6)
    np.testing.assert_allclose(task.fit(ours)[0], expected[1][1], atol=1e-6)
