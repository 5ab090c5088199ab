"""The range test: what it finds on a quadratic, and that it restores all state."""

import json
import math
import random
import re

import keras
import numpy as np
import pytest
from selection import EXHAUSTIVE, quick

from keras_optlab import callbacks, find_learning_rate, optimizers, schedules
from keras_optlab.lab import LearningRateRange
from keras_optlab.lab.trace import random_state
from optlab import command

BACKEND = keras.backend.backend()
X = np.random.default_rng(0).normal(size=(48, 4)).astype("float32")
Y = (X @ np.random.default_rng(1).normal(size=(4, 1))).astype("float32")
seconds_to_compile = pytest.mark.skipif(
    BACKEND == "jax", reason="compiles for seconds on JAX: tested on TensorFlow and torch"
)
same_everywhere = pytest.mark.skipif(
    BACKEND != "torch", reason="does not depend on the backend: tested on torch only"
)
# Small models run faster without compilation, except on JAX.
EAGER = BACKEND != "jax"
SHORT = {"start": 1e-4, "end": 1.0, "steps": 12, "batch_size": 8}


def network(optimizer, seed=3, build=True, **compile_arguments):
    """Return a model with every kind of state."""
    keras.utils.set_random_seed(seed)
    layers = [
        *([keras.Input((4,))] if build else []),
        keras.layers.Dense(5, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.3),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer, "mse", **{"metrics": ["mae"], **compile_arguments})
    return model


def quadratic(optimizer, curvature):
    """Return a model with one weight w, starting at 1, and data for the loss curvature / 2 w^2."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.ones((1, 1), "float32")])
    model.compile(optimizer, "mse")
    return model, np.full((1, 1), math.sqrt(curvature / 2), "float32"), np.zeros((1, 1), "float32")


def everything(model):
    """Return all arrays and numbers that a model, its optimizer and the random generators hold."""
    optimizer = model.optimizer
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    held = [*model.variables, *model.metrics_variables, *optimizer.variables]
    if hasattr(inner, "extra_state"):
        held += [*inner.extra_state.variables.values(), *inner.extra_state.arrays.values()]
    arrays = [np.array(keras.ops.convert_to_numpy(value)) for value in held]
    config = repr(optimizer.get_config())
    flags = {
        name: vars(model).get(name, "missing")
        for name in ("history", "stop_training", "steps_per_execution", "train_function")
    }
    return arrays, config, flags, random.getstate(), np.random.get_state()[1:]


def assert_same(found, expected):
    for one, other in zip(found[0], expected[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert found[1:4] == expected[1:4]
    np.testing.assert_array_equal(found[4][0], expected[4][0])
    assert found[4][1:] == expected[4][1:]


# What it finds


@pytest.mark.parametrize(
    ("library", "curvature"), quick([(optimizers, 25.0), (keras.optimizers, 0.8)], [optimizers])
)
def test_on_a_quadratic_the_largest_stable_rate_is_bracketed(library, curvature):
    stable = 2 / curvature
    model, x, y = quadratic(library.SGD(0.1), curvature)
    found = find_learning_rate(
        model, x, y, start=stable / 5.03, end=stable * 5.03, steps=60, smoothing=0.0
    )
    # Each loss is the one before the update with the rate at the same index.
    losses, rates = np.array(found.losses), np.array(found.learning_rates)
    np.testing.assert_allclose(rates, np.geomspace(stable / 5.03, stable * 5.03, 60)[: len(rates)])
    lowest = losses.argmin()
    assert rates[lowest - 1] < stable < rates[lowest]
    assert stable < found.diverged_at < stable * 5.03
    for rate in (found.steepest, found.valley, found.minimum_tenth, found.suggestion):
        assert rates[0] / 10 <= rate < stable
    # The losses follow from the rates: w is multiplied by 1 - rate * curvature.
    weights = np.cumprod(1 - rates[:10] * curvature)
    np.testing.assert_allclose(losses[1:11], curvature / 2 * weights**2, rtol=1e-3)


@pytest.mark.slow
def test_by_default_the_suggestions_are_stable_rates():
    model, x, y = quadratic(optimizers.SGD(0.1), 8.0)
    found = find_learning_rate(model, x, y)
    assert 0.25 < found.diverged_at < 10.0
    assert all(1e-4 < rate < 0.25 for rate in found.suggestions().values())


@same_everywhere
def test_the_smoothed_loss_is_an_average_with_its_bias_taken_out():
    found = find_learning_rate(network("sgd"), X, Y, smoothing=0.8, **SHORT)
    for n in range(len(found.losses)):
        weights = 0.8 ** np.arange(n, -1, -1)
        expected = np.average(found.losses[: n + 1], weights=weights)
        assert found.smoothed_losses[n] == pytest.approx(expected, rel=1e-9)


def fastai(rates, losses):
    """Return the suggestions of fastai's loops, for the part between head and minimum."""
    rates, losses = (list(values)[len(losses) // 10 :] for values in (rates, losses))
    rates, losses = (values[: np.argmin(losses) + 1] for values in (rates, losses))
    lengths, start, end = [1] * len(losses), 0, 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[i] < losses[j] and lengths[i] < lengths[j] + 1:
                lengths[i] = lengths[j] + 1
            if lengths[end] < lengths[i]:
                end = i
                start = end - lengths[end]
    section = (end - start) / 3
    slopes = [
        (losses[i + 1] - losses[i]) / (math.log(rates[i + 1]) - math.log(rates[i]))
        for i in range(len(losses) - 1)
    ]
    return {
        "valley": rates[max(0, start + int(section) + int(section / 2))],
        "steepest": rates[slopes.index(min(slopes))],
        "a tenth of minimum": rates[losses.index(min(losses))] / 10,
    }


@same_everywhere
@pytest.mark.parametrize("smoothing", [0.0, 0.9])
def test_the_suggestions_are_fastais(smoothing):
    found = find_learning_rate(linear(), X, Y, smoothing=smoothing, steps=60, batch_size=8)
    assert found.suggestions() == fastai(found.learning_rates, found.smoothed_losses)
    assert found.suggestion == found.valley


@same_everywhere
def test_it_prints_plots_and_goes_into_a_cycle(tmp_path):
    model = linear()
    found = find_learning_rate(model, X, Y, smoothing=0.8, shuffle=False, **SHORT)
    assert isinstance(found, LearningRateRange)
    assert f"suggestion: {found.valley:.3g}" in str(found) and "steepest" in str(found)
    figure = found.plot(tmp_path / "range.png")
    assert (tmp_path / "range.png").read_bytes().startswith(b"\x89PNG")
    labels = figure.axes[0].get_legend_handles_labels()[1]
    assert any(label.startswith("valley") for label in labels)
    model.fit(X, Y, verbose=0, callbacks=[callbacks.OneCycle(found.suggestion)])


@same_everywhere
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_loss_that_is_not_finite_ends_the_test():
    model, x, y = quadratic(optimizers.SGD(0.1), 1.0)
    found = find_learning_rate(
        model, x, y, start=0.01, end=1e30, steps=60, stop_factor=1e37, smoothing=0.5
    )
    assert np.all(np.isfinite(found.losses)) and len(found.losses) < 60
    assert found.diverged_at > 2.0


# What it leaves behind


class Shuffling(keras.utils.PyDataset):
    """Batches that reorder themselves after each epoch."""

    def __init__(self):
        super().__init__()
        self.order = np.arange(48)

    def __len__(self):
        return 6

    def __getitem__(self, index):
        rows = self.order[8 * index : 8 * index + 8]
        return X[rows], Y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.order)


def constant_rate():
    """A learning rate given as a function."""
    return 0.05


SETTINGS = {
    "SGD": lambda: optimizers.SGD(0.05, momentum=0.9),
    "Adam, accumulating": lambda: optimizers.Adam(0.01, gradient_accumulation_steps=4),
    "schedule": lambda: optimizers.Adam(schedules.CosineDecay(0.01, 50)),
    "ScheduleFreeAdamW": lambda: optimizers.ScheduleFreeAdamW(0.01),
    "wrapped": lambda: keras.optimizers.LossScaleOptimizer(optimizers.SGD(0.05, momentum=0.9)),
    "built-in": lambda: keras.optimizers.Adam(0.01, gradient_accumulation_steps=2),
    "built-in, averaging": lambda: keras.optimizers.Adam(0.01, use_ema=True),
    "built-in with schedule": lambda: keras.optimizers.SGD(
        keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), momentum=0.9
    ),
    "function": lambda: keras.optimizers.SGD(constant_rate),
}


@pytest.mark.parametrize(
    ("name", "trained", "compiled"),
    quick(
        [
            ("SGD", False, True),
            ("Adam, accumulating", True, False),
            ("schedule", True, True),
            ("ScheduleFreeAdamW", True, True),
            pytest.param("wrapped", False, False, marks=seconds_to_compile),
            ("built-in", True, False),
            pytest.param("built-in, averaging", False, False, marks=seconds_to_compile),
            ("built-in with schedule", False, False),
            pytest.param("function", True, False, marks=seconds_to_compile),
        ],
        ["ScheduleFreeAdamW"],
        EXHAUSTIVE,
    ),
)
def test_later_training_is_not_affected(name, trained, compiled):
    results = []
    for called in (False, True):
        model = network(SETTINGS[name](), run_eagerly=EAGER and not compiled)
        if trained:
            model.fit(X, Y, batch_size=8, epochs=1, verbose=0)
        if called:
            find_learning_rate(model, X, Y, **SHORT)
        history = model.fit(X, Y, batch_size=8, epochs=2, verbose=0).history
        results.append((history, everything(model)))
    assert results[0][0] == results[1][0]
    for one, other in zip(results[0][1][0], results[1][1][0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert results[0][1][3] == results[1][1][3]


@pytest.mark.parametrize(
    "name", quick(["schedule", "ScheduleFreeAdamW", "wrapped"], ["ScheduleFreeAdamW"])
)
def test_all_state_is_restored(name):
    model = network(SETTINGS[name](), run_eagerly=EAGER and name == "wrapped")
    model.fit(X, Y, batch_size=8, verbose=0)
    before = everything(model)
    found = find_learning_rate(model, X, Y, stop_factor=1e9, **SHORT)
    assert_same(everything(model), before)
    assert np.ptp(found.losses) > 0
    np.testing.assert_allclose(found.learning_rates, np.geomspace(1e-4, 1, 12), rtol=1e-4)


class Empty(Shuffling):
    """A dataset without batches."""

    def __len__(self):
        return 0


@pytest.mark.parametrize(("at", "error"), quick([(0, LookupError), (3, KeyboardInterrupt)], [3]))
def test_all_state_is_restored_after_an_interruption(at, error):
    model = network(optimizers.ScheduleFreeAdamW(schedules.LinearWarmup(9, 0.01)))
    model.fit(X, Y, batch_size=8, verbose=0)
    before = everything(model)

    class Interrupted(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == at:
                raise error

    watched = keras.callbacks.CallbackList.__init__

    def with_interruption(self, callbacks=None, *arguments, **named):
        watched(self, [*callbacks, Interrupted()], *arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.callbacks.CallbackList, "__init__", with_interruption)
        with pytest.raises(error):
            find_learning_rate(model, X, Y, stop_factor=1e9, **SHORT)
    assert_same(everything(model), before)


def test_all_state_is_restored_if_the_first_step_raises():
    model = network(optimizers.SGD(0.05, momentum=0.9))
    model.fit(X, Y, batch_size=8, verbose=0)
    before = everything(model)
    train_step = model.train_step

    def broken(*arguments):
        raise RuntimeError("broken")

    model.train_step = broken
    with pytest.raises(RuntimeError, match="broken"):
        find_learning_rate(model, X, Y, **SHORT)
    model.train_step = train_step
    assert_same(everything(model), before)
    model.fit(X, Y, batch_size=8, verbose=0)


@pytest.mark.slow
def test_a_model_that_is_not_built_begins_with_the_same_weights():
    fresh, tested = network("sgd", build=False), network("sgd", build=False)
    find_learning_rate(tested, X, Y, **SHORT)
    assert tested.optimizer.iterations == 0
    keras.utils.set_random_seed(5)
    fresh.fit(X, Y, batch_size=8, verbose=0)
    keras.utils.set_random_seed(5)
    tested.fit(X, Y, batch_size=8, verbose=0)
    for one, other in zip(fresh.get_weights(), tested.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_dataset_does_not_reorder_itself():
    data = Shuffling()
    keras.utils.set_random_seed(1)
    find_learning_rate(network("sgd"), data, **{**SHORT, "steps": 20, "batch_size": None})
    np.testing.assert_array_equal(data.order, np.arange(48))
    # Afterwards it is notified of epochs again.
    data.on_epoch_end()
    assert (data.order != np.arange(48)).any()


def test_random_generators_are_restored():
    keras.utils.set_random_seed(4)
    keras.random.normal((2,))

    def draw():
        numbers = [random.random(), np.random.rand()]
        numbers += np.array(keras.ops.convert_to_numpy(keras.random.normal((2,)))).tolist()
        if BACKEND == "tensorflow":
            import tensorflow as tf

            numbers.append(float(tf.random.normal(())))
        if BACKEND == "torch":
            import torch

            numbers.append(float(torch.rand(())))
        return numbers

    put_back = random_state()
    first = draw()
    assert draw() != first
    put_back()
    assert draw() == first


# Kinds of data and models


def generated():
    """Yield the batches of one epoch."""
    for start in range(0, 48, 8):
        yield X[start : start + 8], Y[start : start + 8]


def data_loader():
    torch = pytest.importorskip("torch")
    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(rows, batch_size=8)


def tf_dataset(repeated=False):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(8)
    return dataset.repeat() if repeated else dataset


KINDS = {
    "function": lambda: generated,
    "PyDataset": Shuffling,
    "DataLoader": data_loader,
    "tf.data": tf_dataset,
    "tf.data without end": lambda: tf_dataset(repeated=True),
}


# Six batches per epoch, so that two and a half epochs are needed.
OVER_EPOCHS = {"start": 1e-4, "end": 0.1, "steps": 15, "shuffle": False}


@pytest.fixture(scope="module")
def from_arrays():
    """The result for the same batches passed as arrays."""
    return find_learning_rate(linear(), X, Y, batch_size=8, **OVER_EPOCHS)


@pytest.mark.parametrize("kind", quick(KINDS, ["function", "PyDataset", "tf.data"]))
def test_other_data_gives_the_result_of_arrays(kind, from_arrays):
    found = find_learning_rate(linear(), KINDS[kind](), **OVER_EPOCHS)
    np.testing.assert_allclose(found.losses, from_arrays.losses, rtol=1e-5)


def linear(**compile_arguments):
    """Return a linear model that starts from the same weights each time."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((4, 1), "float32")])
    model.compile(optimizers.SGD(0.1, momentum=0.9), "mse", **compile_arguments)
    return model


@pytest.mark.slow
def test_several_inputs_and_sample_weights():
    first, second = keras.Input((2,), name="first"), keras.Input((2,), name="second")
    output = keras.layers.Dense(1)(keras.layers.Concatenate()([first, second]))
    model = keras.Model({"first": first, "second": second}, output)
    model.compile("sgd", "mse")
    data = {"first": X[:, :2], "second": X[:, 2:]}
    settings = {**SHORT, "shuffle": False}
    plain = find_learning_rate(model, data, Y, **settings)
    weighted = find_learning_rate(model, data, Y, sample_weight=np.full(48, 2.0), **settings)
    assert weighted.losses[0] == pytest.approx(2 * plain.losses[0], rel=1e-5)


@same_everywhere
def test_rows_for_validation_are_left_out():
    y = Y.copy()
    y[24:] = np.nan
    found = find_learning_rate(linear(), X, y, validation_split=0.5, **SHORT)
    assert len(found.losses) == 12


def test_a_step_is_an_update():
    settings = {"start": 1e-3, "end": 0.1, "steps": 8, "shuffle": False}
    whole = find_learning_rate(linear(run_eagerly=EAGER), X, Y, batch_size=24, **settings)
    model = linear()
    accumulating = optimizers.SGD(0.1, momentum=0.9, gradient_accumulation_steps=3)
    model.compile(accumulating, "mse", run_eagerly=EAGER)
    found = find_learning_rate(model, X, Y, batch_size=8, **settings)
    assert len(found.losses) == 8
    np.testing.assert_allclose(found.losses, whole.losses, rtol=1e-4)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras on torch has no steps_per_execution")
def test_an_execution_of_several_steps_is_taken_apart():
    settings = {**SHORT, "shuffle": False}
    model = linear(steps_per_execution=3)
    found = find_learning_rate(model, X, Y, **settings)
    expected = find_learning_rate(linear(), X, Y, **settings)
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)
    assert model.steps_per_execution == 3
    model.fit(X, Y, batch_size=8, verbose=0)
    assert model.optimizer.iterations == 6


# What it refuses


def ascent(y_true, y_pred):
    """A loss that no learning rate reduces."""
    return keras.ops.mean(keras.ops.square(y_true - y_pred)) * 0.0 + 1.0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"start": 1.0, "end": 1.0}, ValueError, "`start` must be less than `end`"),
        ({"start": 0.0}, ValueError, "`start` must be a finite number > 0"),
        ({"end": math.inf}, ValueError, "`end` must be a finite number > 0"),
        ({"start": "small"}, TypeError, "Received: start='small'"),
        ({"steps": 1}, ValueError, "`steps` must be an integer >= 2"),
        ({"steps": 10.5}, TypeError, "`steps` must be an integer >= 2"),
        ({"smoothing": 1.0}, ValueError, "`smoothing` must be a number in the range"),
        ({"stop_factor": 1.0}, ValueError, "`stop_factor` must be a finite number > 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments, error, message):
    model = linear()
    weights = model.get_weights()
    with pytest.raises(error, match=message):
        find_learning_rate(model, X, Y, **{"batch_size": 8, **arguments})
    np.testing.assert_array_equal(model.get_weights(), weights)


def test_models_that_cannot_be_tested_are_refused():
    bare = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="find_learning_rate needs a compiled model"):
        find_learning_rate(bare, X, Y)
    bare.compile(optimizers.SGD(), ascent)
    with pytest.raises(ValueError, match="not finite at the very first step"):
        find_learning_rate(linear(), X, Y * np.nan)
    several = keras.optimizers.LossScaleOptimizer(optimizers.SGD())
    several.inner_optimizer.optimizers = [optimizers.SGD()]
    bare.compile(several, "mse")
    with pytest.raises(ValueError, match="needs an optimizer with one learning rate"):
        find_learning_rate(bare, X, Y)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_data_without_a_batch_is_refused():
    model = linear()
    model.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match=r"needs data to train on|has length 0"):
        find_learning_rate(model, Empty())


@same_everywhere
def test_without_a_falling_loss_nothing_is_suggested(tmp_path):
    model = linear()
    model.compile("sgd", ascent)
    found = find_learning_rate(model, X, Y, **SHORT)
    assert (found.valley, found.steepest, found.minimum_tenth) == (None, None, None)
    assert "12 steps" in str(found) and "suggestion: none" in str(found)
    found.plot(tmp_path / "flat.png")
    with pytest.raises(ValueError, match=r"at any of the rates tried. Received: .* without div"):
        _ = found.suggestion
    diverging = find_learning_rate(linear(), X, Y, batch_size=8, start=1e3, end=1e4)
    with pytest.raises(ValueError, match="where the loss diverged"):
        _ = diverging.suggestion


def test_a_generator_is_refused_and_keeps_its_batches():
    batches = generated()
    with pytest.raises(ValueError, match=r"cannot be rewound.*`generated`"):
        find_learning_rate(linear(), batches)
    assert len(list(batches)) == 6
    with pytest.raises(ValueError, match="whose generator is empty"):
        find_learning_rate(linear(), lambda: iter(()), shuffle=False)


# The command


def run(arguments, capsys):
    """Return the exit code, stdout and stderr of `optlab find-lr`."""
    code = command.main(["find-lr", *map(str, arguments)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@same_everywhere
def test_the_command_prints_the_suggestions_and_draws_them(tmp_path, capsys, monkeypatch):
    (tmp_path / "my_models.py").write_text(
        "import keras\n"
        "def small():\n"
        "    print('building')\n"
        "    layers = [keras.Input((64,)), keras.layers.Dense(10, 'softmax')]\n"
        "    return keras.Sequential(layers)\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = ["--model", "my_models:small", "--optimizer", "sgd", "--out", "found.png"]
    code, printed, error = run([*arguments, "--seed", 3], capsys)
    assert code == 0
    assert printed.startswith("SGD on scikit-learn's digits: ")
    values = dict(re.findall(r"^ +(valley|steepest|a tenth of minimum) +(\S+)$", printed, re.M))
    assert len(values) == 3 and f"suggestion: {values['valley']}\n" in printed
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    # The same seed finds the same rates, also with `--json`.
    code, printed, error = run([*arguments, "--seed", 3, "--json"], capsys)
    found = json.loads(printed)
    assert code == 0 and "building" in error
    assert f"{found['suggestion']:.3g}" == values["valley"] == f"{found['valley']:.3g}"
    assert len(found["losses"]) == len(found["learning_rates"])
    assert found["picture"] == "found.png"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "nothing"], "--model takes module:function or path/to/file.py:function"),
        (["--model", "no_such_module:f"], "--model: cannot import no_such_module"),
        (["--model", "nowhere.py:f"], "No such file or directory"),
        (["--model", "math:no_such"], "--model: math has no function 'no_such'"),
        (["--model", "math:pi"], "--model: math has no function 'pi'"),
        (["--optimizer", "Adamm"], "unknown optimizer 'Adamm': did you mean Adam?"),
        (["--start", "2", "--end", "1"], "`start` must be less than `end`"),
        (["--start", "nan"], "`start` must be a finite number > 0"),
        (["--out", "nowhere/found.png"], "there is no folder nowhere"),
        (["--out", "found.txt"], "expected a .png, .svg or .pdf file"),
        (["--label", "kind"], "--label names a column"),
    ],
)
def test_wrong_input_to_the_command_is_one_line(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, printed, error = run(arguments, capsys)
    assert (code, printed) == (2, "")
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
