"""OneCycle: the values of PyTorch's OneCycleLR, in Keras' `fit`."""

import keras
import numpy as np
import pytest
from linear_training import (
    BATCH_SIZE,
    BATCHES,
    START,
    Interrupt,
    InterruptionError,
    X,
    Y,
    adam,
    assert_reached,
    fit,
    linear_model,
    pytorch_cycle,
    sgd,
    weights,
)
from selection import quick

import keras_optlab
from keras_optlab.callbacks import OneCycle
from keras_optlab.optimizers import SGD, Adam

BACKEND = keras.backend.backend()

SHAPES = {
    "cosine, two phases": {},
    "linear, two phases": {"anneal": "linear", "pct_start": 0.45},
    "cosine, three phases": {"three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
    "linear, three phases": {"anneal": "linear", "three_phase": True, "base_momentum": 0.7},
}


OPTIMIZERS = {
    "SGD": (lambda: SGD(0.01, momentum=0.9), sgd, 0.2, 1),
    "Adam": (lambda: Adam(0.01, beta_2=0.9), adam, 0.3, 1),
    "SGD, accumulating": (
        lambda: SGD(0.01, momentum=0.9, gradient_accumulation_steps=3),
        sgd,
        0.2,
        3,
    ),
}


@pytest.mark.parametrize("shape", quick(SHAPES, ["cosine, two phases", "linear, three phases"]))
@pytest.mark.parametrize("name", quick(OPTIMIZERS, ["SGD"]))
def test_weights_equal_a_numpy_loop_over_pytorchs_values(name, shape):
    optimizer, oracle, peak, accumulated = OPTIMIZERS[name]
    model, one_cycle = linear_model(optimizer()), OneCycle(peak, **SHAPES[shape])
    fit(model, 4, [one_cycle])

    updates = 4 * BATCHES // accumulated
    rates, momenta = pytorch_cycle(peak, updates, **SHAPES[shape])
    np.testing.assert_allclose(one_cycle.history["learning_rate"], rates, rtol=1e-9)
    np.testing.assert_allclose(one_cycle.history["momentum"], momenta, rtol=1e-9)
    assert_reached(model, oracle(rates, momenta, accumulated))


@pytest.mark.parametrize("name", quick(["RMSprop", "Muon", "Nadam", "Lion", "ScheduleFreeAdamW"]))
def test_other_optimizers_with_a_momentum_are_cycled(name):
    settings = {"momentum": 0.9} if name == "RMSprop" else {}
    optimizer = getattr(keras_optlab.optimizers, name)(0.01, **settings)
    before = optimizer.get_config()
    model, one_cycle = linear_model(optimizer), OneCycle(1e-3)
    fit(model, 2, [one_cycle])
    np.testing.assert_allclose(one_cycle.history["momentum"], pytorch_cycle(1.0, 10)[1], rtol=1e-9)
    assert np.all(np.isfinite(weights(model)))
    assert np.any(weights(model) != np.float32(START))
    assert optimizer.get_config() == before


def test_a_built_in_optimizer_cycles_its_learning_rate_alone():
    model = linear_model(keras.optimizers.SGD(0.01, momentum=0.8))
    one_cycle = OneCycle(0.2, cycle_momentum=False)
    fit(model, 3, [one_cycle])
    rates, _ = pytorch_cycle(0.2, 3 * BATCHES)
    assert_reached(model, sgd(rates, [0.8] * 15))
    assert one_cycle.history["momentum"] == []
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == np.float32(0.01)


def test_a_wrapped_optimizer_is_cycled():
    model = linear_model(keras.optimizers.LossScaleOptimizer(SGD(0.01, momentum=0.9)))
    fit(model, 3, [OneCycle(0.2)])
    assert_reached(model, sgd(*pytorch_cycle(0.2, 15)))
    assert model.optimizer.inner_optimizer.momentum == 0.9


def test_a_model_that_fit_builds_is_cycled():
    model = linear_model(SGD(0.01, momentum=0.9), built=False)
    fit(model, 2, [OneCycle(0.2)])
    assert_reached(model, sgd(*pytorch_cycle(0.2, 10)))
    assert model.optimizer.momentum == 0.9


def test_parameter_groups_multiply_the_cycle():
    groups = [keras_optlab.ParameterGroup("bias", learning_rate_multiplier=0.0)]
    model = linear_model(SGD(0.01, momentum=0.9, groups=groups))
    fit(model, 2, [OneCycle(0.2)])
    assert weights(model)[-1] == np.float32(START[-1])
    assert np.all(weights(model)[:-1] != np.float32(START[:-1]))


@pytest.mark.skipif(BACKEND == "torch", reason="Keras on torch has no steps_per_execution")
def test_steps_per_execution_use_the_values_of_the_first():
    model = linear_model(SGD(0.01, momentum=0.9), steps_per_execution=2)
    one_cycle = OneCycle(0.2)
    fit(model, 2, [one_cycle])
    # An epoch of five batches is run as 2 + 2 + 1.
    used = [0, 0, 2, 2, 4, 5, 5, 7, 7, 9]
    rates, momenta = (np.array(values)[used] for values in pytorch_cycle(0.2, 10))
    np.testing.assert_allclose(one_cycle.history["learning_rate"], rates, rtol=1e-9)
    assert_reached(model, sgd(rates, momenta))


def test_the_callback_causes_no_retracing():
    traces = []

    def loss(target, prediction):
        traces.append(target)
        return keras.losses.mean_squared_error(target, prediction)

    counts = []
    for callbacks in ([], [OneCycle(0.1)]):
        model = linear_model(SGD(0.01, momentum=0.9))
        model.compile(model.optimizer, loss=loss)
        traces.clear()
        fit(model, 3, callbacks)
        fit(model, 2, callbacks)
        counts.append(len(traces))
    assert counts[0] == counts[1]


def test_the_logs_hold_the_last_values_of_each_epoch():
    one_cycle = OneCycle(0.2)
    history = fit(linear_model(SGD(0.01, momentum=0.9)), 3, [one_cycle]).history
    rates, momenta = pytorch_cycle(0.2, 15)
    np.testing.assert_allclose(history["learning_rate"], rates[4::5], rtol=1e-9)
    np.testing.assert_allclose(history["momentum"], momenta[4::5], rtol=1e-9)


# Position of a run in the cycle


def test_several_fit_calls_go_through_one_cycle_and_then_stay():
    model, one_cycle = linear_model(SGD(0.01, momentum=0.9)), OneCycle(0.2, total_steps=13)
    for epochs in (1, 2, 1):
        fit(model, epochs, [one_cycle])
    rates, momenta = pytorch_cycle(0.2, 13)
    rates, momenta = rates + rates[-1:] * 7, momenta + momenta[-1:] * 7
    np.testing.assert_allclose(one_cycle.history["learning_rate"], rates, rtol=1e-9)
    assert_reached(model, sgd(rates, momenta))


def test_accumulated_batches_are_carried_into_the_next_fit_call():
    model = linear_model(SGD(0.01, momentum=0.9, gradient_accumulation_steps=2))
    one_cycle = OneCycle(0.2, total_steps=10)
    for epochs in (1, 1, 2):
        fit(model, epochs, [one_cycle])
    assert len(one_cycle.history["learning_rate"]) == 10
    assert_reached(model, sgd(*pytorch_cycle(0.2, 10), accumulated=2))


def test_without_total_steps_each_fit_call_is_a_cycle():
    model, one_cycle = linear_model(SGD(0.01, momentum=0.9)), OneCycle(0.2)
    fit(model, 2, [one_cycle])
    fit(model, 3, [one_cycle])
    first, second = pytorch_cycle(0.2, 10), pytorch_cycle(0.2, 15)
    np.testing.assert_allclose(one_cycle.history["learning_rate"], second[0], rtol=1e-9)
    assert_reached(model, sgd(*(a + b for a, b in zip(first, second, strict=True))))


def test_another_optimizer_begins_another_cycle():
    one_cycle = OneCycle(0.2, total_steps=10)
    for _ in range(2):
        model = linear_model(SGD(0.01, momentum=0.9))
        fit(model, 2, [one_cycle])
    assert_reached(model, sgd(*pytorch_cycle(0.2, 10)))
    assert len(one_cycle.history["momentum"]) == 10


@pytest.mark.parametrize("total_steps", quick([None, 20], [None]))
@pytest.mark.parametrize("new_callback", [True, False])
def test_initial_epoch_goes_on_in_the_middle(total_steps, new_callback):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    model, one_cycle = linear_model(SGD(0.01, momentum=0.9)), OneCycle(0.2, total_steps)
    fit(model, 4, [one_cycle, Stop()])
    if new_callback:
        one_cycle = OneCycle(0.2, total_steps)
    fit(model, 4, [one_cycle], initial_epoch=2)
    rates, momenta = pytorch_cycle(0.2, 20)
    assert_reached(model, sgd(rates, momenta))
    expected = rates if total_steps and not new_callback else rates[10:]
    np.testing.assert_allclose(one_cycle.history["learning_rate"], expected, rtol=1e-9)


@pytest.mark.parametrize("accumulated", quick([None, 3], [3]))
@pytest.mark.parametrize("position", quick([0, 1], [0]))
def test_a_resumed_cycle_ends_as_an_uninterrupted_one(tmp_path, position, accumulated):
    def run(*others):
        optimizer = SGD(0.01, momentum=0.9, gradient_accumulation_steps=accumulated)
        model, one_cycle = linear_model(optimizer), OneCycle(0.2)
        callbacks = [keras.callbacks.BackupAndRestore(tmp_path / "backup"), *others]
        callbacks.insert(position, one_cycle)
        fit(model, 4, callbacks)
        return model, one_cycle

    with pytest.raises(InterruptionError):
        run(Interrupt("on_epoch_begin", 2))
    model, one_cycle = run()

    updates = 20 // (accumulated or 1)
    rates, momenta = pytorch_cycle(0.2, updates)
    assert_reached(model, sgd(rates, momenta, accumulated or 1))
    assert model.optimizer.momentum == 0.9
    done = 10 // (accumulated or 1)
    np.testing.assert_allclose(one_cycle.history["learning_rate"], rates[done:], rtol=1e-9)


def test_an_epoch_repeated_after_a_backup_has_its_values(tmp_path):
    def run(*others):
        model, one_cycle = linear_model(SGD(0.01, momentum=0.9)), OneCycle(0.2)
        backup = keras.callbacks.BackupAndRestore(tmp_path / "backup", save_freq=3)
        fit(model, 3, [one_cycle, backup, *others])
        return one_cycle

    with pytest.raises(InterruptionError):
        run(Interrupt("on_epoch_end", 1))
    rates, _ = pytorch_cycle(0.2, 15)
    np.testing.assert_allclose(run().history["learning_rate"], rates[5:], rtol=1e-9)


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_batches_from_a_generator_are_counted_with_total_steps():
    def batches():
        for first in range(0, len(X), BATCH_SIZE):
            yield X[first : first + BATCH_SIZE], Y[first : first + BATCH_SIZE]

    model, one_cycle = linear_model(SGD(0.01, momentum=0.9)), OneCycle(0.2, total_steps=10)
    for _ in range(2):
        model.fit(batches(), epochs=1, verbose=0, callbacks=[one_cycle])
    rates, momenta = pytorch_cycle(0.2, 10)
    np.testing.assert_allclose(one_cycle.history["learning_rate"], rates, rtol=1e-9)
    assert_reached(model, sgd(rates, momenta))
    assert model.optimizer.momentum == 0.9
