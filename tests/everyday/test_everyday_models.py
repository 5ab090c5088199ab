"""Everyday uses: kinds of models, and changes to them between calls of `fit`."""

import keras
import numpy as np
import pytest
from everyday import BACKEND, FEW, assert_as_built_in, assert_learns, assert_same, use


@use(quick=True)
def test_sequential_without_input_shape(task, make_optimizer, jit_compile):
    model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(model, task.x, task.y)


@use()
def test_subclassed_model(task, make_optimizer, jit_compile):
    class Network(keras.Model):
        def __init__(self):
            super().__init__()
            self.last = keras.layers.Dense(2)

        def call(self, x):
            return self.last(x)

    model = Network()
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(model, task.x, task.y)


@use(FEW)
def test_functional_model_with_two_outputs(task, make_optimizer, jit_compile):
    # A bias trained with "mae" moves by multiples of 1/16 of the rate, and may return to 0.
    keras.utils.set_random_seed(3)
    x = keras.Input((4,))
    hidden = keras.layers.Dense(6, activation="tanh")(x)
    outputs = {name: keras.layers.Dense(1, name=name)(hidden) for name in ("left", "right")}
    model = keras.Model(x, outputs)
    losses = {"left": "mse", "right": "mae"}
    model.compile(make_optimizer(), losses, jit_compile=jit_compile)
    assert_learns(model, task.x, {"left": task.y[:, :1], "right": task.y[:, 1:]})


@use(FEW)
def test_convolution_normalization_and_dropout(make_optimizer, jit_compile):
    x = np.random.default_rng(3).normal(size=(32, 6, 6, 1)).astype("float32")
    y = x.mean(axis=(1, 2))
    layers = [
        keras.layers.Input((6, 6, 1)),
        keras.layers.Conv2D(3, 3, use_bias=False),
        keras.layers.BatchNormalization(),
        keras.layers.ReLU(),
        keras.layers.Dropout(0.1),
        keras.layers.Flatten(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(model, x, y, epochs=5)


@use()
def test_fit_twice(task, make_optimizer, jit_compile):
    twice = task.linear(make_optimizer(), jit_compile=jit_compile)
    task.fit(twice)
    once = task.linear(make_optimizer(), jit_compile=jit_compile)
    if make_optimizer.func.__name__ == "ScheduleFreeAdamW":
        # `fit` ends at the evaluation point, where the built-in leaves the weights for good.
        task.fit(twice)
        assert twice.evaluate(task.x, task.y, verbose=0) < once.evaluate(task.x, task.y, verbose=0)
    else:
        assert_same(task.fit(twice), task.fit(once, epochs=2))


@use()
def test_recompile_with_the_same_optimizer(task, make_optimizer, jit_compile):
    optimizer = make_optimizer()
    model = task.linear(optimizer, jit_compile=jit_compile)
    task.fit(model)
    model.compile(optimizer, "mae", jit_compile=jit_compile)
    assert_learns(model, task.x, task.y)
    assert int(optimizer.iterations) == 4 + 12


@use(FEW)
def test_recompile_with_a_new_optimizer(task, make_optimizer, jit_compile):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    task.fit(model)
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(model, task.x, task.y)
    assert int(model.optimizer.iterations) == 12


@use(quick=True)
def test_freeze_a_layer_between_fits(task, make_optimizer, jit_compile):
    model = task.network(make_optimizer(), jit_compile=jit_compile)
    task.fit(model)
    frozen = model.get_layer("first")
    frozen.trainable = False
    before = frozen.get_weights()
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(model, task.x, task.y)
    assert_same(before, frozen.get_weights())


@pytest.mark.skipif(BACKEND == "jax", reason="on JAX, Keras refuses other variables than before")
@use(FEW)
def test_freeze_a_layer_and_keep_the_optimizer(task, make_optimizer, jit_compile):
    optimizer = make_optimizer()
    model = task.network(optimizer, jit_compile=jit_compile)
    task.fit(model)
    frozen = model.get_layer("first")
    frozen.trainable = False
    before = frozen.get_weights()
    model.compile(optimizer, "mse", jit_compile=jit_compile)
    assert_learns(model, task.x, task.y)
    assert_same(before, frozen.get_weights())


@use()
def test_clipping_decay_and_averaging(task, make_optimizer, jit_compile):
    arguments = {"global_clipnorm": 1.0, "weight_decay": 0.01, "use_ema": True, "ema_momentum": 0.8}

    def train(make, **compile_arguments):
        return task.fit(task.linear(make(**arguments), **compile_arguments))

    assert_as_built_in(make_optimizer, train, jit_compile)


@use()
def test_gradient_accumulation(task, make_optimizer, jit_compile):
    def train(make, **compile_arguments):
        optimizer = make(gradient_accumulation_steps=2)
        return task.fit(task.linear(optimizer, **compile_arguments))

    assert_as_built_in(make_optimizer, train, jit_compile)
