"""Everyday uses: half precision, and optimizers inside optimizers."""

import keras
import numpy as np
import pytest
from everyday import FEW, assert_as_built_in, assert_learns, use
from keras_versions import needs_multi_optimizer


@pytest.fixture
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"], indirect=True)
@use()
def test_mixed_precision(task, make_optimizer, jit_compile, policy):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    is_scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert is_scaled == (policy == "mixed_float16")
    assert_learns(model, task.x, task.y)


@use(FEW)
def test_loss_scale_optimizer(task, make_optimizer, jit_compile):
    optimizer = keras.optimizers.LossScaleOptimizer(make_optimizer(), initial_scale=1024.0)
    model = task.linear(optimizer, jit_compile=jit_compile)
    assert_learns(model, task.x, task.y)
    assert int(optimizer.inner_optimizer.iterations) == 12


@use()
def test_loss_scale_optimizer_skips_an_overflow(task, make_optimizer, jit_compile):
    optimizer = keras.optimizers.LossScaleOptimizer(make_optimizer(), initial_scale=1024.0)
    model = task.linear(optimizer, jit_compile=jit_compile)
    before = model.get_weights()[0]
    overflowing = np.full((16, 4), np.inf, "float32")
    model.train_on_batch(overflowing, task.y[:16])
    np.testing.assert_array_equal(before, model.get_weights()[0])
    model.train_on_batch(task.x[:16], task.y[:16])
    assert np.all(np.isfinite(model.get_weights()[0]))
    assert np.any(model.get_weights()[0] != before)
    assert int(optimizer.inner_optimizer.iterations) == 1


@needs_multi_optimizer
@use()
def test_multi_optimizer(task, make_optimizer, jit_compile):
    def train(make, **compile_arguments):
        parts = keras.optimizers.OptimizerMap(make(), {".*first/.*": make(clipnorm=0.1)})
        optimizer = keras.optimizers.MultiOptimizer(parts)
        return task.fit(task.network(optimizer, **compile_arguments))

    assert_as_built_in(make_optimizer, train, jit_compile)
