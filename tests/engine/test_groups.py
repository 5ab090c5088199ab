"""Parameter groups: other hyperparameters for some variables."""

import keras
import numpy as np
import pytest
from selection import quick

from keras_optlab import ParameterGroup, layerwise_decay, optimizers, schedules


def only(task, **group):
    """Train the linear model with its only matrix in a group."""
    optimizer = optimizers.SGD(0.05, momentum=0.9, groups=[ParameterGroup("only/", **group)])
    return task.fit(task.linear(optimizer), 2)[0]


def by_hand(task, rate, momentum, weight_decay=0.0):
    kernel, velocity = task.kernel.astype("float64"), 0.0
    for step in range(8):
        g = task.gradient(kernel, step % 4)
        velocity = momentum * velocity - rate * g
        kernel = kernel * (1 - rate * weight_decay) + velocity
    return kernel


def test_the_multiplier_scales_the_learning_rate(task):
    weights = only(task, learning_rate_multiplier=0.5)
    np.testing.assert_allclose(weights, by_hand(task, 0.025, 0.9), atol=2e-6)


def test_a_group_overrides_hyperparameters(task):
    weights = only(task, momentum=0.5, weight_decay=0.25)
    np.testing.assert_allclose(weights, by_hand(task, 0.05, 0.5, 0.25), atol=2e-6)


def test_an_override_may_be_a_schedule(task):
    weights = only(task, momentum=schedules.PiecewiseConstantDecay([100], [0.5, 0.0]))
    np.testing.assert_allclose(weights, by_hand(task, 0.05, 0.5), atol=2e-6)


def test_the_multiplier_follows_values_set_by_callbacks(task):
    optimizer = optimizers.SGD(0.1, groups=[ParameterGroup("only", learning_rate_multiplier=0.5)])
    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    weights = task.fit(task.linear(optimizer), 2, callbacks=[halve])[0]
    kernel = task.kernel.astype("float64")
    for step in range(8):
        rate = 0.1 * 0.5 * (0.5 if step < 4 else 0.25)
        kernel = kernel - rate * task.gradient(kernel, step % 4)
    np.testing.assert_allclose(weights, kernel, atol=2e-6)


@pytest.mark.parametrize("name", quick(optimizers.__all__))
def test_multiplier_zero_freezes_exactly(task, name):
    groups = [ParameterGroup("first/", learning_rate_multiplier=0)]
    model = task.network(getattr(optimizers, name)(weight_decay=0.1, groups=groups))
    before = [np.array(weight) for weight in model.get_weights()]
    # Some (ADOPT, SOAP) only look at the gradients in their first step.
    for _ in range(2):
        model.train_on_batch(task.x, task.y)
    after = model.get_weights()
    assert all(np.array_equal(*pair) for pair in zip(before[:2], after[:2], strict=True))
    assert not np.array_equal(before[2], after[2])


def test_all_groups_that_match_apply(task):
    """As in the README: no decay of biases, a smaller rate for the backbone and its biases."""
    groups = [
        ParameterGroup("bias$", weight_decay=0.0, learning_rate_multiplier=0.5),
        ParameterGroup("first/", learning_rate_multiplier=0.1),
        ParameterGroup("last/", weight_decay=0.25),
    ]
    model = task.network(optimizers.SGD(0.1, weight_decay=0.5, groups=groups))
    shapes = [weight.shape for weight in model.get_weights()]
    start = [np.full(shape, 2.0, "float32") for shape in shapes]
    model.set_weights([weight.copy() for weight in start])
    optimizer = model.optimizer
    optimizer.apply([keras.ops.ones(shape) for shape in shapes], model.trainable_variables)
    # θ − η λ θ − η g with θ = 2 and g = 1, for kernel and bias of both layers.
    rates_and_decays = [(0.01, 0.5), (0.005, 0.0), (0.1, 0.25), (0.05, 0.25)]
    for weight, (rate, decay) in zip(model.get_weights(), rates_and_decays, strict=True):
        np.testing.assert_allclose(weight, 2 - rate * decay * 2 - rate, rtol=1e-6)
    assert optimizer.get_config()["weight_decay"] == 0.5


@pytest.mark.parametrize("name", quick(["Nadam", "ScheduleFreeAdamW"], ["Nadam"]))
def test_each_group_has_separate_scalar_state(task, name):
    """An override must train exactly like the same value set for the whole optimizer."""
    make = getattr(optimizers, name)
    plain = task.fit(task.linear(make(0.05, beta_1=0.5)), 2)[0]
    grouped = make(0.05, beta_1=0.9, groups=[ParameterGroup("only", beta_1=0.5)])
    # The override is a constant, which lets TensorFlow's `arithmetic_optimization` reorder a
    # product; without that option, the bits are equal there too.
    reordered = keras.backend.backend() == "tensorflow" and name == "ScheduleFreeAdamW"
    weights = task.fit(task.linear(grouped), 2)[0]
    np.testing.assert_array_max_ulp(weights, plain, maxulp=4 if reordered else 0)


def test_a_momentum_used_by_a_group_alone_gets_its_slot(task):
    optimizer = optimizers.SGD(0.05, groups=[ParameterGroup("only", momentum=0.9)])
    weights = task.fit(task.linear(optimizer), 2)[0]
    np.testing.assert_allclose(weights, by_hand(task, 0.05, 0.9), atol=2e-6)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (ParameterGroup("backbone/"), r"Received: ParameterGroup\('backbone/'\).*network/first"),
        (ParameterGroup("first", betta_1=0.5), "`betta_1`.*Did you mean `beta_1`"),
        (ParameterGroup("first", amsgrad=1.0), "can override .*Received: `amsgrad`"),
        (ParameterGroup("first", beta_1=1.5), r"`beta_1` must be .*Received: beta_1=1\.5"),
    ],
)
def test_a_group_that_cannot_work_is_named_at_build(task, group, message):
    model = task.network(optimizers.Adam(groups=[group]))
    with pytest.raises(ValueError, match=message):
        model.optimizer.build(model.trainable_variables)
    assert not model.optimizer.built


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"match": "("}, "regular expression"),
        ({"match": 3}, "regular expression that is not empty, or a function"),
        ({"match": "a", "amsgrad": True}, "`amsgrad` must be a finite number .*Received: amsgrad"),
        ({"match": "a", "learning_rate": 0.1}, "learning_rate_multiplier"),
        ({"match": "a", "learning_rate_multiplier": -1.0}, r"Received: learning_rate_multi.*-1\.0"),
    ],
)
def test_a_group_checks_its_arguments(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ParameterGroup(**arguments)


def test_groups_survive_a_saved_model(task, tmp_path):
    groups = [
        ParameterGroup("first/", learning_rate_multiplier=0.5, weight_decay=0.125),
        ParameterGroup("last/", beta_1=schedules.PolynomialDecay(0.9, 10, 0.5)),
    ]
    model = task.network(optimizers.Nadam(0.01, groups=groups))
    task.fit(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    straight, resumed = task.fit(model, 2), task.fit(loaded, 2)
    assert all(np.array_equal(*pair) for pair in zip(straight, resumed, strict=True))


def test_layerwise_decay_falls_by_the_factor_from_the_output():
    backbone = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(3, name="a"), keras.layers.Dense(3, name="b")]
    )
    model = keras.Sequential([backbone, keras.layers.Dropout(0.5), keras.layers.Dense(1, name="c")])
    groups = layerwise_decay(model, 0.5)
    rates = {
        variable.path.split("/")[-2]: next(
            group.learning_rate_multiplier for group in groups if group.matches(variable)
        )
        for variable in model.trainable_variables
    }
    assert rates == {"c": 1.0, "b": 0.5, "a": 0.25}
    optimizer = optimizers.Adam(groups=groups)
    optimizer.build(model.trainable_variables)
    assert [plan.group for plan in optimizer.engine.plans] == [1, 1, 2, 2, 3, 3]


def test_layerwise_decay_asks_for_a_built_model():
    with pytest.raises(ValueError, match="Build it first"):
        layerwise_decay(keras.Sequential([keras.layers.Dense(1)]), 0.5)
    with pytest.raises(ValueError, match=r"`factor` must be .*Received: factor=1\.5"):
        layerwise_decay(keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)]), 1.5)
