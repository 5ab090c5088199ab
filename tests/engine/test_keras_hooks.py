"""Private names of Keras that `keras_glue/hooks.py` relies on still work as it needs."""

import inspect

import keras
import numpy as np
import pytest

from keras_optlab import optimizers
from keras_optlab.keras_glue import hooks


class Recording(keras.optimizers.Optimizer):
    """A plain Keras optimizer that records which hooks Keras calls, in order."""

    def __init__(self):
        super().__init__(learning_rate=0.5, clipnorm=1.0, weight_decay=0.5)
        self.calls = []

    def _clip_gradients(self, grads):
        self.calls.append("_clip_gradients")
        return grads

    def _apply_weight_decay(self, variables):
        self.calls.append("_apply_weight_decay")

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        self.calls.append("_backend_update_step")


def test_keras_calls_the_hooks_in_this_order():
    optimizer = Recording()
    variables = [keras.Variable(np.zeros(2, "float32")) for _ in range(2)]
    optimizer.apply([keras.ops.ones(2)] * 2, variables)
    hooks = ["_clip_gradients", "_apply_weight_decay", "_backend_update_step"]
    assert list(optimizer.calls) == hooks


class RecordingAverages(keras.optimizers.Optimizer):
    """Records the hooks of gradient accumulation and of moving averages."""

    def __init__(self):
        averages = {"use_ema": True, "ema_overwrite_frequency": 2}
        super().__init__(learning_rate=0.5, gradient_accumulation_steps=2, **averages)
        self.calls = []

    def _backend_increment_gradient_accumulators(self, grads, acc_grads):
        self.calls.append("_backend_increment_gradient_accumulators")

    def _update_model_variables_moving_average(self, trainable_variables):
        self.calls.append("_update_model_variables_moving_average")

    def _overwrite_model_variables_with_average_value(self, trainable_variables):
        self.calls.append("_overwrite_model_variables_with_average_value")

    def update_step(self, gradient, variable, learning_rate):
        self.calls.append("update_step")


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras has no such hooks on JAX")
def test_keras_calls_the_hooks_of_accumulation_and_averages():
    optimizer = RecordingAverages()
    variable = keras.Variable(np.zeros(2, "float32"))
    for _ in range(4):
        optimizer.apply([keras.ops.ones(2)], [variable])
    average = "_update_model_variables_moving_average"
    accumulate = "_backend_increment_gradient_accumulators"
    overwrite = "_overwrite_model_variables_with_average_value"
    assert {average, accumulate, overwrite} <= set(optimizer.calls)
    assert len(optimizer._model_variables_moving_average) == 1


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a private name of TensorFlow")
@pytest.mark.parametrize("jit_compile", [False, True])
def test_tensorflow_says_whether_xla_compiles_what_is_traced(jit_compile):
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    found = []

    @tf.function(jit_compile=jit_compile)
    def outer():
        found.append(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
        inner = tf.function(
            lambda: found.append(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))
        )
        inner()

    outer()
    assert found == [jit_compile, jit_compile]


@pytest.mark.parametrize(
    "name", ["_iterations", "_learning_rate", "_trainable_variables", "_variables"]
)
def test_keras_keeps_its_state_under_this_name(name):
    optimizer = keras.optimizers.SGD()
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    assert name in vars(optimizer)


def test_keras_saves_a_saveable_attribute_of_an_optimizer(task, tmp_path):
    model = task.linear(optimizers.SGD(momentum=0.5))
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "saved.weights.h5")
    import h5py

    with h5py.File(tmp_path / "saved.weights.h5") as file:
        assert float(file["optimizer/extra_state/vars/momentum"][()]) == 0.5
        assert set(file["optimizer/vars"]) == {"0", "1", "2"}


def test_keras_keeps_decay_exclusions_under_these_names():
    optimizer = keras.optimizers.AdamW()
    variable = keras.Variable(np.zeros(2, "float32"))
    optimizer.exclude_from_weight_decay(var_list=[variable], var_names=["bias"])
    assert optimizer._exclude_from_weight_decay == {optimizer._var_key(variable)}
    assert optimizer._exclude_from_weight_decay_pattern.search("dense/bias")


def test_a_variable_holds_its_value_under_this_name():
    assert keras.Variable(np.zeros(2, "float32"))._value is not None


def test_training_loops_make_callback_lists_with_the_model_named():
    parameters = inspect.signature(keras.callbacks.CallbackList.__init__).parameters
    assert {"callbacks", "model"} <= set(parameters)


@pytest.mark.parametrize("owner", [keras.Model, keras.saving])
def test_the_loading_function_takes_the_model_first(owner):
    assert next(iter(inspect.signature(owner.load_weights).parameters)) in ("self", "model")


def test_a_state_tree_holds_variables_by_path_both_ways(task):
    model = task.network("sgd")
    model.optimizer.build(model.trainable_variables)
    tree = inspect.unwrap(keras.Model.get_state_tree)(model, "numpy_array")
    (values,) = tree["optimizer_variables"].values()
    assert set(values) == {"iteration", "learning_rate"}
    values |= {"iteration": np.array(7), "ours": np.zeros(2)}
    inspect.unwrap(keras.Model.set_state_tree)(model, tree)
    assert int(model.optimizer.iterations) == 7


def test_a_model_lists_the_layers_inside_its_layers():
    inner = keras.layers.Dense(2)
    layers = [keras.layers.Input((4,)), keras.Sequential([keras.layers.Input((4,)), inner])]
    assert inner in hooks.all_layers(keras.Sequential(layers))


def test_keras_draws_from_the_generator_that_hooks_replace():
    before = hooks.global_seed_generator()
    try:
        draws = []
        for _ in range(2):
            hooks.replace_global_seed_generator(keras.random.SeedGenerator(3))
            draws.append(keras.ops.convert_to_numpy(keras.random.normal((4,))))
        np.testing.assert_array_equal(*draws)
        hooks.replace_global_seed_generator(None)
        keras.random.normal((4,))
        assert isinstance(hooks.global_seed_generator(), keras.random.SeedGenerator)
    finally:
        hooks.replace_global_seed_generator(before)
