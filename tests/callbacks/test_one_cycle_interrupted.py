"""OneCycle: what other callbacks see of it, and that the optimizer is restored afterwards."""

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
from selection import quick

from keras_optlab.callbacks import OneCycle
from keras_optlab.optimizers import SGD


def number(value):
    return float(keras.ops.convert_to_numpy(value))


def test_other_callbacks_see_the_cycle_until_training_ends():
    seen = {"learning_rate": [], "momentum": []}

    class Log(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen["learning_rate"].append(number(self.model.optimizer.learning_rate))
            seen["momentum"].append(number(self.model.optimizer.momentum))

    model = linear_model(SGD(0.01, momentum=0.9))
    fit(model, 2, [Log(), OneCycle(0.2)])
    rates, momenta = pytorch_cycle(0.2, 10)
    assert_reached(model, sgd(rates, momenta))
    np.testing.assert_allclose(seen["learning_rate"], rates, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(seen["momentum"], momenta, rtol=1e-6)
    assert number(model.optimizer.learning_rate) == np.float32(0.01)
    assert model.optimizer.momentum == 0.9


def test_a_file_saved_meanwhile_holds_the_cycle(tmp_path):
    model = linear_model(SGD(0.01, momentum=0.9))
    checkpoint = keras.callbacks.ModelCheckpoint(str(tmp_path / "{batch}.keras"), save_freq=4)
    fit(model, 1, [OneCycle(0.2), checkpoint])
    (file,) = tmp_path.iterdir()
    rates, momenta = pytorch_cycle(0.2, 5)
    optimizer = keras.saving.load_model(file).optimizer
    assert number(optimizer.learning_rate) == np.float32(rates[3])
    assert optimizer.momentum == pytest.approx(momenta[3])


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

    # TensorFlow turns an exception of a generator into a different one.
    with pytest.raises(Exception, match="data"):
        model.fit(batches(), steps_per_epoch=5, shuffle=False, verbose=0, callbacks=[one_cycle])


INTERRUPTIONS = {
    "another callback before a batch, listed first": interrupted_by("on_train_batch_begin", 0),
    "another callback before a batch, listed last": interrupted_by("on_train_batch_begin", 1),
    "another callback after a batch, listed first": interrupted_by("on_train_batch_end", 0),
    "another callback after a batch, listed last": interrupted_by("on_train_batch_end", 1),
    "the user, inside the step": interrupted_in_the_step,
    "the data": interrupted_by_the_data,
}


@pytest.mark.parametrize(
    "interruption",
    quick(INTERRUPTIONS, ["another callback before a batch, listed last", "the data"]),
)
def test_an_interruption_leaves_the_optimizer_as_it_was(interruption):
    optimizer = SGD(0.01, momentum=0.9)
    model, before = linear_model(optimizer), optimizer.get_config()
    INTERRUPTIONS[interruption](model, OneCycle(0.2))

    assert number(optimizer.learning_rate) == np.float32(0.01)
    assert optimizer.momentum == 0.9
    assert optimizer.get_config() == before

    # Training without the callback uses the user's values from the first step on.
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
