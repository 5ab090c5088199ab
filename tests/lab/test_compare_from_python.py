"""`keras_optlab.lab.compare`, with the user's models and data."""

import json
import random
import sys

import keras
import numpy as np
import pytest

import keras_optlab.lab
from keras_optlab.lab import data, network, training
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.objective import Objective
from keras_optlab.lab.results import Run
from keras_optlab.lab.training import Examiner, Task
from keras_optlab.lab.user_code import load_function
from optlab import command

# Full comparisons and pictures, for CI and for work on the lab.
pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(3)
IMAGES = RANDOM.normal(size=(90, 4, 4, 1)).astype("float32")
KINDS = np.where(IMAGES[:, :2].mean(axis=(1, 2, 3)) > 0, "bright above", "bright below")
DATASET = data.from_arrays("images", (IMAGES, KINDS), 0, standardize=False)


def flat(**compiled):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(2, activation="softmax"),
        ]
    )
    if compiled:
        model.compile("sgd", **compiled)
    return model


@pytest.fixture(scope="module")
def results():
    """A sweep over two seeds of a user's model, on images with words as labels."""
    random.seed(5)
    np.random.seed(5)
    results = keras_optlab.lab.compare(
        IMAGES,
        KINDS,
        flat,
        optimizers=["Adam"],
        epochs=2,
        batch_size=12,
        seeds=2,
        sweep=[1, 10],
        target=0.6,
        built_in=False,
    )
    assert (random.random(), np.random.random()) == (random.Random(5).random(), first_of(5))
    return results


def first_of(seed):
    return np.random.RandomState(seed).random_sample()


def test_every_rate_and_seed_is_trained_and_the_best_is_shown(results):
    (comparison,) = results.comparisons
    assert [point.rate for point in comparison.points] == pytest.approx([0.01, 0.1])
    assert all([duel.run.seed for duel in point.duels] == [0, 1] for point in comparison.points)
    means = [
        np.mean([duel.ours.validation_metric[-1] for duel in point.duels])
        for point in comparison.points
    ]
    assert means[comparison.best] == max(means)
    assert comparison.final("ours").mean == pytest.approx(max(means))
    assert f"learning_rate={comparison.rate:g}" in comparison.setting
    assert results.target == 0.6
    assert results.data["shape"] == [4, 4, 1]
    assert results.data["preparation"] == "features unscaled"
    assert results.data["classes"] == ["bright above", "bright below"]
    assert "flat, with " in results.model


@pytest.mark.slow
def test_both_sides_have_the_same_dropout(results):
    task = Task(DATASET, flat, 2, 12, built_in=True)
    run = Run("optimizer", "Adam", 0.01, 1)
    duel = training.duel(task.contender(run), task, run, Examiner(task))
    assert duel.weight_difference <= 1e-4
    np.testing.assert_allclose(duel.ours.training_loss, duel.built_in.training_loss, rtol=1e-4)
    # `compare` found the same, although it did not train the built-in in between.
    (found,) = (
        one.ours
        for point in results.comparisons[0].points
        for one in point.duels
        if (one.run.rate, one.run.seed) == (0.01, 1)
    )
    assert found.training_loss == duel.ours.training_loss


def test_results_write_their_report(results, tmp_path):
    page = results.report(tmp_path / "report")
    assert page == tmp_path / "report" / "report.html"
    text = page.read_text(encoding="utf-8")
    call = "keras_optlab.lab.compare(x=x, y=y, model=flat, optimizers=[&#39;Adam&#39;]"
    assert call in text
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="it is not a folder"):
        results.report(tmp_path / "file")


def test_validation_data_are_those_that_are_given():
    dataset = data.from_arrays("x", (IMAGES, KINDS, IMAGES[:7], KINDS[:7]), 0, standardize=True)
    assert (len(dataset.x_train), len(dataset.x_validation)) == (90, 7)
    mean, deviation = IMAGES.mean(axis=0, dtype="float64"), IMAGES.std(axis=0, dtype="float64")
    np.testing.assert_allclose(dataset.x_train, (IMAGES - mean) / deviation, atol=1e-5)
    np.testing.assert_allclose(dataset.x_validation, dataset.x_train[:7])
    np.testing.assert_array_equal(dataset.y_validation, KINDS[:7] == "bright below")


def test_probabilities_and_logits_give_the_same_validation_loss():
    def logits():
        model = flat()
        model.layers[-1].activation = keras.activations.linear
        return model

    found = []
    for build in (flat, logits):
        task = Task(DATASET, build, 1, 12, built_in=False)
        examiner = Examiner(task)
        assert examiner.objective.from_logits is (build is logits)
        found.append(examiner.validate(examiner.model.get_weights()))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def one_model():
    return ONE


ONE = flat()
INITIAL = np.random.default_rng()


def unseeded():
    model = flat()
    model.set_weights([INITIAL.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def one_output():
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])


def wrong_shape():
    return keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])


def not_built():
    """Return layers without an `Input`, as many users write them."""
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(2)])


def untrainable():
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: 1 / 0, "that builds the model failed: ZeroDivisionError"),
        (lambda: "model", "must return a keras.Model. Received: str"),
        (lambda size: None, "that builds the model failed: TypeError"),
        (one_model, "must build a new one on every call"),
        (unseeded, "gives different initial weights each time"),
        (one_output, r"one output for each of the 2 classes.*Received: outputs of shape \(18, 1\)"),
        (wrong_shape, r"does not take examples of shape \(4, 4, 1\)"),
        (untrainable, "has no weights to train"),
        (lambda: flat(loss="mse"), "loss='mse'; return the model uncompiled"),
        (
            lambda: flat(loss=keras.losses.SparseCategoricalCrossentropy(True)),
            "outputs are probabilities, but it is compiled with from_logits=True",
        ),
    ],
)
def test_a_model_that_cannot_be_compared_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        keras_optlab.lab.compare(IMAGES, KINDS, model, optimizers="SGD", epochs=1)


@pytest.mark.parametrize(
    "model",
    [
        not_built,
        lambda: flat(loss="sparse_categorical_crossentropy"),
        lambda: flat(loss=keras.losses.SparseCategoricalCrossentropy()),
        lambda: flat(loss=keras.losses.sparse_categorical_crossentropy),
        lambda: flat(loss=keras.losses.SparseCategoricalCrossentropy(ignore_class=1)),
    ],
)
def test_a_model_may_be_unbuilt_or_compiled(model):
    built = network.build(model, DATASET, 0)
    assert Objective(built, DATASET).from_logits is (model is not_built)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"epochs": 0},
            ValueError,
            r"`epochs` must be an integer >= 1 and < 2\*\*31. Received: epochs=0",
        ),
        (
            {"seeds": 2.5},
            TypeError,
            r"`seeds` must be an integer >= 1 and < 2\*\*31. Received: seeds=2.5",
        ),
        (
            {"jobs": True},
            TypeError,
            r"`jobs` must be an integer >= 1 and < 2\*\*31. Received: jobs=True",
        ),
        (
            {"seed": -1},
            ValueError,
            r"`seed` must be an integer >= 0 and < 2\*\*31. Received: seed=-1",
        ),
        ({"target": 95}, ValueError, r"target must be a number in the range \(0, 1\] for accuracy"),
        ({"target": float("inf")}, ValueError, "`target` must be a finite number"),
        ({"task": "ranking"}, ValueError, "`task` must be one of 'classification', 'regression'"),
        ({"task": "regression"}, ValueError, "target must be a finite number. Received: 'bright"),
        ({"metric": keras.metrics.AUC()}, TypeError, "`metric` must be a string"),
        ({"metric": "acc1"}, ValueError, "must be one that `compile` takes.*acc1"),
        ({"metric": "os:getcwd2"}, ValueError, "--metric: os has no function 'getcwd2'"),
        (
            {"tune": -1},
            ValueError,
            r"`tune` must be an integer >= 0 and < 2\*\*31. Received: tune=-1",
        ),
        ({"tune": 2, "sweep": True}, ValueError, "tuning searches the learning rate too"),
        ({"target": "high"}, TypeError, "`target` must be a finite number"),
        ({"sweep": []}, ValueError, "the sweep must have at least one factor"),
        ({"sweep": [1, float("nan")]}, ValueError, "each item is a finite number > 0"),
        ({"sweep": "wide"}, TypeError, "`sweep` must be a list"),
        ({"optimizers": ["Adamm"]}, ValueError, "unknown optimizer 'Adamm': did you mean Adam?"),
        (
            {"optimizers": [keras.optimizers.SGD]},
            TypeError,
            "`optimizers` must be a list in which each item",
        ),
        ({"y": None}, ValueError, "expected both `x` and `y`, or neither"),
        ({"y": KINDS[:-1]}, ValueError, r"labels of shape \(89,\)"),
        (
            {"validation_data": IMAGES},
            ValueError,
            r"x_validation, y_validation\)\. Received: tuple of 92",
        ),
        ({"validation_data": (IMAGES[:, :2], KINDS)}, ValueError, "must have the same shape"),
        ({"jobs": 2, "dask": "tcp://x:1"}, ValueError, "dask for a cluster: choose one"),
        ({"fresh": True}, ValueError, "`fresh` deletes the runs in `folder`"),
        ({"batch_size": 73}, ValueError, "at most the number of training rows, 72"),
    ],
)
def test_wrong_arguments_are_refused_before_training(arguments, error, message):
    given = {"x": IMAGES, "y": KINDS, "optimizers": ["SGD"], "epochs": 1, **arguments}
    with pytest.raises(error, match=message):
        keras_optlab.lab.compare(**given)


USER = """
import keras
import numpy as np


def pairs():
    random = np.random.default_rng(1)
    x = random.normal(size=(40, 6))
    return x, (x[:, 0] > 0).astype(int)


def four():
    x, y = pairs()
    return x[:30], y[:30], x[30:], y[30:]


def wrong():
    return pairs()[0]


def broken():
    raise OSError("no such\\nbucket")


def build():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
"""


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A user's file with data and a model."""
    monkeypatch.setattr("sys.path", list(sys.path))
    (tmp_path / "mine.py").write_text(USER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_takes_functions_for_data_and_model(user, capsys):
    given = ["compare", "--optimizers", "SGD", "--epochs", "1", "--batch-size", "8"]
    given += ["--data", "mine.py:four", "--model", "mine.py:build", "--out", "report"]
    given += ["--sweep-factors", "1,3", "--without-built-in"]
    assert command.main(given) == 0
    assert "Report: report/report.html" in capsys.readouterr().out
    results = json.loads((user / "report" / "results.json").read_text())
    assert results["data"]["training_rows"] == 30
    assert results["data"]["preparation"] == "features unscaled"
    assert results["model"] == "The model of mine.py:build, with 14 weights"
    rates = [point["rate"] for point in results["comparisons"][0]["points"]]
    assert rates == pytest.approx([0.05, 0.15])
    assert results["again"].endswith(f"--without-built-in --backend {keras.backend.backend()}")
    assert command.main(given) == 0
    assert "Finished runs reused: 2" in capsys.readouterr().out
    assert command.main([*given, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["comparisons"] == results["comparisons"]


def test_a_file_is_run_once_even_if_named_like_a_module(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", list(sys.path))
    path = tmp_path / "json.py"
    path.write_text("def build():\n    pass\n")
    functions = [load_function(f"{path}:build", "--model") for _ in range(2)]
    assert functions[0] is functions[1]
    assert not hasattr(json, "build")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "mine.py:wrong"], "expected (x, y) or (x_train, y_train"),
        (["--data", "mine.py:broken"], "--data: mine.py:broken failed: OSError: no such bucket"),
        (["--data", "mine.py:pairs", "--model", "mine.py:pairs"], "must return a keras.Model"),
        (["--model", "mine.py:nothing"], "has no function 'nothing'"),
        (["--model", "mine.py:build"], "does not take examples of shape (64,)"),
    ],
)
def test_errors_in_user_functions_are_one_line(arguments, message, user, capsys):
    assert command.main(["compare", "--optimizers", "SGD", "--epochs", "1", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (user / "optlab-report").exists()


def test_data_of_a_function_are_standardized_for_the_network(user):
    dataset = data.load("mine.py:four", None, 0, standardize=True)
    np.testing.assert_allclose(dataset.x_train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(dataset.x_train.std(axis=0), 1, atol=1e-5)


def test_integers_stay_integers_for_a_model_of_the_user():
    tokens = np.arange(80).reshape(20, 4)
    labels = np.arange(20) % 2
    for dtype, kept in (("int64", "int32"), ("uint8", "uint8"), ("bool", "int32")):
        given = tokens.astype(dtype)
        dataset = data.from_arrays("x", (given, labels, given, labels), 0, standardize=False)
        assert dataset.x_train.dtype == kept
        np.testing.assert_array_equal(dataset.x_train, given)
    with pytest.raises(InputError, match="too large for int32"):
        data.from_arrays("x", (tokens + 2**40, labels), 0, standardize=False)
    with pytest.raises(InputError, match="too large for float32"):
        data.from_arrays("x", (tokens * 1e300, labels), 0, standardize=False)
