"""Our optimizers replace the built-ins in everything that Keras does with an optimizer."""

import keras
import numpy as np
import pytest
from keras_versions import needs_multi_optimizer
from selection import EXHAUSTIVE, KINDS, quick

from keras_optlab import optimizers, schedules

BACKEND = keras.backend.backend()


def assert_alike(task, make, epochs=3, **fit_arguments):
    """Assert that training with ours and with the built-in ends at the same weights."""
    ends = []
    for module in (optimizers, keras.optimizers):
        model = task.network(make(module))
        callbacks = [callback() for callback in fit_arguments.get("callbacks", [])]
        ends.append(task.fit(model, epochs, **{**fit_arguments, "callbacks": callbacks}))
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=5e-7)


@pytest.mark.slow
def test_learning_rate_scheduler(task):
    scheduler = lambda: keras.callbacks.LearningRateScheduler(lambda _, rate: rate / 2)  # noqa: E731
    assert_alike(task, lambda module: module.Adam(0.1), callbacks=[scheduler])


def test_reduce_learning_rate_on_plateau(task):
    reduce = lambda: keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=9.0)  # noqa: E731
    assert_alike(task, lambda module: module.SGD(0.05), 6, callbacks=[reduce])


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no steps_per_execution on torch")
def test_steps_per_execution(task):
    ends = [
        task.fit(task.network(module.Adam(0.1), steps_per_execution=2))
        for module in (optimizers, keras.optimizers)
    ]
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_jit_compile(task):
    ends = [
        task.fit(task.network(module.Adam(0.1), jit_compile=BACKEND != "torch"))
        for module in (optimizers, keras.optimizers)
    ]
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def test_all_base_arguments_together(task):
    arguments = {
        "weight_decay": 0.1,
        "global_clipnorm": 0.1,
        "use_ema": True,
        "ema_momentum": 0.75,
        "ema_overwrite_frequency": 4,
        "gradient_accumulation_steps": 3,
        "loss_scale_factor": 8.0,
    }
    assert_alike(task, lambda module: module.Adam(0.1, **arguments), 4)


@pytest.mark.slow
def test_excluding_variables_from_weight_decay(task):
    def make(module):
        optimizer = module.AdamW(0.1, weight_decay=0.5)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer

    assert_alike(task, make)


def test_excluding_after_build_is_refused():
    optimizer = optimizers.AdamW()
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    with pytest.raises(ValueError, match="before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["bias"])


@needs_multi_optimizer
def test_multi_optimizer(task):
    def make(module):
        parts = keras.optimizers.OptimizerMap(
            module.Adam(0.01), {".*first/.*": module.SGD(0.05, momentum=0.9)}
        )
        return keras.optimizers.MultiOptimizer(parts)

    assert_alike(task, make)


def test_loss_scale_optimizer(task):
    assert_alike(task, lambda module: keras.optimizers.LossScaleOptimizer(module.Adam(0.01)))


@pytest.mark.slow
def test_nadam_in_a_loss_scale_optimizer_is_nadam(task):
    """On JAX, Keras' Nadam loses its momentum product there: weights are off by 0.06."""
    wrapped = task.network(keras.optimizers.LossScaleOptimizer(optimizers.Nadam(0.01)))
    plain = task.network(keras.optimizers.Nadam(0.01))
    for ours, theirs in zip(task.fit(wrapped, 3), task.fit(plain, 3), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=5e-7)


def test_mixed_float16_policy(task):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert_alike(task, lambda module: module.Adam(0.01))
    finally:
        keras.config.set_dtype_policy("float32")


def test_variable_constraints(task):
    norms = []
    for module in (optimizers, keras.optimizers):
        keras.utils.set_random_seed(3)
        layer = keras.layers.Dense(2, kernel_constraint=keras.constraints.UnitNorm())
        model = keras.Sequential([keras.layers.Input((4,)), layer])
        model.compile(module.Adam(0.1), "mse")
        norms.append(task.fit(model)[0])
    np.testing.assert_allclose(norms[0], norms[1], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(norms[0], axis=0), 1.0, rtol=1e-6)


def test_a_variable_without_gradient_stays_and_is_named():
    variables = [keras.Variable(np.ones(2, "float32"), name=name) for name in ("used", "idle")]
    optimizer = optimizers.Adam(0.1)
    with pytest.warns(UserWarning, match="idle"):
        optimizer.apply([keras.ops.ones(2), None], variables)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variables[1]), np.ones(2))


def test_an_embedding_is_updated_as_by_its_dense_gradient():
    """Repeated rows are summed first. Keras' Adam squares them one by one: off by 0.2."""
    x = np.array([[1, 1, 2], [7, 2, 2]])
    layer = keras.layers.Embedding(10, 2)
    model = keras.Sequential([keras.layers.Input((3,), dtype="int32"), layer])
    model.compile(optimizers.Adam(0.1), "mse")
    reference = keras.Variable(model.get_weights()[0])
    model.fit(x, np.ones((2, 3, 2), "float32"), epochs=3, verbose=0)
    built_in = keras.optimizers.Adam(0.1)
    for _ in range(3):
        table = np.array(keras.ops.convert_to_numpy(reference))
        gradient = np.zeros_like(table)
        np.add.at(gradient, x, 2 * (table[x] - 1) / 12)
        built_in.apply([keras.ops.convert_to_tensor(gradient)], [reference])
    expected = keras.ops.convert_to_numpy(reference)
    np.testing.assert_allclose(model.get_weights()[0], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras has no stateless_apply on TensorFlow")
def test_stateless_apply_equals_apply():
    gradient = keras.ops.ones((2,))
    variable, twin = (keras.Variable(np.ones(2, "float32")) for _ in range(2))
    stateful, stateless = optimizers.Nadam(0.1), optimizers.Nadam(0.1)
    stateless.build([twin])
    values = [keras.ops.copy(twin)], [keras.ops.copy(v) for v in stateless.variables]
    for _ in range(3):
        stateful.apply([gradient], [variable])
        values = stateless.stateless_apply(values[1], [gradient], values[0])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(values[0][0]), keras.ops.convert_to_numpy(variable), rtol=1e-6
    )
    assert int(stateless.iterations) == 0


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.distribute is TensorFlow's")
def test_mirrored_strategy_gives_the_weights_of_one_device(task):
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = task.network(optimizers.Nadam(0.01, weight_decay=0.1))
    for ours, one in zip(
        task.fit(model, 2),
        task.fit(task.network(optimizers.Nadam(0.01, weight_decay=0.1)), 2),
        strict=True,
    ):
        np.testing.assert_allclose(ours, one, rtol=1e-6, atol=1e-7)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.function is TensorFlow's")
def test_a_custom_tf_function_step_sees_what_is_set_later():
    import tensorflow as tf

    variable = keras.Variable(np.ones(1, "float32"))
    optimizer = optimizers.SGD(0.5, momentum=0.5)
    step = tf.function(lambda: optimizer.apply([tf.ones(1)], [variable]))
    step()
    optimizer.momentum = 0.25
    step()
    # 1 - 0.5, then velocity 0.25 * -0.5 - 0.5
    assert float(variable[0]) == pytest.approx(0.5 - 0.625)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tf.function is TensorFlow's")
def test_a_tf_function_that_builds_the_optimizer(caplog):
    import tensorflow as tf

    variables = [keras.Variable([1.0, 2.0]) for _ in range(2)]
    optimizer = optimizers.SGD(0.1, momentum=0.9)

    @tf.function
    def step():
        optimizer.build(variables)
        optimizer.apply([tf.constant([1.0, 0.0]), tf.constant([0.0, 2.0])], variables)

    tensorflow_log = tf.get_logger()
    tensorflow_log.addHandler(caplog.handler)
    step()
    step()
    tensorflow_log.removeHandler(caplog.handler)
    assert not caplog.records
    np.testing.assert_allclose(variables[0], [0.71, 2.0], rtol=1e-6)
    np.testing.assert_allclose(variables[1], [1.0, 1.42], rtol=1e-6)


@pytest.mark.parametrize("name", ["SGD", "Adam", "Nadam", "Lamb", "Adafactor"])
def test_update_step_updates_one_variable_as_in_keras(name):
    """Keras documents the method and calls it once per variable; `iterations` does not change."""
    ends = []
    for module in (optimizers, keras.optimizers):
        # Keras applies weight decay in `apply`, outside of this method.
        optimizer = getattr(module, name)(weight_decay=0.1)
        variables = [keras.Variable(np.full((4, 3), 0.5, "float32")) for _ in range(2)]
        optimizer.build(variables)
        gradient = keras.ops.convert_to_tensor(np.linspace(-1, 1, 12, dtype="float32"))
        gradient = keras.ops.reshape(gradient, (4, 3))
        for variable in variables:
            optimizer.update_step(gradient, variable, keras.ops.convert_to_tensor(0.1))
        assert int(optimizer.iterations) == 0
        ends.append([keras.ops.convert_to_numpy(variable) for variable in variables])
    (first, second), theirs = ends
    np.testing.assert_array_equal(first, second)
    if name != "Nadam":  # Keras updates its momentum product in another method.
        np.testing.assert_allclose(first, theirs[0], rtol=1e-5)


# On torch, most of the built-ins take only tensors.
@pytest.mark.parametrize("name", ["Ftrl", "Lamb"])
def test_gradients_of_numpy(name):
    start = np.linspace(-1, 1, 6, dtype="float32").reshape(2, 3)
    gradient = np.linspace(0.5, 2, 6, dtype="float32").reshape(2, 3)
    ends = []
    for module in (optimizers, keras.optimizers):
        variable = keras.Variable(start.copy())
        getattr(module, name)(0.1).apply([gradient], [variable])
        ends.append(keras.ops.convert_to_numpy(variable))
    np.testing.assert_allclose(*ends, rtol=1e-5)


def test_clipping_before_build():
    optimizer = optimizers.SGD(clipnorm=1.0)
    (clipped,) = optimizer._clip_gradients([np.array([3.0, 4.0], "float32")])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(clipped), [0.6, 0.8], rtol=1e-6)


def test_a_schedule_starts_from_a_variable():
    optimizer = optimizers.Adam(0.1)
    optimizer.learning_rate = schedules.PolynomialDecay(optimizer.learning_rate, 4)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)
    assert optimizer.get_config()["learning_rate"]["config"]["initial_learning_rate"] == 0.1


KERAS_WORDS = {
    "a rate that a schedule sets": (
        lambda: setattr(optimizers.SGD(schedules.CosineDecay(0.1, 9)), "learning_rate", 0.1),
        TypeError,
        "This optimizer was created with a `LearningRateSchedule`",
    ),
    "an accumulator below zero": (
        lambda: optimizers.Ftrl(initial_accumulator_value=-0.1),
        ValueError,
        "^`initial_accumulator_value` needs to be positive or zero. "
        r"Received: initial_accumulator_value=-0\.1\.",
    ),
    "no weight decay": (
        lambda: optimizers.AdamW(weight_decay=None),
        ValueError,
        "Argument `weight_decay` must be a float. Received: weight_decay=None",
    ),
    "a momentum above one": (
        lambda: optimizers.SGD(momentum=2.0),
        ValueError,
        r"`momentum` must be a float between \[0, 1\]\.",
    ),
    "a beta of zero": (
        lambda: optimizers.Lion(beta_1=0.0),
        ValueError,
        "Otherwise, the optimizer degenerates to SignSGD. Received: beta_1=0.0.",
    ),
    "no steps of decay": (
        lambda: schedules.CosineDecay(0.1, 0),
        ValueError,
        "Argument `decay_steps` must be > 0. Received: decay_steps=0",
    ),
    "one step of accumulation": (
        lambda: optimizers.SGD(gradient_accumulation_steps=1),
        ValueError,
        "`gradient_accumulation_steps` must be an integer >= 2. Received: ",
    ),
}


@pytest.mark.parametrize("case", KERAS_WORDS)
def test_refusals_have_the_words_of_keras(case):
    refused, kind, words = KERAS_WORDS[case]
    with pytest.raises(kind, match=words) as caught:
        refused()
    # Our additions follow Keras' words or go into a note, so that its words are found unchanged.
    assert getattr(caught.value, "__notes__", None) or "learning_rate_scale" in str(caught.value)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has shapes that are unknown")
@pytest.mark.parametrize(
    "name", quick(quick(optimizers.__all__, KINDS, EXHAUSTIVE), ["Adam", "Lamb"])
)
@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_of_unknown_shape(name, jit_compile):
    import tensorflow as tf

    def make():
        optimizer = getattr(optimizers, name)(clipnorm=1.0, nonfinite="skip")
        variables = [keras.Variable(np.full((300, 300), 0.5, "float32")), keras.Variable([1.0])]
        optimizer.build(variables)
        return optimizer, variables

    generator = np.random.default_rng(0)
    gradients = [generator.normal(size=(300, 300)), generator.normal(size=(1,))]
    gradients = [tf.constant(gradient, "float32") for gradient in gradients]
    known, unknown = make(), make()
    known[0].apply(gradients, known[1])

    @tf.function(
        input_signature=[tf.TensorSpec(None), tf.TensorSpec((None,))], jit_compile=jit_compile
    )
    def step(large, small):
        unknown[0].apply([large, small], unknown[1])

    step(*gradients)
    for a, b in zip(known[1], unknown[1], strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-5, atol=1e-6)


def test_empty_lists_are_left_out_of_a_config():
    config = optimizers.Adam(name="one", groups=[], transforms=[]).get_config()
    assert config == optimizers.Adam(name="one").get_config()
    keras.optimizers.Adam.from_config(config)


def test_another_number_of_gradients_than_variables_is_refused():
    variables = [keras.Variable([1.0, 2.0]), keras.Variable(3.0)]
    gradient = keras.ops.ones(2)
    optimizer = optimizers.SGD(0.5)
    with pytest.raises(ValueError, match=r"one gradient.* 1 gradients for 2 variables"):
        optimizer.apply([gradient], variables)
    with pytest.raises(ValueError, match=r"one gradient.* 3 gradients for 2 variables"):
        optimizer.apply([gradient, None, None], variables)
    assert not optimizer.built
    optimizer.apply([], variables)
    optimizer.apply([gradient, keras.ops.ones(())], variables)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(variables[0]), [0.5, 1.5])
