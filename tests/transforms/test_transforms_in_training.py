"""Transforms in `fit`, in files, and several of them together."""

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.transforms import Average, Cautious, Lookahead

X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def network(optimizer):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False)])
    model.compile(optimizer, "mse")
    return model


def fit(model, epochs=1):
    model.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)


def weights_of_each_step(rate, steps):
    """Run gradient descent on the mean squared error in NumPy; return the weights of each step."""
    model = network(optimizers.SGD(rate))
    w = model.get_weights()[0].astype("float64")
    found = []
    for step in range(steps):
        x, y = X[step % 3 * 8 :][:8].astype("float64"), Y[step % 3 * 8 :][:8].astype("float64")
        w = w - rate * 2 * x.T @ (x @ w - y) / 8
        found.append(w)
    return found


def test_fit_ends_on_the_average_and_goes_on_from_the_weights():
    model = network(optimizers.SGD(0.1, transforms=[Average()]))
    steps = weights_of_each_step(0.1, 6)
    fit(model)
    np.testing.assert_allclose(model.get_weights()[0], np.mean(steps[:3], 0), rtol=1e-5)
    fit(model)
    np.testing.assert_allclose(model.get_weights()[0], np.mean(steps, 0), rtol=1e-5)
    model.optimizer.to_training_point()
    np.testing.assert_allclose(model.get_weights()[0], steps[-1], rtol=1e-5)


def test_a_saved_model_holds_the_average_and_goes_on(tmp_path):
    model = network(optimizers.SGD(0.1, transforms=[Average(), Lookahead(2)]))
    fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])
    assert loaded.optimizer.transforms == (Average(), Lookahead(2))
    for each in (model, loaded):
        fit(each)
    np.testing.assert_array_equal(loaded.get_weights()[0], model.get_weights()[0])


def test_lookahead_can_be_evaluated_at_its_slow_weights():
    model = network(optimizers.SGD(0.1, transforms=[Lookahead(5, 0.5, evaluate_slow_weights=True)]))
    start = model.get_weights()[0].astype("float64")
    steps = weights_of_each_step(0.1, 5)
    fit(model)
    np.testing.assert_allclose(model.get_weights()[0], start, rtol=1e-6)
    model.optimizer.to_training_point()
    np.testing.assert_allclose(model.get_weights()[0], steps[2], rtol=1e-5)


def test_a_file_without_the_transform_starts_it_at_the_weights(tmp_path):
    model = network(optimizers.SGD(0.1))
    fit(model)
    model.save_weights(tmp_path / "model.weights.h5")
    other = network(optimizers.SGD(0.1, transforms=[Lookahead(3, 0.5)]))
    fit(other)
    other.load_weights(tmp_path / "model.weights.h5")
    before = other.get_weights()[0]
    fit(other)
    # After three steps, it is halfway from the file's weights to where plain steps lead.
    straight = network(optimizers.SGD(0.1))
    straight.load_weights(tmp_path / "model.weights.h5")
    fit(straight)
    middle = (before + straight.get_weights()[0]) / 2
    np.testing.assert_allclose(other.get_weights()[0], middle, rtol=1e-5)


def test_files_go_to_the_built_in_and_back(tmp_path):
    model = network(optimizers.Adam(0.1, transforms=[Lookahead(2)]))
    fit(model)
    model.save_weights(tmp_path / "model.weights.h5")
    theirs = network(keras.optimizers.Adam(0.1))
    fit(theirs)
    theirs.load_weights(tmp_path / "model.weights.h5")
    held = [keras.ops.convert_to_numpy(v) for v in model.optimizer.saved_variables]
    for ours, other in zip(held, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, keras.ops.convert_to_numpy(other))
    back = network(optimizers.Adam(0.1, transforms=[Lookahead(2)]))
    fit(back)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    back.load_weights(tmp_path / "theirs.weights.h5")
    for ours, other in zip(held, back.optimizer.saved_variables, strict=True):
        np.testing.assert_array_equal(ours, keras.ops.convert_to_numpy(other))


def test_the_same_transform_twice():
    optimizer = optimizers.SGD(0.1, transforms=[Lookahead(2), Lookahead(3)])
    fit(network(optimizer))
    (slots,) = optimizer.slots_by_name.values()
    assert list(slots) == ["lookahead.slow_weights", "lookahead_2.slow_weights"]


@pytest.mark.parametrize(
    ("cls", "transforms"),
    [
        (optimizers.SGD, [Average(), Average(0.9)]),
        (optimizers.ScheduleFreeAdamW, [Average()]),
        (optimizers.SGD, [Average(), Lookahead(evaluate_slow_weights=True)]),
    ],
)
def test_two_evaluation_points_are_refused(cls, transforms):
    with pytest.raises(ValueError, match=r"evaluated at one point only\. Received: "):
        cls(0.1, transforms=transforms)


def test_refusals_of_a_transform():
    with pytest.raises(ValueError, match=r"`warmup_scale` requires `decay`"):
        Average(warmup_scale=2.0)
    with pytest.raises(TypeError, match=r"`transforms` must be a list .*Received: "):
        optimizers.SGD(transforms=[Cautious])
    with pytest.raises(ValueError, match=r"`period` must be an integer >= 1"):
        Lookahead(0)
