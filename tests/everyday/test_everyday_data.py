"""Everyday uses: sources of batches, and their weights."""

import keras
import numpy as np
import pytest
from everyday import BACKEND, FEW, assert_as_built_in, assert_learns, use


@use(quick=True, dynamo=["SGD", "Adagrad", "Adam", "Adafactor", "Muon", "ScheduleFreeAdamW"])
def test_arrays(task, make_optimizer, jit_compile):
    def train(make, **compile_arguments):
        return task.fit(task.network(make(), **compile_arguments), epochs=2)

    assert_as_built_in(make_optimizer, train, jit_compile)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@use(quick=True)
def test_dataset_of_unknown_batch_size(make_optimizer, jit_compile):
    tf = pytest.importorskip("tensorflow")
    random = np.random.default_rng(1)
    x = random.normal(size=(64, 6)).astype("float32")
    y = x @ random.normal(size=(6, 1)).astype("float32")
    rows = (tf.TensorSpec((None, 6)), tf.TensorSpec((None, 1)))
    batches = [(x[start : start + 16], y[start : start + 16]) for start in range(0, 64, 16)]
    dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=rows)
    model = keras.Sequential([keras.layers.Dense(1, use_bias=False)])
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(model, dataset)


@use(FEW)
def test_dataset_with_a_short_last_batch(task, make_optimizer, jit_compile):
    tf = pytest.importorskip("tensorflow")
    dataset = tf.data.Dataset.from_tensor_slices((task.x, task.y)).batch(24)
    assert_learns(task.linear(make_optimizer(), jit_compile=jit_compile), dataset)


@use()
def test_lookups_in_an_embedding(make_optimizer, jit_compile):
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(2).integers(0, 12, size=(48, 5))
    y = (x == 3).mean(axis=1, keepdims=True).astype("float32")
    layers = [
        keras.layers.Input((5,), dtype="int32"),
        keras.layers.Embedding(12, 4),
        keras.layers.GlobalAveragePooling1D(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    model.compile(make_optimizer(), "mse", jit_compile=jit_compile)
    assert_learns(model, x, y, epochs=4)


@pytest.mark.skipif(BACKEND == "torch", reason="Keras has no steps_per_execution on torch")
@use()
def test_steps_per_execution_with_a_short_last_batch(task, make_optimizer, jit_compile):
    def train(make, **compile_arguments):
        if compile_arguments.get("run_eagerly"):
            model = task.linear(make(), **compile_arguments)
        else:
            model = task.linear(make(), steps_per_execution=3, **compile_arguments)
        return task.fit(model, epochs=2, batch_size=12)

    assert_as_built_in(make_optimizer, train, jit_compile)


@use(FEW)
def test_generator(task, make_optimizer, jit_compile):
    def batches():
        while True:
            for start in range(0, 64, 16):
                yield task.x[start : start + 16], task.y[start : start + 16]

    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    assert_learns(model, batches(), steps_per_epoch=4)


@use(FEW)
def test_py_dataset(task, make_optimizer, jit_compile):
    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            rows = slice(16 * index, 16 * index + 16)
            return task.x[rows], task.y[rows]

    assert_learns(task.linear(make_optimizer(), jit_compile=jit_compile), Batches())


@use(FEW)
def test_torch_data_loader(task, make_optimizer, jit_compile):
    torch = pytest.importorskip("torch")
    arrays = torch.utils.data.TensorDataset(torch.as_tensor(task.x), torch.as_tensor(task.y))
    loader = torch.utils.data.DataLoader(arrays, batch_size=16)
    assert_learns(task.linear(make_optimizer(), jit_compile=jit_compile), loader)


@use(FEW)
def test_sample_weight(task, make_optimizer, jit_compile):
    weight = np.linspace(0.0, 2.0, 64).astype("float32")

    def train(make, **compile_arguments):
        model = task.linear(make(), **compile_arguments)
        return task.fit(model, sample_weight=weight)

    assert_as_built_in(make_optimizer, train, jit_compile)


@use(FEW)
def test_class_weight(task, make_optimizer, jit_compile):
    labels = (task.y[:, 0] > 0).astype("int32")

    def train(make, **compile_arguments):
        layers = [keras.layers.Input((4,)), keras.layers.Dense(2, use_bias=False)]
        model = keras.Sequential(layers)
        model.set_weights([task.kernel.copy()])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(make(), loss, **compile_arguments)
        arguments = {"batch_size": 16, "shuffle": False, "verbose": 0}
        model.fit(task.x, labels, class_weight={0: 0.2, 1: 3.0}, **arguments)
        return [np.array(weight) for weight in model.get_weights()]

    assert_as_built_in(make_optimizer, train, jit_compile)


@use(FEW)
def test_validation_split(task, make_optimizer, jit_compile):
    model = task.linear(make_optimizer(), jit_compile=jit_compile)
    history = assert_learns(model, task.x, task.y, validation_split=0.25).history
    assert history["val_loss"][-1] < history["val_loss"][0]
