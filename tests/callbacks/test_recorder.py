"""Recorder: its numbers equal plain NumPy's, and it leaves training unchanged."""

import csv
import doctest
import importlib
import math

import keras
import numpy as np
import pytest
from keras_versions import needs_multi_optimizer
from linear_training import (
    BATCH_SIZE,
    BATCHES,
    START,
    Interrupt,
    InterruptionError,
    X,
    Y,
    fit,
    gradients,
    linear_model,
)
from selection import quick

import keras_optlab
from keras_optlab.callbacks import OneCycle
from keras_optlab.callbacks.recorder import Recorder
from keras_optlab.optimizers import SGD, Adagrad, Adam

BACKEND = keras.backend.backend()


def expected(rates, beta, updates_are_clipped_to=math.inf):
    """Return what SGD with momentum does, step by step, in float64."""
    inputs, targets = np.hstack([X, np.ones((len(X), 1))]), np.ravel(Y)
    record = {"loss": [], "gradient_norm": [], "kernel": []}
    w, v = START, 0.0
    for step, (gradient, rate) in enumerate(zip(gradients(len(rates)), rates, strict=True)):
        start = step % BATCHES * BATCH_SIZE
        rows = slice(start, start + BATCH_SIZE)
        g = gradient(w)
        norm = np.linalg.norm(g)
        record["loss"].append(np.mean((inputs[rows] @ w - targets[rows]) ** 2))
        record["gradient_norm"].append(norm)
        v = beta * v - rate * g * min(1, updates_are_clipped_to / norm)
        record["kernel"].append(np.linalg.norm(v) / np.linalg.norm(w))
        w = w + v
    return record


def assert_recorded(recorder, record, steps):
    """Assert that the history holds these steps of a record, up to float32 rounding."""
    assert recorder.steps == list(steps)
    (ratio,) = (name for name in recorder.history if name.startswith("update_ratio/"))
    for name, key in (("loss", "loss"), ("gradient_norm", "gradient_norm"), (ratio, "kernel")):
        np.testing.assert_allclose(
            recorder.history[name], np.array(record[key])[list(steps)], rtol=2e-5
        )


@pytest.mark.parametrize("library", [keras_optlab.optimizers, keras.optimizers])
@pytest.mark.parametrize("every", [1, 3])
def test_the_numbers_are_those_of_numpy(library, every):
    recorder = Recorder(every=every)
    fit(linear_model(library.SGD(0.1, momentum=0.9)), 2, [recorder])
    steps = range(0, 10, every)
    assert_recorded(recorder, expected([0.1] * 10, 0.9), steps)
    assert recorder.history["learning_rate"] == [0.1] * len(steps)
    assert recorder.history["momentum"] == [0.9] * len(steps)
    ours = library is keras_optlab.optimizers
    assert recorder.history.get("skipped_steps") == ([0] * len(steps) if ours else None)


def test_the_norm_is_before_clipping_and_without_loss_scale():
    recorder = Recorder()
    fit(
        linear_model(SGD(0.1, momentum=0.9, global_clipnorm=0.5, loss_scale_factor=64.0)),
        1,
        [recorder],
    )
    assert_recorded(recorder, expected([0.1] * 5, 0.9, updates_are_clipped_to=0.5), range(5))


def test_a_dynamic_scale_of_the_loss_is_taken_out():
    optimizer = keras.optimizers.LossScaleOptimizer(SGD(0.1, momentum=0.9), initial_scale=256.0)
    recorder = Recorder()
    fit(linear_model(optimizer), 1, [recorder])
    assert_recorded(recorder, expected([0.1] * 5, 0.9), range(5))


def test_schedules_of_rate_and_momentum_are_read_at_their_step():
    rate = keras_optlab.schedules.PowerDecay(0.1, 3)
    momentum = keras_optlab.schedules.OneCycleMomentum(5, pct_start=0.5)
    recorder = Recorder(by=None)
    fit(linear_model(SGD(rate, momentum)), 1, [recorder])
    steps = range(5)
    np.testing.assert_allclose(
        recorder.history["learning_rate"], [0.1 / (1 + t / 3) for t in steps], rtol=1e-6
    )
    np.testing.assert_allclose(
        recorder.history["momentum"], [momentum.at(t) for t in steps], rtol=1e-6
    )
    assert not any(name.startswith("update_ratio") for name in recorder.history)


@pytest.mark.parametrize("recorder_first", [True, False])
def test_it_sees_the_values_of_one_cycle(recorder_first):
    cycle, recorder = OneCycle(0.2), Recorder()
    callbacks = [recorder, cycle] if recorder_first else [cycle, recorder]
    model = linear_model(SGD(0.01, momentum=0.5))
    fit(model, 2, callbacks)
    # The tests of OneCycle compare its history to PyTorch.
    for name in ("learning_rate", "momentum"):
        np.testing.assert_allclose(recorder.history[name], cycle.history[name], rtol=1e-6)
    assert recorder.history["momentum"][0] == pytest.approx(0.95)


def network(optimizer, normalized):
    """Return a network whose steps depend on random numbers and on non-trainable state."""
    keras.utils.set_random_seed(5)
    middle = [keras.layers.BatchNormalization()] if normalized else []
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dropout(0.3),
        *middle,
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    # On TensorFlow without XLA, batch normalization is the exception named in the docstring.
    model.compile(optimizer, "mse", metrics=["mae"], jit_compile=normalized and BACKEND != "torch")
    return model


@pytest.mark.parametrize(
    ("optimizer", "normalized"),
    quick(
        [(lambda: SGD(0.1, 0.9), True), (lambda: keras.optimizers.Adam(0.01), False)],
        lambda optimizer, normalized: normalized,
    ),
    ids=["SGD", "Adam"],
)
def test_training_is_the_same_to_the_last_bit(optimizer, normalized, tmp_path):
    outcomes = []
    for callbacks in ([], [Recorder(every=2, csv=tmp_path / "record.csv")]):
        model = network(optimizer(), normalized)
        history = fit(model, 2, callbacks)
        state = [keras.ops.convert_to_numpy(variable) for variable in model.optimizer.variables]
        outcomes.append((model.get_weights() + state, history.history))
    (plain, plain_logs), (recorded, recorded_logs) = outcomes
    assert recorded_logs == plain_logs
    for a, b in zip(plain, recorded, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_model_is_afterwards_as_before():
    model = linear_model(SGD(0.1))
    fit(model, 1)
    before = model.train_function
    attributes = [set(vars(each)) for each in (model, model.optimizer, model.metrics[0])]
    fit(model, 1, [Recorder()])
    assert model.train_function is before
    assert [set(vars(e)) for e in (model, model.optimizer, model.metrics[0])] == attributes


def test_an_interrupted_training_leaves_a_model_that_trains():
    model, recorder = linear_model(SGD(0.1)), Recorder()
    with pytest.raises(InterruptionError):
        fit(model, 1, [recorder, Interrupt("on_train_batch_begin", 2)])
    assert recorder.steps == [0, 1]
    fit(model, 1)
    assert recorder.steps == [0, 1]
    assert model.train_function != recorder.train


def test_further_fits_go_on_and_another_model_starts_afresh(tmp_path):
    recorder = Recorder(every=2, csv=tmp_path / "record.csv")
    model = linear_model(Adam(0.1))
    fit(model, 1, [recorder])
    fit(model, 1, [recorder])
    assert recorder.steps == [0, 2, 4, 6, 8]
    with open(tmp_path / "record.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row.pop("step")) for row in rows] == recorder.steps
    assert rows == [
        {name: str(values[n]) for name, values in recorder.history.items()} for n in range(5)
    ]
    fit(linear_model(Adagrad(0.1)), 1, [recorder])
    assert recorder.steps == [0, 2, 4]
    assert "momentum" not in recorder.history


def test_tensorboard_finds_the_same_numbers(tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.util.tensor_util import make_ndarray

    recorder = Recorder(log_dir=tmp_path / "logs")
    fit(linear_model(SGD(0.1)), 1, [recorder])
    events = reading.EventAccumulator(str(tmp_path / "logs")).Reload()
    assert set(events.Tags()["tensors"]) == set(recorder.history)
    for name, values in recorder.history.items():
        found = events.Tensors(name)
        assert [event.step for event in found] == recorder.steps
        written = [make_ndarray(event.tensor_proto).item() for event in found]
        np.testing.assert_array_equal(written, np.float32(values))


def test_missing_packages_are_named(monkeypatch, tmp_path):
    for module in ("callbacks.record_files", "drawing"):
        util = importlib.import_module(f"keras_optlab.{module}").importlib.util
        monkeypatch.setattr(util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"log_dir=.*pip install tensorboard"):
        fit(linear_model(SGD(0.1)), 1, [Recorder(log_dir=tmp_path)])
    recorder = Recorder()
    fit(linear_model(SGD(0.1)), 1, [recorder])
    with pytest.raises(ImportError, match="pip install matplotlib"):
        recorder.plot()


def test_groups_have_their_ratios():
    # A frozen bias does not move at all.
    group = keras_optlab.ParameterGroup("bias$", learning_rate_multiplier=0.0)
    recorder = Recorder(by="group")
    fit(linear_model(SGD(0.1, groups=[group])), 1, [recorder])
    assert recorder.history["update_ratio/bias$"] == [0.0] * 5
    w = START[:3]
    (gradient,) = gradients(1)
    first = 0.1 * np.linalg.norm(gradient(START)[:3]) / np.linalg.norm(w)
    assert recorder.history["update_ratio/others"][0] == pytest.approx(first, rel=1e-5)


def test_a_layer_that_starts_at_zero_has_no_finite_ratio():
    model = linear_model(SGD(0.1))
    model.set_weights([np.zeros((3, 1)), np.zeros(1)])
    recorder = Recorder()
    fit(model, 1, [recorder])
    (ratios,) = (values for name, values in recorder.history.items() if "update_ratio" in name)
    assert ratios[0] == math.inf
    assert all(map(math.isfinite, ratios[1:]))
    assert recorder.plot() is not None


def test_rows_looked_up_twice_are_summed_before_the_norm():
    table = np.array([[1.0], [2.0], [3.0]], "float32")
    embedding = keras.layers.Embedding(3, 1)
    model = keras.Sequential([keras.Input((2,), dtype="int32"), embedding])
    model.set_weights([table])
    model.compile(SGD(0.1), loss=lambda _, prediction: keras.ops.sum(prediction))
    recorder = Recorder()
    x = np.array([[1, 1]], "int32")
    model.fit(x, np.zeros((1, 2, 1)), verbose=0, callbacks=[recorder])
    assert recorder.history["gradient_norm"] == [pytest.approx(2.0)]


def test_skipped_steps_are_counted():
    x = X.copy()
    x[BATCH_SIZE] = np.nan
    model, recorder = linear_model(SGD(0.1, nonfinite="skip")), Recorder()
    with pytest.warns(UserWarning, match="Expected finite gradients"):
        model.fit(x, Y, batch_size=BATCH_SIZE, shuffle=False, verbose=0, callbacks=[recorder])
    assert recorder.history["skipped_steps"] == [0, 1, 1, 1, 1]
    (name,) = (name for name in recorder.history if name.startswith("update_ratio"))
    assert [ratio == 0 for ratio in recorder.history[name]] == [False, True, False, False, False]
    assert [math.isnan(norm) for norm in recorder.history["gradient_norm"]] == [
        False,
        True,
        False,
        False,
        False,
    ]
    labels = [axes.get_ylabel() for axes in recorder.plot().axes]
    assert "skipped steps" in labels


class TwoStep(keras.Model):
    """A model with a custom train step that does not use the optimizer."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, *arguments):
        return ({"own": 1.0}, arguments[0]) if BACKEND == "jax" else {"own": 1.0}


def test_a_step_without_gradients_is_an_error():
    model = TwoStep()
    model.compile(SGD(0.1), "mse")
    with pytest.raises(ValueError, match="`train_step` calls neither `apply`"):
        fit(model, 1, [Recorder()])


@pytest.mark.parametrize(
    ("optimizer", "arguments", "message"),
    [
        (lambda: SGD(0.1), {"by": "group"}, "needs an optimizer with parameter groups"),
        (lambda: keras.optimizers.SGD(0.1), {"by": "group"}, "parameter groups"),
        pytest.param(
            lambda: keras.optimizers.MultiOptimizer(
                keras.optimizers.OptimizerMap(SGD(0.1), {"bias": SGD(0.2)})
            ),
            {},
            "one learning rate",
            marks=needs_multi_optimizer,
        ),
    ],
)
def test_training_that_cannot_be_recorded_is_refused(optimizer, arguments, message):
    with pytest.raises(ValueError, match=message):
        fit(linear_model(optimizer()), 1, [Recorder(**arguments)])


@pytest.mark.skipif(BACKEND == "torch", reason="Keras on torch has one step an execution")
def test_several_steps_an_execution_are_refused():
    with pytest.raises(ValueError, match=r"steps_per_execution=2.*steps_per_execution=1"):
        fit(linear_model(SGD(0.1), steps_per_execution=2), 1, [Recorder()])


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("every", 0, ValueError),
        ("every", 1.5, TypeError),
        ("by", "variable", ValueError),
        ("by", 3, TypeError),
        ("csv", 3, TypeError),
        ("csv", "", ValueError),
        ("log_dir", True, TypeError),
    ],
)
def test_wrong_arguments_are_named(name, value, error):
    with pytest.raises(error, match=f"`{name}` must be .*Received: {name}="):
        Recorder(**{name: value})


def test_the_plot_shows_each_curve_and_is_written(tmp_path):
    recorder = Recorder()
    with pytest.raises(ValueError, match="no step has been recorded"):
        recorder.plot()
    fit(linear_model(SGD(0.1, momentum=0.9)), 1, [recorder])
    figure = recorder.plot(tmp_path / "record.png")
    assert (tmp_path / "record.png").read_bytes().startswith(b"\x89PNG")
    labels = ["learning rate", "momentum", "loss", "gradient norm", "update ratio"]
    assert [axes.get_ylabel() for axes in figure.axes] == labels
    # No step was skipped, so that curve is not drawn.
    shown = [values for name, values in recorder.history.items() if name != "skipped_steps"]
    drawn = [axes.lines[0].get_xydata() for axes in figure.axes]
    for points, values in zip(drawn, shown, strict=True):
        np.testing.assert_array_equal(points, np.column_stack([recorder.steps, values]))


def test_the_examples_of_the_docstrings_run():
    results = doctest.testmod(
        importlib.import_module("keras_optlab.callbacks.recorder"),
        extraglobs={"keras": keras, "keras_optlab": keras_optlab},
    )
    assert results.failed == 0
    assert results.attempted > 0
