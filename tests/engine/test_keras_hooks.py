"""The private names of Keras that `engine/keras_hooks.py` relies on still do what it needs."""

import inspect

import keras
import numpy as np
import pytest

from keras_optlab import optimizers


class Recording(keras.optimizers.Optimizer):
    """An optimizer of Keras' own kind that notes which hooks Keras calls, in which order."""

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
        super()._backend_update_step(grads, trainable_variables, {"passed": "on"})

    def update_step(self, gradient, variable, learning_rate):
        self.calls.append(dict(learning_rate))
        self.calls.append(self._get_variable_index(variable))


def test_keras_calls_the_hooks_in_this_order_and_passes_values_on():
    optimizer = Recording()
    variables = [keras.Variable(np.zeros(2, "float32")) for _ in range(2)]
    optimizer.apply([keras.ops.ones(2)] * 2, variables)
    step = [{"passed": "on"}, 0, {"passed": "on"}, 1]
    hooks = ["_clip_gradients", "_apply_weight_decay", "_backend_update_step"]
    assert list(optimizer.calls) == hooks + step


@pytest.mark.parametrize(
    "name", ["_iterations", "_learning_rate", "_trainable_variables", "_variables"]
)
def test_keras_keeps_its_state_under_this_name(name):
    optimizer = keras.optimizers.SGD()
    optimizer.build([keras.Variable(np.zeros(2, "float32"))])
    assert name in vars(optimizer)


def test_keras_saves_a_saveable_that_is_an_attribute_of_an_optimizer(task, tmp_path):
    model = task.linear(optimizers.SGD(momentum=0.5))
    model.optimizer.build(model.trainable_variables)
    model.save_weights(tmp_path / "saved.weights.h5")
    import h5py

    with h5py.File(tmp_path / "saved.weights.h5") as file:
        assert float(file["optimizer/extra_state/vars/momentum"][()]) == 0.5
        assert set(file["optimizer/vars"]) == {"0", "1", "2"}


def test_exclusions_stand_where_they_are_looked_for():
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
