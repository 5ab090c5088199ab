"""Everyday uses: loops other than a plain `fit`."""

import keras
import numpy as np
import pytest
from everyday import BACKEND, FEW, assert_as_built_in, assert_learns, use
from own_loops import OwnTrainStep, own_step


@use()
def test_own_train_step(task, make_optimizer, jit_compile):
    model = OwnTrainStep([keras.layers.Input((4,)), keras.layers.Dense(2)])
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    history = assert_learns(model, task.x, task.y).history
    assert history["twice_the_loss"] == pytest.approx([2 * loss for loss in history["loss"]])


@use(quick=True, compiled=(False,) if BACKEND == "torch" else (False, True))
def test_own_loop(task, make_optimizer, jit_compile):
    optimizer = make_optimizer()
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    step = own_step(model, optimizer, jit_compile)
    losses = [step(task.x, task.y) for _ in range(8)]
    assert np.all(np.isfinite(losses)) and losses[-1] < losses[0]
    assert int(optimizer.iterations) == 8


@use()
def test_train_on_batch(task, make_optimizer, jit_compile):
    def train(make, **compile_arguments):
        model = task.linear(make(), **compile_arguments)
        for start in range(0, 64, 16):
            rows = slice(start, start + 16)
            model.train_on_batch(task.x[rows], task.y[rows])
        return [np.array(weight) for weight in model.get_weights()]

    assert_as_built_in(make_optimizer, train, jit_compile)


@use(FEW, quick=True, compiled=(False,))
def test_run_eagerly(task, make_optimizer, jit_compile):
    model = task.linear(make_optimizer(), run_eagerly=True)
    assert_learns(model, task.x, task.y)


@use(FEW)
def test_evaluate_and_predict_between_fits(task, make_optimizer, jit_compile):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    before = model.evaluate(task.x, task.y, verbose=0)
    task.fit(model)
    outputs = model.predict(task.x, verbose=0)
    after = model.evaluate(task.x, task.y, verbose=0)
    assert after < before
    assert after == pytest.approx(np.mean((outputs - task.y) ** 2), rel=1e-5)
    assert_learns(model, task.x, task.y)
