"""Files saved by 0.1.0 load, and training continues from them as it did there."""

import json
import pickle

import h5py
import keras
import numpy as np
import pytest
from files_of_0_1_0.make import (
    FOLDER,
    OBJECTS,
    OPTIMIZERS,
    STEPS_AFTER,
    STEPS_BEFORE,
    new_model,
    train,
)
from selection import quick

TOLERANCE = 1e-5

# Slots in bfloat16 are rounded stochastically, by a hash of the last bits of the value and the
# gradient, so a difference of one bit between two backends draws other random numbers.
LARGER_TOLERANCE = {"adam_with_slots_in_bfloat16": 0.03}


def recorded(name, when):
    with np.load(FOLDER / "weights.npz") as file:
        return [file[f"{name}/{when}/{n}"] for n in range(2)]


def whole_model(name):
    return keras.models.load_model(FOLDER / f"{name}.keras")


def weights_before_training(name):
    model = new_model(name)
    model.load_weights(FOLDER / f"{name}.weights.h5")
    return model


def weights_while_training(name):
    model = new_model(name)
    train(model, 0, 2, name)
    model.load_weights(FOLDER / f"{name}.weights.h5")
    return model


def pickled_optimizer(name):
    model = without_state(name)
    model.compile(pickle.loads((FOLDER / f"{name}.pickle").read_bytes()), "mse")
    return model


def without_state(name):
    model = new_model(name)
    model.set_weights(recorded(name, "middle"))
    return model


LOADERS = (whole_model, weights_before_training, weights_while_training, pickled_optimizer)


def cases():
    """Yield every file with every way to load it."""
    for name in OPTIMIZERS:
        for load in LOADERS:
            yield name, load


def assert_state_is_that_of_the_file(optimizer, path):
    with h5py.File(path) as file:
        state = file["optimizer/vars"]
        assert len(optimizer.saved_variables) == len(state)
        for n, variable in enumerate(optimizer.saved_variables):
            saved = state[str(n)]
            # A file holds slots in bfloat16 as float32.
            found = keras.ops.cast(variable, saved.dtype.name)
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(found), saved)
        extra = optimizer.extra_state.contents()
        for name, saved in file["optimizer/extra_state/vars"].items():
            # Ftrl's power is fixed at build now; in 0.1.0 it could be set while training.
            if name not in ("formula", "learning_rate_power"):
                np.testing.assert_array_equal(extra[name], saved, err_msg=name)


def deviation(model, name):
    """Return how far training ends from the record, as a share of the distance travelled."""
    found = train(model, STEPS_BEFORE, STEPS_BEFORE + STEPS_AFTER, name)
    shares = [
        np.abs(ours - last).max() / np.abs(last - first).max()
        for ours, first, last in zip(
            found, recorded(name, "middle"), recorded(name, "final"), strict=True
        )
    ]
    return max(shares)


@pytest.mark.parametrize(
    ("name", "load"),
    quick(
        list(cases()),
        lambda name, load: (
            load is not weights_while_training or name in ("sgd", "schedule_free_adamw")
        ),
    ),
)
def test_training_goes_on_from_a_file(name, load):
    model = load(name)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    assert int(optimizer.iterations) == STEPS_BEFORE // (optimizer.gradient_accumulation_steps or 1)
    assert_state_is_that_of_the_file(optimizer, FOLDER / f"{name}.weights.h5")
    assert deviation(model, name) <= LARGER_TOLERANCE.get(name, TOLERANCE)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_without_the_optimizers_state_training_ends_elsewhere(name):
    assert deviation(without_state(name), name) > 0.3


@pytest.mark.parametrize("number", range(len(OBJECTS)), ids=lambda n: type(OBJECTS[n]).__name__)
def test_a_class_is_found_with_its_arguments(number):
    config = json.loads((FOLDER / "objects.json").read_text())[number]
    pickled = pickle.loads((FOLDER / "objects.pickle").read_bytes())[number]
    expected = OBJECTS[number].get_config()
    for found in (keras.saving.deserialize_keras_object(config), pickled):
        assert type(found) is type(OBJECTS[number])
        assert found.get_config() == expected
    numbers = {key: x for key, x in config["config"].items() if not isinstance(x, (dict, list))}
    assert numbers.items() <= expected.items()
