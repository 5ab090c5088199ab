"""Schedules in use: with any kind of step, traced or not, and in `fit`."""

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest
from selection import quick

from keras_optlab import schedules

builtin = keras.optimizers.schedules

TRAINED = {
    "cosine restarts": schedules.CosineDecayRestarts(0.1, 3, t_mul=2.0),
    "staircase": schedules.ExponentialDecay(0.1, 3, 0.5, staircase=True),
    "1cycle": schedules.OneCycleLearningRate(0.1, 12, three_phase=True),
    "warmup, then Keras' own": schedules.LinearWarmup(4, builtin.CosineDecay(0.1, 8)),
    "sequence": schedules.Sequence([0.1, schedules.PowerDecay(0.2, 3)], [5]),
}


class RecordLearningRate(keras.callbacks.Callback):
    """Records the learning rate that the optimizer reports for each step."""

    def __init__(self):
        super().__init__()
        self.values = []

    def on_train_batch_begin(self, batch, logs=None):
        self.values.append(float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)))


def linear_model(schedule):
    """Return a model of one weight with gradient 1: each step moves it by the learning rate."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(
        keras.optimizers.SGD(learning_rate=schedule),
        loss=lambda _, prediction: keras.ops.mean(prediction),
        jit_compile=keras.backend.backend() != "torch",
    )
    return model


def weight(model):
    return float(keras.ops.convert_to_numpy(model.weights[0])[0, 0])


@pytest.mark.parametrize("name", quick(TRAINED, list(TRAINED)[:2]))
def test_fit_uses_the_value_of_each_step(name):
    schedule, recorder = TRAINED[name], RecordLearningRate()
    model = linear_model(schedule)
    before = weight(model)
    data = np.ones((24, 1), "float32")
    model.fit(data, data, batch_size=2, epochs=1, shuffle=False, verbose=0, callbacks=[recorder])

    expected = [schedule.at(step) for step in range(12)]
    np.testing.assert_allclose(recorder.values, expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(before - weight(model), sum(expected), rtol=0, atol=2e-6)


def test_a_saved_model_goes_on_where_the_schedule_was(tmp_path):
    model = linear_model(schedules.LinearWarmup(10, 0.1))
    model.compile(model.optimizer, loss="mse")
    data = np.ones((8, 1), "float32")
    model.fit(data, data, batch_size=2, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")

    loaded = keras.saving.load_model(tmp_path / "model.keras")
    recorder = RecordLearningRate()
    loaded.fit(data, data, batch_size=2, epochs=1, verbose=0, callbacks=[recorder])
    np.testing.assert_allclose(recorder.values, [0.04, 0.05, 0.06, 0.07], rtol=1e-6)


@pytest.mark.parametrize("name", TRAINED)
def test_any_kind_of_integer_is_a_step(name):
    schedule = TRAINED[name]
    expected = schedule.at(7)
    variable = keras.Variable(7, dtype="int32", trainable=False)
    for step in (7, np.int64(7), np.int32(7), keras.ops.cast(7, "int32"), variable):
        actual = schedule(step)
        assert keras.backend.standardize_dtype(actual.dtype) == keras.config.floatx()
        np.testing.assert_allclose(keras.ops.convert_to_numpy(actual), expected, atol=1e-8)


def test_one_trace_serves_every_step(compile_step):
    traces = []

    def value(step):
        traces.append(step)
        return TRAINED["1cycle"](step)

    function = compile_step(value)
    values = [function(keras.ops.cast(step, "int32")) for step in range(12)]
    values = [float(keras.ops.convert_to_numpy(value)) for value in values]
    np.testing.assert_allclose(values, [TRAINED["1cycle"].at(t) for t in range(12)], atol=1e-8)
    assert len(traces) == (12 if keras.backend.backend() == "torch" else 1)


def test_a_half_precision_floatx_does_not_round_the_value():
    keras.config.set_floatx("bfloat16")
    try:
        value = schedules.PowerDecay(1e-3, 10)(1)
    finally:
        keras.config.set_floatx("float32")
    assert keras.backend.standardize_dtype(value.dtype) == "float32"


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(schedules.__path__)])
def test_the_examples_of_the_docstrings_run(module):
    results = doctest.testmod(importlib.import_module(f"{schedules.__name__}.{module}"))
    assert results.failed == 0
    assert results.attempted > 0 or module in ("boundaries", "rounding")
