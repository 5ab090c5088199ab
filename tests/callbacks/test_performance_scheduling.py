"""PerformanceScheduling: like ReduceLROnPlateau, but also for schedules and resumed runs."""

import inspect

import keras
import numpy as np
import pytest
from keras_versions import needs_multi_optimizer
from linear_training import START, Interrupt, InterruptionError, fit, linear_model, weights
from selection import EXHAUSTIVE, quick

import keras_optlab
from keras_optlab.callbacks import PerformanceScheduling
from keras_optlab.optimizers import SGD, Adam, ScheduleFreeAdamW
from keras_optlab.schedules import ExponentialDecay

FAST = {"factor": 0.3, "patience": 2, "min_delta": 0.05}
VARIANTS = {
    "as it is": FAST,
    "cooldown": {**FAST, "patience": 1, "cooldown": 2},
    "bounded": {**FAST, "patience": 1, "min_lr": 0.004},
    "upwards": {**FAST, "mode": "max"},
    "without patience": {**FAST, "patience": 0, "min_delta": 0.0},
}
SCORES = np.random.default_rng(3).uniform(0.0, 1.0, 40).cumsum() % 1.0


class Score(keras.callbacks.Callback):
    """Logs a metric with given values, and records the learning rate of each epoch."""

    def __init__(self):
        super().__init__()
        self.rates = {}

    def on_epoch_begin(self, epoch, logs=None):
        rate = self.model.optimizer.learning_rate
        self.rates[epoch] = float(keras.ops.convert_to_numpy(rate))

    def on_epoch_end(self, epoch, logs=None):
        logs["score"] = SCORES[epoch]


def rates(optimizer, callback, epochs=15):
    """Return the learning rate of each epoch, as decided by `SCORES`."""
    score = Score()
    fit(linear_model(optimizer), epochs, [score, callback])
    return np.array([score.rates[epoch] for epoch in range(epochs)])


def keras_rates(variant, epochs=15, initial=0.1):
    callback = keras.callbacks.ReduceLROnPlateau("score", **{"mode": "min", **variant})
    return rates(keras.optimizers.SGD(initial), callback, epochs)


def scheduling(variant):
    return PerformanceScheduling("score", **{"mode": "min", **variant})


@pytest.mark.parametrize("variant", quick(VARIANTS, ["as it is"], EXHAUSTIVE))
def test_reduces_when_reduce_lr_on_plateau_does(variant):
    expected = keras_rates(VARIANTS[variant])
    assert len(set(expected)) > 2
    for optimizer in (SGD(0.1), keras.optimizers.SGD(0.1)):
        actual = rates(optimizer, scheduling(VARIANTS[variant]))
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("variant", quick(["as it is", "cooldown"], ["as it is"]))
def test_scales_a_schedule_when_a_number_would_be_reduced(variant):
    schedule = ExponentialDecay(0.1, 10, 0.5)
    actual = rates(SGD(schedule), scheduling(VARIANTS[variant]))
    unscaled = 0.1 * 0.5 ** (5 * np.arange(15) / 10)
    np.testing.assert_allclose(actual, unscaled * keras_rates(VARIANTS[variant]) / 0.1, rtol=1e-6)


@pytest.mark.slow
def test_min_lr_bounds_the_present_value_of_a_schedule():
    constant = keras_optlab.schedules.PiecewiseConstantDecay([1000], [0.1, 0.01])
    actual = rates(SGD(constant), scheduling(VARIANTS["bounded"]))
    np.testing.assert_allclose(actual, keras_rates(VARIANTS["bounded"]), rtol=1e-6)
    assert actual[-1] == np.float32(0.004)


def test_the_scaled_schedule_is_what_the_step_uses():
    """With a gradient of 1, a weight moves by the sum of the learning rates."""
    optimizer = SGD(ExponentialDecay(0.1, 10, 0.5))
    model = linear_model(optimizer)
    model.compile(optimizer, loss=lambda target, prediction: keras.ops.mean(prediction))
    score = Score()
    fit(model, 8, [score, scheduling(FAST)])
    scales = keras_rates(FAST, 8) / 0.1
    assert scales[-1] < 1
    expected = sum(0.1 * 0.5 ** (step / 10) * scales[step // 5] for step in range(40))
    np.testing.assert_allclose(START[-1] - weights(model)[-1], expected, rtol=1e-6)


def test_a_second_fit_call_starts_counting_afresh():
    def second(optimizer, callback):
        model, score = linear_model(optimizer), Score()
        fit(model, 4, [score, callback])
        fit(model, 12, [score, callback], initial_epoch=4)
        return [score.rates[epoch] for epoch in range(12)]

    # The wait began before the second call, so it matters whether it continues.
    plateau = keras.callbacks.ReduceLROnPlateau("score", mode="min", **FAST)
    expected = second(keras.optimizers.SGD(0.1), plateau)
    assert expected != keras_rates(FAST, 12).tolist()
    assert second(SGD(0.1), scheduling(FAST)) == expected


# Resuming

OPTIMIZERS = {
    "number": lambda: Adam(0.1),
    "schedule": lambda: SGD(ExponentialDecay(0.1, 10, 0.5)),
    "built-in": lambda: keras.optimizers.SGD(0.1),
    "wrapped": lambda: keras.optimizers.LossScaleOptimizer(SGD(0.1)),
    "two points": lambda: ScheduleFreeAdamW(0.1),
}


@pytest.mark.parametrize("optimizer", quick(OPTIMIZERS, ["two points"]))
def test_a_resumed_run_reduces_as_an_uninterrupted_one(tmp_path, optimizer):
    def run(*others):
        score = Score()
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
        callbacks = [score, scheduling(FAST), backup, *others]
        fit(linear_model(OPTIMIZERS[optimizer]()), 12, callbacks)
        return score.rates

    expected = rates(OPTIMIZERS[optimizer](), scheduling(FAST), 12)
    with pytest.raises(InterruptionError):
        run(Interrupt("on_epoch_begin", 4))
    resumed = run()
    assert list(resumed) == list(range(4, 12))
    np.testing.assert_array_equal(list(resumed.values()), expected[4:])


@pytest.mark.parametrize("optimizer", quick(["schedule", "two points"], ["schedule"]))
def test_a_model_saved_in_training_reduces_as_uninterrupted(tmp_path, optimizer):
    model = linear_model(OPTIMIZERS[optimizer]())
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    uninterrupted, resumed = Score(), Score()
    fit(model, 12, [uninterrupted, scheduling(FAST), checkpoint])

    loaded = keras.saving.load_model(tmp_path / "4.keras")
    fit(loaded, 12, [resumed, scheduling(FAST)], initial_epoch=4)
    assert [resumed.rates[e] for e in range(4, 12)] == [
        uninterrupted.rates[e] for e in range(4, 12)
    ]


def resumed_from(weights_file, optimizer, callback):
    """Return the learning rates of a run resumed from a weights file at epoch 4."""

    class Load(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.model.optimizer.build(self.model.trainable_variables)
            self.model.load_weights(weights_file)

    score = Score()
    # The file is loaded after the callback has begun; in the test above, before.
    fit(linear_model(optimizer), 12, [score, callback, Load()], initial_epoch=4)
    return [score.rates[epoch] for epoch in range(4, 12)]


@pytest.mark.slow
def test_only_a_file_with_the_same_arguments_is_resumed(tmp_path):
    def saved(name, *callbacks):
        file = tmp_path / f"{name}.weights.h5"
        model = linear_model(keras.optimizers.SGD(0.1))
        checkpoint = keras.callbacks.ModelCheckpoint(file, save_weights_only=True)
        fit(model, 4, [Score(), *callbacks, checkpoint])
        return file

    def plateau():
        return keras.callbacks.ReduceLROnPlateau("score", mode="min", **FAST)

    own = saved("own", scheduling(FAST))
    other = saved("other", scheduling({**FAST, "patience": 30}), plateau())
    without = saved("without", plateau())

    afresh = resumed_from(without, keras.optimizers.SGD(0.1), plateau())
    uninterrupted = keras_rates(FAST, 12)[4:].tolist()
    assert afresh != uninterrupted
    for optimizer in (SGD, keras.optimizers.SGD):
        assert resumed_from(own, optimizer(0.1), scheduling(FAST)) == uninterrupted
        assert resumed_from(without, optimizer(0.1), scheduling(FAST)) == afresh
        assert resumed_from(other, optimizer(0.1), scheduling(FAST)) == afresh


# Several optimizers, and unsuitable ones


@pytest.mark.slow
@needs_multi_optimizer
def test_all_of_several_optimizers_are_reduced():
    class ScoreAlone(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["score"] = SCORES[epoch]

    def reduced(kernel, bias, callback):
        by_name = keras.optimizers.OptimizerMap(kernel, {".*bias": bias})
        model = linear_model(keras.optimizers.MultiOptimizer(by_name))
        logs = fit(model, 12, [ScoreAlone(), callback]).history
        return logs["learning_rate_kernel"], logs["learning_rate_bias"]

    builtin = keras.optimizers.SGD
    plateau = keras.callbacks.ReduceLROnPlateau("score", mode="min", **FAST)
    expected = reduced(builtin(0.1, name="kernel"), builtin(0.2, name="bias"), plateau)
    schedule = ExponentialDecay(0.2, 10, 0.5)
    actual = reduced(SGD(0.1, name="kernel"), SGD(schedule, name="bias"), scheduling(FAST))
    np.testing.assert_array_equal(actual[0], expected[0])
    decay = 0.5 ** (5 * np.arange(1, 13) / 10)
    np.testing.assert_allclose(actual[1], decay * expected[1], rtol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Lamb"])
def test_error_for_a_built_in_with_a_schedule_names_ours(name):
    optimizer = getattr(keras.optimizers, name)(ExponentialDecay(0.1, 10, 0.5))
    with pytest.raises(ValueError, match=rf"Use keras_optlab\.optimizers\.{name}, which can scale"):
        fit(linear_model(optimizer), 1, [scheduling({})])


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("monitor", 3, TypeError),
        ("factor", 1.0, ValueError),
        ("patience", -1, ValueError),
        ("patience", 2.5, TypeError),
        ("verbose", "loud", TypeError),
        ("mode", "down", ValueError),
        ("min_delta", -1e-3, ValueError),
        ("cooldown", -1, ValueError),
        ("min_lr", float("inf"), ValueError),
    ],
)
def test_wrong_arguments_are_named(name, value, error):
    with pytest.raises(error, match=f"`{name}` must be .*Received: {name}="):
        PerformanceScheduling(**{name: value})


def test_arguments_have_the_order_of_keras():
    theirs = list(inspect.signature(keras.callbacks.ReduceLROnPlateau).parameters)
    ours = list(inspect.signature(PerformanceScheduling).parameters)
    assert ours == [name for name in theirs if name != "kwargs"]
