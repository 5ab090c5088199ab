"""Hyperparameters are variables: settable at any time, and read by steps already compiled."""

import keras
import numpy as np
import pytest
from keras_versions import with_built_in
from selection import quick

from keras_optlab import optimizers, schedules


class SetEachEpoch(keras.callbacks.Callback):
    def __init__(self, name, values):
        super().__init__()
        self.name, self.values = name, values

    def on_epoch_begin(self, epoch, logs=None):
        setattr(self.model.optimizer, self.name, self.values[epoch])


def each_step(values):
    return np.repeat(values, 4)


ADAM = {"beta_1": 0.75, "beta_2": 0.9375, "epsilon": 0.125, "weight_decay": 0.25}


@pytest.mark.parametrize("name", quick(ADAM, ["beta_1"]))
def test_a_value_set_between_epochs_reaches_the_compiled_step(task, name):
    values = [ADAM[name], ADAM[name] / 2, ADAM[name] / 4]
    model = task.linear(optimizers.Adam(0.05, **ADAM))
    weights = task.fit(model, 3, callbacks=[SetEachEpoch(name, values)])
    used = {key: each_step([value] * 3) for key, value in ADAM.items()} | {name: each_step(values)}
    # Decay comes before the step; the gradient is taken before the decay.
    kernel, m, v = task.kernel.astype("float64"), 0.0, 0.0
    for t in range(1, 13):
        h = {key: value[t - 1] for key, value in used.items()}
        g = task.gradient(kernel, (t - 1) % 4)
        m = m + (1 - h["beta_1"]) * (g - m)
        v = v + (1 - h["beta_2"]) * (g**2 - v)
        alpha = 0.05 * np.sqrt(1 - h["beta_2"] ** t) / (1 - h["beta_1"] ** t)
        kernel = kernel * (1 - 0.05 * h["weight_decay"])
        kernel = kernel - alpha * m / (np.sqrt(v) + h["epsilon"])
    np.testing.assert_allclose(weights[0], kernel, atol=2e-6)


def test_momentum_set_between_epochs_is_not_ignored(task):
    values = [0.9, 0.5, 0.0]
    model = task.linear(optimizers.SGD(0.05, momentum=0.9))
    weights = task.fit(model, 3, callbacks=[SetEachEpoch("momentum", values)])
    kernel, velocity = task.kernel.astype("float64"), 0.0
    for step, momentum in enumerate(each_step(values)):
        velocity = momentum * velocity - 0.05 * task.gradient(kernel, step % 4)
        kernel = kernel + velocity
    np.testing.assert_allclose(weights[0], kernel, atol=2e-6)


@pytest.mark.parametrize(
    "name", quick(["clipnorm", "clipvalue", "global_clipnorm"], ["global_clipnorm"])
)
def test_a_clipping_limit_set_between_epochs_takes_effect(task, name):
    model = task.linear(optimizers.SGD(0.05, **{name: 1.0}))
    weights = task.fit(model, 2, callbacks=[SetEachEpoch(name, [1.0, 0.01])])
    kernel = task.kernel.astype("float64")
    for step, limit in enumerate(each_step([1.0, 0.01])):
        g = task.gradient(kernel, step % 4)
        clipped = (
            np.clip(g, -limit, limit)
            if name == "clipvalue"
            else g * min(1.0, limit / np.linalg.norm(g))
        )
        kernel = kernel - 0.05 * clipped
    np.testing.assert_allclose(weights[0], kernel, atol=2e-6)


def test_any_hyperparameter_follows_a_schedule(task):
    schedule = schedules.PolynomialDecay(0.9, 8, 0.1)
    model = task.linear(optimizers.SGD(0.05, momentum=schedule))
    weights = task.fit(model, 2)
    kernel, velocity = task.kernel.astype("float64"), 0.0
    for step in range(8):
        momentum = 0.1 + 0.8 * (1 - step / 8)
        velocity = momentum * velocity - 0.05 * task.gradient(kernel, step % 4)
        kernel = kernel + velocity
    np.testing.assert_allclose(weights[0], kernel, atol=2e-6)


def test_a_schedule_of_a_hyperparameter_survives_the_config():
    schedule = schedules.PolynomialDecay(0.9, 8, 0.1)
    config = optimizers.SGD(0.05, momentum=schedule).get_config()
    again = optimizers.SGD.from_config(config)
    assert isinstance(again.momentum, schedules.PolynomialDecay)
    assert again.get_config() == config


def test_get_config_shows_the_value_set_last_as_it_was_written(task):
    model = task.linear(optimizers.Adam(0.001))
    task.fit(model)
    model.optimizer.beta_1 = 0.8
    model.optimizer.learning_rate = 0.3
    config = model.optimizer.get_config()
    assert (config["beta_1"], config["learning_rate"], config["beta_2"]) == (0.8, 0.3, 0.999)


def test_learning_rate_reads_as_keras_has_it():
    optimizer = optimizers.Adam(0.25)
    assert float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate.assign(0.5)
    assert optimizer.get_config()["learning_rate"] == 0.5
    optimizer.learning_rate = np.float32(0.125)
    assert float(optimizer.learning_rate) == 0.125


def test_unused_hyperparameters_make_no_variables():
    variable = keras.Variable(np.zeros((2, 2), "float32"))
    plain, built_in = optimizers.SGD(), keras.optimizers.SGD()
    plain.build([variable])
    built_in.build([variable])
    assert len(plain.variables) == len(built_in.variables) == 2


@pytest.mark.parametrize("name", with_built_in(optimizers.__all__))
def test_the_built_in_has_the_same_variables_in_the_same_order(name):
    variables = [keras.Variable(np.zeros(shape, "float32")) for shape in [(3, 2), (2,), ()]]
    both = [getattr(module, name)() for module in (optimizers, keras.optimizers)]
    for optimizer in both:
        optimizer.build(variables)
    ours, theirs = (optimizer.variables for optimizer in both)
    assert [v.shape for v in ours[: len(theirs)]] == [v.shape for v in theirs]


def test_an_unused_momentum_cannot_be_raised_after_build():
    optimizer = optimizers.SGD(momentum=0.0)
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    with pytest.raises(ValueError, match=r"Received: momentum=0\.9.*settable=\['momentum'\]"):
        optimizer.momentum = 0.9
    assert optimizer.momentum == 0.0


def test_settable_makes_room_for_a_momentum_that_starts_at_zero(task):
    model = task.linear(optimizers.SGD(0.05, momentum=0.0, settable=["momentum"]))
    weights = task.fit(model, 2, callbacks=[SetEachEpoch("momentum", [0.0, 0.9])])
    kernel, velocity = task.kernel.astype("float64"), 0.0
    for step, momentum in enumerate(each_step([0.0, 0.9])):
        velocity = momentum * velocity - 0.05 * task.gradient(kernel, step % 4)
        kernel = kernel + velocity
    np.testing.assert_allclose(weights[0], kernel, atol=2e-6)


def test_a_momentum_of_zero_keeps_its_slot_in_a_copy():
    optimizer = optimizers.SGD(momentum=0.9)
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    optimizer.momentum = 0.0
    copy = optimizers.SGD.from_config(optimizer.get_config())
    copy.build([keras.Variable(np.zeros(2, "float32"))])
    assert copy.momentum == 0.0
    assert len(copy.variables) == len(optimizer.variables)


@pytest.mark.parametrize("value", ["0.9", None, float("nan"), float("inf"), 1.5, -0.1, [0.9], True])
def test_a_bad_value_is_refused_and_named_and_changes_nothing(value):
    optimizer = optimizers.SGD(momentum=0.5)
    with pytest.raises((TypeError, ValueError), match=r"`momentum` must be .* Received: momentum="):
        optimizer.momentum = value
    assert optimizer.momentum == 0.5
    with pytest.raises((TypeError, ValueError), match=r"`momentum` must be .* Received: momentum="):
        optimizers.SGD(momentum=value)


def test_structural_arguments_cannot_change_after_build():
    optimizer = optimizers.Adam(amsgrad=False)
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    with pytest.raises(ValueError, match=r"`amsgrad` decides what is built.*Received"):
        optimizer.amsgrad = True


def test_a_number_cannot_overwrite_a_schedule_as_in_keras():
    optimizer = optimizers.Adam(schedules.CosineDecay(0.1, 10))
    with pytest.raises(TypeError, match="learning_rate_scale"):
        optimizer.learning_rate = 0.1
    optimizer = optimizers.SGD(momentum=schedules.CosineDecay(0.1, 10))
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    with pytest.raises(TypeError, match="to or from a schedule"):
        optimizer.momentum = 0.9


def test_learning_rate_scale_multiplies_a_compiled_schedule(task):
    model = task.linear(optimizers.SGD(schedules.PolynomialDecay(0.1, 100, 0.1)))
    callback = SetEachEpoch("learning_rate_scale", [1.0, 0.25])
    weights = task.fit(model, 2, callbacks=[callback])
    kernel = task.kernel.astype("float64")
    for step, rate in enumerate(each_step([0.1, 0.025])):
        kernel = kernel - rate * task.gradient(kernel, step % 4)
    np.testing.assert_allclose(weights[0], kernel, atol=2e-6)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)


def test_only_one_kind_of_clipping_is_taken():
    with pytest.raises(ValueError, match=r"Only one of.*clipnorm=1.0, clipvalue=2.0"):
        optimizers.Adam(clipnorm=1.0, clipvalue=2.0)


def test_an_unknown_argument_is_named_with_those_that_exist():
    with pytest.raises(TypeError, match=r"Adam: .*'beta1'.*beta_1, beta_2"):
        optimizers.Adam(beta1=0.5)
