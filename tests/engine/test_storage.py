"""A custom slot storage, blockwise int8, which plugs in without touching another file."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import keras
import numpy as np
import pytest
from keras import ops
from selection import SLOW_ON_ONE, quick
from steps import BACKEND, train

from keras_optlab import optimizers
from keras_optlab.conversion import from_keras
from keras_optlab.engine import rounding
from keras_optlab.engine.storage import MAIN, SLOT_STORAGES, Part, Storage

BLOCK = 256
LEVELS = 127


@final
@dataclass(frozen=True)
class BlockwiseInt8(Storage):
    """Codes from -127 to 127, spread by a fourth power, and the largest magnitude per block.

    A code c stands for sign(c) (c / 127)^4 times that magnitude. Linear codes would round a second
    moment to 0 in most elements, and the update would divide by it.
    """

    is_elementwise: ClassVar[bool] = False
    is_written_alone: ClassVar[bool] = True

    def parts(self, shape):
        blocks = -(-math.prod(shape) // BLOCK)
        return {MAIN: Part(shape, "int8"), "largest": Part((blocks,), "float32")}

    def encode(self, value, *seeds):
        blocks = _in_blocks(ops.cast(value, "float32"))
        largest = ops.max(ops.abs(blocks), axis=1)
        scale = ops.expand_dims(ops.where(largest > 0, largest, ops.ones_like(largest)), 1)
        levels = LEVELS * ops.sqrt(ops.sqrt(ops.abs(blocks) / scale))
        above = ops.full_like(levels, 0.5)
        if seeds:
            bits = ops.bitwise_and(rounding.random_bits(value, *seeds), 0xFFFFFF)
            above = _in_blocks(ops.cast(bits, "float32") / 2**24)
        codes = ops.sign(blocks) * ops.minimum(ops.floor(levels + above), LEVELS)
        return {MAIN: ops.cast(_of_shape(codes, value.shape), "int8"), "largest": largest}

    def decode(self, parts, dtype):
        codes = _in_blocks(ops.cast(parts[MAIN], "float32")) / LEVELS
        size = ops.square(ops.square(codes)) * ops.expand_dims(parts["largest"], 1)
        return ops.cast(_of_shape(ops.sign(codes) * size, parts[MAIN].shape), dtype)


def _in_blocks(values):
    flat = ops.reshape(values, (-1,))
    missing = -flat.shape[0] % BLOCK
    return ops.reshape(ops.pad(flat, ((0, missing),)), (-1, BLOCK))


def _of_shape(blocks, shape):
    return ops.reshape(ops.reshape(blocks, (-1,))[: math.prod(shape)], shape)


@pytest.fixture(autouse=True)
def int8(monkeypatch):
    monkeypatch.setitem(SLOT_STORAGES, "int8", BlockwiseInt8())


def digits():
    """Return images of 64 pixels and their digits, as NumPy arrays."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return (images / 16).astype("float32"), labels


@pytest.mark.parametrize(
    "jit_compile",
    quick([False, True] if BACKEND == "tensorflow" else [False], [], SLOW_ON_ONE),
)
def test_digits_are_learned_as_with_float32(jit_compile):
    accuracies = {}
    images, labels = digits()
    for dtype in ("int8", "float32"):
        keras.utils.set_random_seed(5)
        layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10)]
        model = keras.Sequential([keras.layers.Input((64,)), *layers])
        model.compile(
            optimizers.Adam(3e-3, slot_dtype=dtype),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=jit_compile,
        )
        model.fit(images, labels, batch_size=64, epochs=10, verbose=0)
        accuracies[dtype] = model.evaluate(images, labels, verbose=0)[1]
    assert accuracies["float32"] > 0.95
    assert accuracies["int8"] > accuracies["float32"] - 0.01


def test_the_state_takes_a_quarter():
    optimizer = optimizers.Adam(slot_dtype="int8")
    optimizer.build([keras.Variable(np.ones((64, 64), "float32"), name="kernel")])
    stored = {
        name: (v.dtype, tuple(v.shape)) for name, v in optimizer.slots_by_name["kernel"].items()
    }
    assert stored == {
        "momentum": ("int8", (64, 64)),
        "momentum.largest": ("float32", (16,)),
        "velocity": ("int8", (64, 64)),
        "velocity.largest": ("float32", (16,)),
    }


def test_a_slot_starts_from_its_first_value():
    """Adagrad's is 0.1, which no code can express without its block's largest magnitude."""
    start = [np.ones((3, 5), "float32")]
    gradient = [np.full((3, 5), 0.5, "float32")]
    [ours] = train(optimizers.Adagrad(0.1, slot_dtype="int8"), start, [gradient])
    [whole] = train(optimizers.Adagrad(0.1), start, [gradient])
    np.testing.assert_allclose(ours, whole, rtol=1e-6)


def test_a_large_variable_is_updated_as_its_parts_are():
    """XLA writes the arrays of a large variable one by one, each from old values of the others."""
    random = np.random.default_rng(4)
    start = random.normal(size=(300, 512)).astype("float32")
    gradients = [random.normal(size=start.shape).astype("float32") for _ in range(3)]
    weights = []
    for parts in (1, 6):
        optimizer = optimizers.Adam(slot_dtype="int8")
        cut = [np.split(gradient, parts) for gradient in gradients]
        weights.append(np.concatenate(train(optimizer, np.split(start, parts), cut)))
    distance = np.abs(weights[1] - start).mean()
    assert np.abs(weights[0] - weights[1]).mean() <= 1e-2 * distance


def fitted(task, **arguments):
    model = task.network(optimizers.Adam(0.01, **arguments))
    task.fit(model)
    return model


def test_a_file_goes_both_ways(task, tmp_path):
    """Files hold decoded numbers: a built-in can read them, and codes are rebuilt from them."""
    model = fitted(task, slot_dtype="int8")
    model.save_weights(tmp_path / "int8.weights.h5")
    codes = [np.array(ops.convert_to_numpy(v)) for v in model.optimizer.variables]

    again = task.network(optimizers.Adam(0.01, slot_dtype="int8"))
    again.optimizer.build(again.trainable_variables)
    again.load_weights(tmp_path / "int8.weights.h5")
    for code, variable in zip(codes, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(code, ops.convert_to_numpy(variable))
    assert all(np.array_equal(x, y) for x, y in zip(task.fit(model), task.fit(again), strict=True))

    built_in = task.network(keras.optimizers.Adam(0.01))
    built_in.optimizer.build(built_in.trainable_variables)
    built_in.load_weights(tmp_path / "int8.weights.h5")
    task.fit(built_in)
    momentum = ops.convert_to_numpy(built_in.optimizer.variables[2])
    built_in.save_weights(tmp_path / "built_in.weights.h5")
    again.load_weights(tmp_path / "built_in.weights.h5")
    for optimizer in (again.optimizer, from_keras(built_in.optimizer)):
        plan = optimizer.engine.plans[0]
        found = plan.formula.storages.decode_slots(plan.slots, "float32")["momentum"]
        largest = np.abs(momentum).max()
        np.testing.assert_allclose(ops.convert_to_numpy(found), momentum, atol=0.02 * largest)


def test_lazy_is_refused_with_blockwise_slots():
    with pytest.raises(ValueError, match=r"`lazy` needs slots .* Received: .*slot_dtype='int8'"):
        optimizers.Adam(lazy=True, slot_dtype="int8")
