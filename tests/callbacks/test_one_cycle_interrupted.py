"""OneCycle: between batches, and whatever interrupts training, the optimizer is the user's."""

import keras
import numpy as np
import pytest
from linear_training import (
    BATCH_SIZE,
    BATCHES,
    Interrupt,
    InterruptionError,
    X,
    Y,
    assert_reached,
    fit,
    linear_model,
    pytorch_cycle,
    sgd,
    weights,
)

from keras_optlab.callbacks import OneCycle
from keras_optlab.optimizers import SGD


def number(value):
    return float(keras.ops.convert_to_numpy(value))


def test_what_is_saved_meanwhile_holds_the_users_values(tmp_path):
    model = linear_model(SGD(0.01, momentum=0.9))
    path = str(tmp_path / "{epoch}-{batch}.keras")
    checkpoint = keras.callbacks.ModelCheckpoint(path, save_freq=4)
    fit(model, 2, [OneCycle(0.2), checkpoint], validation_data=(X, Y))
    assert_reached(model, sgd(*pytorch_cycle(0.2, 10)))
    saved = list(tmp_path.iterdir())
    assert len(saved) == 2
    for file in saved:
        optimizer = keras.saving.load_model(file).optimizer
        assert number(optimizer.learning_rate) == np.float32(0.01)
        assert optimizer.momentum == 0.9


def interrupted_by(hook, place):
    def interrupt(model, one_cycle):
        callbacks = [one_cycle]
        callbacks.insert(place, Interrupt(hook, 3))
        with pytest.raises(InterruptionError):
            fit(model, 2, callbacks)

    return interrupt


def interrupted_in_the_step(model, one_cycle):
    fit(model, 1)
    step, calls = model.train_function, []

    def interrupted_step(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return step(*arguments)

    model.train_function = interrupted_step
    with pytest.raises(KeyboardInterrupt):
        fit(model, 2, [one_cycle])
    assert model.train_function is interrupted_step
    model.train_function = step


def interrupted_by_the_data(model, one_cycle):
    def batches():
        for _ in range(3):
            yield X[:BATCH_SIZE], Y[:BATCH_SIZE]
        raise InterruptionError("data")

    # TensorFlow makes an error of its own of what a generator raises.
    with pytest.raises(Exception, match="data"):
        model.fit(batches(), steps_per_epoch=5, verbose=0, callbacks=[one_cycle])


INTERRUPTIONS = {
    "another callback before a batch, listed first": interrupted_by("on_train_batch_begin", 0),
    "another callback before a batch, listed last": interrupted_by("on_train_batch_begin", 1),
    "another callback after a batch, listed first": interrupted_by("on_train_batch_end", 0),
    "another callback after a batch, listed last": interrupted_by("on_train_batch_end", 1),
    "the user, inside the step": interrupted_in_the_step,
    "the data": interrupted_by_the_data,
}


@pytest.mark.parametrize("interruption", INTERRUPTIONS)
def test_an_interruption_leaves_the_optimizer_as_it_was(interruption):
    optimizer = SGD(0.01, momentum=0.9)
    model, before = linear_model(optimizer), optimizer.get_config()
    INTERRUPTIONS[interruption](model, OneCycle(0.2))

    assert number(optimizer.learning_rate) == np.float32(0.01)
    assert optimizer.momentum == 0.9
    assert optimizer.get_config() == before

    # Training without the callback has the user's values from its first step on.
    slots = [keras.ops.convert_to_numpy(slot) for slot in optimizer.variables[2:4]]
    velocity = np.concatenate([np.ravel(slot) for slot in slots])
    expected = sgd(
        [0.01] * BATCHES, [0.9] * BATCHES, w=weights(model).astype("float64"), v=velocity
    )
    fit(model, 1)
    np.testing.assert_allclose(weights(model), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    "interruption",
    ["another callback before a batch, listed last", "the user, inside the step", "the data"],
)
def test_an_interruption_leaves_a_built_in_optimizer_as_it_was(interruption):
    model = linear_model(keras.optimizers.Adam(0.01))
    INTERRUPTIONS[interruption](model, OneCycle(0.2, cycle_momentum=False))
    assert number(model.optimizer.learning_rate) == np.float32(0.01)


def test_the_same_callback_goes_on_after_an_interruption():
    model, one_cycle = linear_model(SGD(0.01, momentum=0.9)), OneCycle(0.2, total_steps=10)
    with pytest.raises(InterruptionError):
        # The fifth batch is the last of the epoch.
        fit(model, 1, [one_cycle, Interrupt("on_train_batch_end", 4)])
    fit(model, 1, [one_cycle])
    assert_reached(model, sgd(*pytorch_cycle(0.2, 10)))
