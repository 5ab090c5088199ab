"""Comparisons on regression and series, with a metric of the user's choice."""

import functools
import json

import keras
import numpy as np
import pandas
import pytest

import keras_optlab.lab
from keras_optlab.lab import data, network, training
from keras_optlab.lab.objective import Choice, Objective
from keras_optlab.lab.training import Examiner, Task
from optlab import command

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(100, 3)).astype("float32")
Y = (X @ [1.0, -2.0, 0.5] + 0.1 * RANDOM.normal(size=100)).astype("float32")
SERIES = RANDOM.normal(size=(100, 6, 2)).astype("float32")
LAST = np.where(SERIES[:, -1, 0] > 0, "up", "down")
layers = keras.layers


def regression(x=X, y=Y, standardize=False):
    return data.from_arrays("x", (x, y), 0, standardize)


def linear(units=1, shape=(3,), **compiled):
    model = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(units)])
    if compiled:
        model.compile("sgd", **compiled)
    return model


def within_half(targets, outputs):
    """A user's metric: Keras cannot tell whether higher or lower is better."""
    near = keras.ops.abs(keras.ops.reshape(targets, (-1,)) - keras.ops.reshape(outputs, (-1,)))
    return keras.ops.cast(near < 0.5, "float32")


def nonsense(targets, outputs):
    raise TypeError("no such thing")


# Which loss and metric


@pytest.mark.parametrize(
    ("build", "asked", "name", "higher_is_better"),
    [
        (linear, None, "mean_absolute_error", False),
        (linear, "mse", "mse", False),
        (linear, "r2_score", "r2_score", True),
        (linear, "loss", "loss", False),
        (lambda: linear(loss="huber", metrics=["r2_score", "mse"]), None, "r2_score", True),
        (lambda: linear(loss="huber", metrics=["r2_score", "mse"]), "mse", "mse", False),
        (lambda: linear(loss="huber"), None, "mean_absolute_error", False),
        (linear, "test_compare_any_task:within_half", "within_half", True),
    ],
)
def test_the_metric_is_asked_for_or_the_first_of_the_model(
    build, asked, name, higher_is_better, this_module
):
    better = True if name == "within_half" else None
    objective = Objective(build(), regression(), Choice(asked, better))
    assert (objective.metric.name, objective.metric.higher_is_better) == (name, higher_is_better)


def accuracy(targets, outputs):
    """A user's metric that has the name of one of Keras' metrics."""
    return keras.ops.full((keras.ops.shape(outputs)[0],), 0.25)


def test_a_users_metric_called_accuracy_is_the_one_computed():
    build = functools.partial(linear, 2, (6, 2))
    dataset = data.from_arrays("x", (SERIES, LAST), 0, True)
    outputs = np.zeros((len(dataset.y_validation), 2), "float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    theirs = Objective(build(loss=loss, metrics=[accuracy]), dataset, Choice(None, True))
    assert theirs.metric.name == "accuracy"
    assert theirs.score(outputs)[1] == 0.25
    ours = Objective(build(), dataset)
    assert ours.in_float64
    assert ours.score(outputs)[1] == np.mean(dataset.y_validation == 0)


@pytest.fixture
def this_module(monkeypatch):
    """Make the functions of this file importable as `test_compare_any_task`."""
    import sys
    import types

    module = types.ModuleType("test_compare_any_task")
    module.within_half, module.nonsense = within_half, nonsense
    monkeypatch.setitem(sys.modules, "test_compare_any_task", module)


def test_loss_metric_and_guess_are_those_of_the_formulas():
    dataset = regression()
    model = linear()
    outputs = model.predict(dataset.x_validation, verbose=0)
    error = outputs[:, 0] - dataset.y_validation
    objective = Objective(model, dataset)
    assert objective.score(outputs) == pytest.approx(((error**2).mean(), np.abs(error).mean()))
    error = dataset.y_train.mean() - dataset.y_validation
    expected = (error**2).mean(), np.abs(error).mean()
    assert objective.guess == pytest.approx(expected, rel=1e-5)
    assert objective.is_hopeless(*objective.guess)
    assert not objective.is_hopeless(objective.guess[0], objective.guess[1] - 0.01)
    assert np.isnan(objective.score(np.full_like(outputs, np.nan))).all()


def test_the_loss_of_a_compiled_model_trains_it():
    def build():
        return linear(loss="mean_absolute_percentage_error", metrics=["mae"])

    task = Task(regression(), build, 1, 80, built_in=False)
    examiner = Examiner(task)
    side = training.Side(lambda: keras.optimizers.SGD(0.0))
    trainee = training.Trainee(side, task, 0, examiner)
    trainee.train(0, np.arange(80))
    outputs = trainee.model.predict(task.dataset.x_train, verbose=0)[:, 0]
    targets = task.dataset.y_train
    expected = 100 * np.mean(np.abs(outputs - targets) / np.abs(targets))
    assert trainee.training_loss == pytest.approx([expected], rel=1e-4)


def test_two_classes_may_have_one_output_with_its_loss():
    dataset = data.from_arrays("x", (X, Y > 0), 0, standardize=False)

    def sigmoid():
        dense = layers.Dense(1, "sigmoid", kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((3,)), dense])
        model.compile("sgd", "binary_crossentropy", metrics=["AUC"])
        return model

    objective = Objective(sigmoid(), dataset)
    assert objective.metric.higher_is_better and not objective.from_logits
    share = (dataset.y_train == 1).mean()
    right = np.where(dataset.y_validation == 1, share, 1 - share)
    assert objective.guess[0] == pytest.approx(-np.log(right).mean(), rel=1e-5)
    loss, _ = objective.score(np.full((20, 1), 0.5, "float32"))
    assert loss == pytest.approx(np.log(2), rel=1e-5)


@pytest.mark.parametrize(
    ("build", "asked", "message"),
    [
        (linear, "test_compare_any_task:within_half", "Keras does not say whether a higher within"),
        (linear, "test_compare_any_task:nonsense", "that `compile` takes.*no such thing"),
        (linear, "mean_square", "that `compile` takes.*Received: mean_square"),
        (lambda: linear(2), None, r"one output for each target.*outputs of shape \(20, 2\)"),
    ],
)
def test_a_metric_or_model_that_does_not_fit_is_refused(build, asked, message, this_module):
    with pytest.raises(ValueError, match=message):
        keras_optlab.lab.compare(X, Y, build, optimizers="SGD", epochs=1, metric=asked)


# Whole comparisons


@pytest.fixture(scope="module")
def results():
    """Regression with the small network: two algorithms, each at a hopeless and a good rate."""
    given = {"optimizers": ["Adam", "SGD"], "epochs": 4, "batch_size": 20, "seeds": 2}
    return keras_optlab.lab.compare(X, Y, sweep=[1e-7, 1], built_in=False, **given)


@pytest.mark.slow
def test_regression_is_ordered_by_its_error(results):
    assert (results.metric.name, results.metric.higher_is_better) == ("mean_absolute_error", False)
    assert results.data["task"] == "regression" and results.data["classes"] == []
    assert results.data["preparation"] == "each feature standardized, targets standardized"
    finals = [comparison.final().mean for comparison in results.comparisons]
    for comparison, final in zip(results.comparisons, finals, strict=True):
        still, learned = comparison.points
        assert comparison.best == 1 and learned.final.mean == final < 0.6
        assert still.final.mean is None or still.final.mean > final
    assert results.target == pytest.approx(1.05 * min(finals))
    names = [comparison.name for comparison in results.ordered("optimizer")]
    assert names == ["Adam", "SGD"][:: 1 if finals[0] <= finals[1] else -1]


@pytest.mark.slow
def test_the_report_calls_the_metric_by_its_name(results, tmp_path):
    page = results.report(tmp_path).read_text(encoding="utf-8")
    for text in (
        "validation mean absolute error",
        "Mean absolute error at every learning rate",
        "1 target",
        "predicting the mean of the targets",
        "Lower is better",
    ):
        assert text in page
    assert "ccuracy" not in page.partition("<script")[0].replace("validation_accuracy", "")
    table = pandas.read_csv(tmp_path / "results.csv")
    assert set(table["metric"]) == {"mean_absolute_error"}
    assert list(table["validation_metric"]) == pytest.approx(
        [comparison.final().mean for comparison in results.comparisons]
    )
    numbers = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert numbers["metric"] == {"name": "mean_absolute_error", "higher_is_better": False}


@pytest.mark.slow
def test_a_training_no_better_than_the_mean_is_ended():
    results = keras_optlab.lab.compare(
        X, Y + 9, linear, optimizers="SGD", epochs=4, sweep=[1e-9], built_in=False
    )
    (comparison,) = results.comparisons
    assert comparison.stopped() == {"no better than guessing": 1}
    assert results.target is None


def test_the_small_network_reads_series_and_shapes_targets():
    dataset = data.from_arrays("x", (SERIES, LAST), 0, standardize=True)
    model = network.build(None, dataset, 3)
    assert [type(layer).__name__ for layer in model.layers] == ["GRU", "Dense"]
    assert network.describe(None, model, dataset) == "A network with one GRU layer of 32 units"
    again = network.build(None, dataset, 3)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    ahead = data.from_arrays("x", (SERIES, SERIES[:, :4]), 0, standardize=False)
    assert network.build(None, ahead, 0).output_shape == (None, 4, 2)


@pytest.mark.slow
def test_series_are_classified():
    given = {"optimizers": ["Adam"], "epochs": 15, "batch_size": 16, "built_in": False}
    results = keras_optlab.lab.compare(SERIES, LAST, sweep=[3], seed=1, **given)
    assert results.comparisons[0].final().mean > 0.75


USER = """
import keras
import numpy as np

random = np.random.default_rng(0)


def series():
    x = random.normal(size=(60, 8, 2))
    return x, x[:, -2:, :].sum(axis=1)


def build():
    layers = [keras.layers.Conv1D(4, 3, activation="relu"), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input((8, 2)), *layers, keras.layers.Dense(2)])
    model.compile("sgd", "huber", metrics=["mae", "cosine_similarity"])
    return model


def worst(targets, outputs):
    return keras.ops.max(keras.ops.abs(targets - outputs), axis=-1)
"""


@pytest.mark.slow
def test_the_command_compares_a_model_of_series(tmp_path, monkeypatch, capsys):
    (tmp_path / "forecast.py").write_text(USER)
    monkeypatch.chdir(tmp_path)
    given = ["compare", "--data", "forecast.py:series", "--model", "forecast.py:build"]
    given += ["--optimizers", "SGD", "--epochs", "2", "--without-built-in"]
    assert command.main([*given, "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert results["metric"] == {"name": "mae", "higher_is_better": False}
    assert (results["data"]["shape"], results["data"]["targets"]) == ([8, 2], 2)
    asked = ["--metric", "forecast.py:worst", "--target", "9", "--out", "other"]
    assert command.main([*given, *asked, "--lower-is-better"]) == 0
    printed = capsys.readouterr().out
    assert "worst" in printed and "to 9" in printed
    assert command.main([*given, *asked]) == 2
    assert "give --higher-is-better or --lower-is-better" in capsys.readouterr().err
