"""Slots in bfloat16: half the state, and averages that do not stall."""

import math

import keras
import numpy as np
import pytest
from selection import quick
from steps import BACKEND, train

from keras_optlab import optimizers

SURVIVES = sorted(set(optimizers.__all__) - {"Ftrl"})
MOMENTUM = {"SGD": {"momentum": 0.9}}


def built(name, **arguments):
    optimizer = getattr(optimizers, name)(**MOMENTUM.get(name, {}), **arguments)
    optimizer.build([keras.Variable(np.ones((8, 8), "float32"), name="kernel")])
    return optimizer


def state_bytes(optimizer):
    sizes = {"float32": 4, "bfloat16": 2, "int32": 4, "int64": 8}
    whole = [v for v in optimizer.variables if tuple(v.shape) == (8, 8)]
    return sum(64 * sizes[keras.backend.standardize_dtype(v.dtype)] for v in whole)


@pytest.mark.parametrize("name", SURVIVES)
def test_the_state_is_half_as_large(name):
    share = state_bytes(built(name, slot_dtype="bfloat16")) / state_bytes(built(name))
    # Not reduced: z of schedule-free algorithms, which their weights are derived from; Prodigy's
    # start, one of four slots; SOAP's two bases and two factors, four of six.
    kept = {"ScheduleFreeAdamW": 0.75, "ScheduleFreeSGD": 1.0, "Prodigy": 0.625, "SOAP": 5 / 6}
    assert share == pytest.approx(kept.get(name, 0.5))


def test_ftrl_refuses_with_the_reason():
    with pytest.raises(
        ValueError, match=r"Ftrl does not support `slot_dtype`: .*Received: .*bfloat16"
    ):
        optimizers.Ftrl(slot_dtype="bfloat16")


def quadratic(optimizer, steps=150):
    """Return the final mean squared distance from the minimum of a noisy quadratic."""
    random = np.random.default_rng(2)
    weights = keras.Variable(np.ones(128, "float32"))
    optimizer.build([weights])
    for _ in range(steps):
        gradient = keras.ops.convert_to_numpy(weights) + 0.1 * random.normal(size=128)
        optimizer.apply([keras.ops.convert_to_tensor(gradient, "float32")], [weights])
    optimizer.finalize_variable_values([weights])
    return float(np.mean(np.square(keras.ops.convert_to_numpy(weights))))


@pytest.mark.slow
@pytest.mark.parametrize("name", quick(["SGD", "Adam", "Nadam", "RMSprop", "Lion"], ["Adam"]))
def test_convergence_is_that_of_full_slots(name):
    arguments = {"learning_rate": 1e-2, **MOMENTUM.get(name, {})}
    cls = getattr(optimizers, name)
    half, full = (quadratic(cls(**arguments, slot_dtype=d)) for d in ("bfloat16", "float32"))
    assert abs(half - full) <= 0.1 * full + 0.002


LARGE_CASES = {
    "SGD": {"learning_rate": 0.01, "momentum": 0.9},
    "RMSprop": {"centered": True, "momentum": 0.5},
    "Adadelta": {"learning_rate": 1.0},
    "Adam": {"amsgrad": True},
    "Nadam": {},
    "Adamax": {},
    "Lion": {},
}
LARGE_SHAPE = (300, 401)


@pytest.mark.parametrize("name", quick(LARGE_CASES, ["Adam"]))
def test_a_large_variable_is_updated_as_its_parts_are(name):
    """XLA writes the slots of a large variable one by one, each from old values of the others."""
    random = np.random.default_rng(4)
    start = random.normal(size=LARGE_SHAPE).astype("float32")
    gradients = [random.normal(size=start.shape).astype("float32") for _ in range(3)]
    weights = []
    for parts in (1, 6):
        optimizer = getattr(optimizers, name)(**LARGE_CASES[name], slot_dtype="bfloat16")
        cut = [np.split(gradient, parts) for gradient in gradients]
        weights.append(np.concatenate(train(optimizer, np.split(start, parts), cut)))
    distance = np.abs(weights[1] - start).mean()
    assert distance > 0
    # XLA and single operations differ in the last bit, which rounds some slots the other way.
    assert np.abs(weights[0] - weights[1]).mean() <= 1e-3 * distance


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX reports the memory of a compiled step")
@pytest.mark.parametrize("name", LARGE_CASES)
def test_a_step_on_a_large_variable_needs_no_temporaries(name):
    import jax

    variable = keras.Variable(np.ones(LARGE_SHAPE, "float32"), name="w")
    optimizer = getattr(optimizers, name)(**LARGE_CASES[name], slot_dtype="bfloat16")
    optimizer.build([variable])

    def step(state, gradients):
        weights, slots = state
        return optimizer.stateless_apply(slots, gradients, weights)

    state = [variable.value], [slot.value for slot in optimizer.variables]
    lowered = jax.jit(step, donate_argnums=0).lower(state, [variable.value * 1])
    needed = lowered.compile().memory_analysis().temp_size_in_bytes
    assert needed < 0.01 * 4 * math.prod(LARGE_SHAPE)


def test_lamb_sums_over_all_of_a_large_variable():
    """With the same gradient everywhere, all slots and steps are equal too."""
    start = np.full(LARGE_SHAPE, 0.5, "float32")
    gradients = [[np.full(LARGE_SHAPE, sign, "float32")] for sign in (0.5, -0.25)]
    [ours] = train(optimizers.Lamb(0.125, slot_dtype="bfloat16"), [start], gradients)
    small = [[gradient[0][:4, :4]] for gradient in gradients]
    [expected] = train(optimizers.Lamb(0.125), [start[:4, :4]], small)
    np.testing.assert_allclose(ours, np.broadcast_to(expected[0, 0], LARGE_SHAPE), rtol=2e-2)


def second_moment(steps, slot_dtype):
    """Return Adam's v after gradients near 1, when it changes by less than bfloat16 resolves."""
    start = [np.ones(4096, "float32")]
    gradient = np.random.default_rng(4).normal(1.0, 0.01, size=4096).astype("float32")
    optimizer = optimizers.Adam(0.0, beta_2=0.99, slot_dtype=slot_dtype)
    train(optimizer, start, [[gradient]] * steps)
    return np.array(keras.ops.convert_to_numpy(keras.ops.cast(optimizer.variables[3], "float32")))


def test_rounding_is_unbiased_and_random_in_each_element():
    steps = 200
    half, full = second_moment(steps, "bfloat16"), second_moment(steps, "float32")
    assert np.unique(half).size > 1
    np.testing.assert_allclose(np.mean(half), np.mean(full), rtol=0.002)


def test_infinity_and_nan_are_preserved():
    gradient = np.array([np.inf, -np.inf, np.nan, 1.0], "float32")
    optimizer = optimizers.SGD(1.0, momentum=0.5, slot_dtype="bfloat16")
    train(optimizer, [np.zeros(4, "float32")], [[gradient]])
    slot = np.array(keras.ops.convert_to_numpy(keras.ops.cast(optimizer.variables[2], "float32")))
    assert slot[0] == -np.inf and slot[1] == np.inf and np.isnan(slot[2]) and slot[3] == -1.0


@pytest.mark.slow
def test_a_built_in_takes_over_saved_slots(task, tmp_path):
    model = task.network(optimizers.Adam(0.01, slot_dtype="bfloat16"))
    task.fit(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for old, new in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        assert old.dtype == new.dtype
        assert np.array_equal(
            *(keras.ops.convert_to_numpy(keras.ops.cast(v, "float32")) for v in (old, new))
        )
    successor = task.network(keras.optimizers.Adam(0.01))
    model.save_weights(tmp_path / "model.weights.h5")
    successor.optimizer.build(successor.trainable_variables)
    successor.load_weights(tmp_path / "model.weights.h5")
    theirs = np.array(keras.ops.convert_to_numpy(successor.optimizer.variables[2]))
    ours = keras.ops.cast(model.optimizer.variables[2], "float32")
    assert np.array_equal(theirs, np.array(keras.ops.convert_to_numpy(ours)))
