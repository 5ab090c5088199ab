"""OneCycle: what it refuses, and what the error says."""

import doctest
import importlib

import keras
import pytest
from keras_versions import needs_multi_optimizer
from linear_training import X, Y, assert_reached, fit, linear_model, pytorch_cycle, sgd

import keras_optlab
from keras_optlab.callbacks import OneCycle, PerformanceScheduling
from keras_optlab.optimizers import SGD, Adagrad, RMSprop


@pytest.mark.parametrize("name", ["SGD", "RMSprop", "Adam", "AdamW", "Nadam", "Lion", "Muon"])
def test_error_for_a_built_in_optimizer_names_ours(name):
    optimizer = getattr(keras.optimizers, name)()
    with pytest.raises(ValueError, match=rf"keras_optlab\.optimizers\.{name}, or .*=False"):
        fit(linear_model(optimizer), 1, [OneCycle(0.1)])


def test_error_for_a_subclass_of_a_built_in_names_ours():
    class Mine(keras.optimizers.Adam):
        pass

    with pytest.raises(ValueError, match=r"its Mine .* keras_optlab\.optimizers\.Adam"):
        fit(linear_model(Mine()), 1, [OneCycle(0.1)])


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda: SGD(0.1), r"momentum=0\.0.*momentum=0\.9"),
        (lambda: RMSprop(0.1), r"momentum=0\.0.*momentum=0\.9"),
        (lambda: Adagrad(0.1), "neither `momentum` nor `beta_1`"),
        (lambda: keras.optimizers.Adagrad(0.1), "neither `momentum` nor `beta_1`"),
        (lambda: SGD(keras_optlab.schedules.PowerDecay(0.1, 10), 0.9), "is a schedule"),
        (lambda: keras.optimizers.SGD(keras_optlab.schedules.PowerDecay(0.1, 10)), "is a schedule"),
        (lambda: SGD(0.1, keras_optlab.schedules.OneCycleMomentum(10)), "`momentum`.*a schedule"),
        pytest.param(
            lambda: keras.optimizers.MultiOptimizer(
                keras.optimizers.OptimizerMap(SGD(0.1, 0.9), {"bias": SGD(0.2, 0.9)})
            ),
            "ParameterGroup",
            marks=needs_multi_optimizer,
        ),
    ],
)
def test_optimizers_that_cannot_be_cycled_are_refused(optimizer, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        fit(linear_model(optimizer()), 1, [OneCycle(0.1)])


def test_momentum_that_may_be_set_can_be_cycled_from_zero():
    model = linear_model(SGD(0.01, settable=["momentum"]))
    fit(model, 2, [OneCycle(0.2)])
    assert_reached(model, sgd(*pytorch_cycle(0.2, 10)))
    assert model.optimizer.momentum == 0.0


def batches_without_end():
    while True:
        yield X, Y


@pytest.mark.parametrize("callback", [OneCycle(0.1, 10), PerformanceScheduling("loss")])
def test_a_model_without_an_optimizer_is_refused(callback):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=None, loss="mse")
    callback.set_model(model)
    with pytest.raises(ValueError, match=r"needs an optimizer\. Received: .*optimizer=None"):
        callback.on_train_begin()


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
def test_an_unknown_number_of_steps_is_an_error():
    model = linear_model(SGD(0.01, momentum=0.9))
    with pytest.raises(ValueError, match="Give `total_steps` to OneCycle, or `steps_per_epoch`"):
        model.fit(batches_without_end(), verbose=0, callbacks=[OneCycle(0.1)])
    with pytest.raises(ValueError, match=r"initial epoch 2.*`steps_per_epoch`"):
        model.fit(
            batches_without_end(),
            epochs=3,
            initial_epoch=2,
            verbose=0,
            callbacks=[OneCycle(0.1, total_steps=10)],
        )


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("max_learning_rate", -0.1, ValueError),
        ("max_learning_rate", "fast", TypeError),
        ("total_steps", 0, ValueError),
        ("total_steps", 2.5, TypeError),
        ("pct_start", 1.5, ValueError),
        ("anneal", "cos", ValueError),
        ("cycle_momentum", 1, TypeError),
        ("base_momentum", 1.0, ValueError),
        ("max_momentum", -0.1, ValueError),
        ("div_factor", 0.0, ValueError),
        ("final_div_factor", float("nan"), ValueError),
        ("three_phase", "yes", TypeError),
    ],
)
def test_wrong_arguments_are_named(name, value, error):
    with pytest.raises(error, match=f"`{name}` must be .*Received: {name}="):
        OneCycle(**{"max_learning_rate": 0.1, name: value})


@pytest.mark.parametrize("module", ["one_cycle", "performance_scheduling"])
def test_the_examples_of_the_docstrings_run(module):
    results = doctest.testmod(
        importlib.import_module(f"keras_optlab.callbacks.{module}"),
        extraglobs={"keras": keras, "keras_optlab": keras_optlab},
    )
    assert results.failed == 0
    assert results.attempted > 0
