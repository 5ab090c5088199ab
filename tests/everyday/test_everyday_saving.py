"""Everyday uses: saving, loading, copying and exporting."""

import copy
import pickle

import keras
import numpy as np
import pytest
from everyday import BACKEND, FEW, assert_learns, assert_same, numpy, state, use


# The built-in warns too: the file has no slots yet.
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@use(quick=True)
def test_save_before_training(task, make_optimizer, jit_compile, tmp_path):
    path = tmp_path / "model.keras"
    task.linear(make_optimizer(), jit_compile=jit_compile).save(path)
    model = keras.saving.load_model(path)
    assert type(model.optimizer) is make_optimizer.func
    assert_learns(model, task.x, task.y)


@use(quick=True)
def test_save_after_training(task, make_optimizer, jit_compile, tmp_path):
    path = tmp_path / "model.keras"
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    task.fit(model)
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert_same(model.get_weights(), loaded.get_weights())
    assert_same(state(model.optimizer), state(loaded.optimizer))
    assert_same(task.fit(model), task.fit(loaded))


@use(FEW)
def test_save_weights(task, make_optimizer, jit_compile, tmp_path):
    path = tmp_path / "model.weights.h5"
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    trained = task.fit(model)
    model.save_weights(path)
    fresh = task.linear(make_optimizer(), jit_compile=jit_compile)
    fresh.load_weights(path)
    assert_same(trained, fresh.get_weights())
    assert_learns(fresh, task.x, task.y)


def by_pickle(model):
    return pickle.loads(pickle.dumps(model))


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
@pytest.mark.parametrize("copied", [by_pickle, copy.deepcopy])
@use()
def test_copy_before_training(task, make_optimizer, jit_compile, copied):
    model = copied(task.linear(make_optimizer(), jit_compile=jit_compile))
    assert_learns(model, task.x, task.y)


@pytest.mark.parametrize("copied", [by_pickle, copy.deepcopy])
@use()
def test_copy_after_training(task, make_optimizer, jit_compile, copied):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    trained = task.fit(model)
    twin = copied(model)
    assert_learns(twin, task.x, task.y)
    assert_same(trained, model.get_weights())


@use(FEW)
def test_clone_model(task, make_optimizer, jit_compile):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    task.fit(model)
    clone = keras.models.clone_model(model)
    clone.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(clone, task.x, task.y)


@use(FEW)
def test_optimizer_from_its_config(task, make_optimizer, jit_compile):
    optimizer = make_optimizer.func.from_config(make_optimizer().get_config())
    assert float(optimizer.learning_rate) == pytest.approx(make_optimizer.keywords["learning_rate"])
    assert_learns(task.linear(optimizer, jit_compile=jit_compile), task.x, task.y)


@use(FEW)
def test_optimizer_from_a_dictionary(task, make_optimizer, jit_compile):
    dictionary = keras.optimizers.serialize(make_optimizer())
    model = task.linear(dictionary, jit_compile=jit_compile)
    assert type(model.optimizer) is make_optimizer.func
    assert_learns(model, task.x, task.y)


@use(quick=True)
def test_optimizer_by_its_name(task, make_optimizer, jit_compile):
    name = keras.saving.get_registered_name(make_optimizer.func)
    model = task.linear(name, jit_compile=jit_compile)
    assert type(model.optimizer) is make_optimizer.func
    before = model.get_weights()
    assert np.any(task.fit(model)[0] != before[0])


@pytest.mark.filterwarnings("ignore")  # from the backends' exporters
@use(FEW)
def test_export_after_training(task, make_optimizer, jit_compile, tmp_path):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    task.fit(model)
    expected = model.predict(task.x, verbose=0)
    if BACKEND == "torch":
        import torch

        path = str(tmp_path / "model.pt2")
        model.export(path, format="torch", verbose=False)
        # Without a batch size, Keras exports for a single row.
        expected = expected[:1]
        outputs = torch.export.load(path).module()(torch.as_tensor(task.x[:1]))
    else:
        tf = pytest.importorskip("tensorflow")
        path = str(tmp_path / "model")
        model.export(path, verbose=False)
        reloaded = tf.saved_model.load(path)
        outputs = reloaded.serve(task.x)
    np.testing.assert_allclose(numpy(outputs), expected, rtol=1e-5, atol=1e-6)
    assert_learns(model, task.x, task.y)


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@use(FEW)
def test_quantize_after_training(task, make_optimizer, jit_compile):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    task.fit(model)
    expected = model.predict(task.x, verbose=0)
    model.quantize("int8")
    assert model.layers[0].quantization_mode == "int8"
    outputs = model.predict(task.x, verbose=0)
    np.testing.assert_allclose(outputs, expected, atol=0.05 * np.abs(expected).max())
