"""fit_one_cycle: the 1cycle policy in one call."""

import keras
import numpy as np
import pytest

from keras_optlab import find_learning_rate, fit_one_cycle, optimizers, schedules
from keras_optlab.callbacks import OneCycle

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = (X @ np.random.default_rng(1).normal(size=(4, 1))).astype("float32")
QUIET = {"batch_size": 8, "shuffle": False, "verbose": 0}


def linear(optimizer):
    """Return a linear model that starts from the same weights each time."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.zeros((4, 1), "float32")])
    model.compile(optimizer, "mse")
    return model


def momentum_sgd():
    return optimizers.SGD(0.01, momentum=0.9)


def test_it_is_fit_with_the_callback():
    by_hand, by_one = linear(momentum_sgd()), linear(momentum_sgd())
    by_hand.fit(X, Y, epochs=3, callbacks=[OneCycle(0.2, pct_start=0.4)], **QUIET)
    result = fit_one_cycle(by_one, X, Y, 3, 0.2, pct_start=0.4, **QUIET)
    np.testing.assert_array_equal(by_hand.get_weights(), by_one.get_weights())
    assert result.learning_rate_range is None
    # The history that Keras returns has no attributes of ours.
    assert result.history is by_one.history
    assert set(vars(result.history)) == set(vars(by_hand.history))


def test_the_result_has_every_update_and_the_last_of_each_epoch():
    result = fit_one_cycle(linear(momentum_sgd()), X, Y, 3, 0.2, anneal="linear", **QUIET)
    rates, momenta, history = result.learning_rates, result.momenta, result.history
    assert len(rates) == len(momenta) == 15
    assert max(rates) <= 0.2 and rates[0] == pytest.approx(0.2 / 25)
    assert history.history["learning_rate"] == list(rates[4::5])
    assert history.history["momentum"] == list(momenta[4::5])
    assert {len(values) for values in history.history.values()} == {3}


@pytest.mark.slow
def test_without_a_rate_it_finds_one_on_the_same_data():
    expected = find_learning_rate(linear(momentum_sgd()), X, Y, batch_size=8, shuffle=False)
    model = linear(momentum_sgd())
    result = fit_one_cycle(model, X, Y, epochs=2, **QUIET)
    assert result.learning_rate_range == expected
    given = linear(momentum_sgd())
    fit_one_cycle(given, X, Y, 2, expected.suggestion, **QUIET)
    np.testing.assert_array_equal(model.get_weights(), given.get_weights())


def test_a_built_in_optimizer_cycles_its_rate_and_says_so():
    model = linear(keras.optimizers.SGD(0.01, momentum=0.9))
    with pytest.warns(UserWarning, match="without momentum. Keras compiles the momentum"):
        result = fit_one_cycle(model, X, Y, 2, 0.1, **QUIET)
    assert len(result.learning_rates) == 10 and result.momenta == ()
    assert "momentum" not in result.history.history
    assert [axes.get_ylabel() for axes in result.plot().axes] == ["loss", "learning rate"]
    with pytest.raises(ValueError, match="Keras compiles the momentum"):
        fit_one_cycle(model, X, Y, 2, 0.1, cycle_momentum=True, **QUIET)
    # No warning if the user asks to keep the momentum fixed.
    fit_one_cycle(model, X, Y, 2, 0.1, cycle_momentum=False, **QUIET)


def test_the_users_callbacks_and_validation_go_on():
    class Seen(keras.callbacks.Callback):
        epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            assert {"val_loss", "learning_rate", "momentum"} <= set(logs)
            Seen.epochs += 1

    arguments = {**QUIET, "validation_data": (X, Y)}
    result = fit_one_cycle(linear(momentum_sgd()), X, Y, 2, 0.1, callbacks=Seen(), **arguments)
    assert Seen.epochs == 2 and len(result.history.history["val_loss"]) == 2


def test_the_plot_shows_losses_rates_and_momenta(tmp_path):
    arguments = {**QUIET, "validation_data": (X, Y)}
    result = fit_one_cycle(linear(momentum_sgd()), X, Y, 2, 0.1, **arguments)
    losses, rates, momenta = result.plot(tmp_path / "cycle.png").axes
    assert (tmp_path / "cycle.png").read_bytes().startswith(b"\x89PNG")
    assert losses.get_legend_handles_labels()[1] == ["training", "validation"]
    training, _ = losses.lines
    np.testing.assert_array_equal(training.get_xdata(), [5, 10])
    np.testing.assert_array_equal(training.get_ydata(), result.history.history["loss"])
    np.testing.assert_array_equal(rates.lines[0].get_ydata(), result.learning_rates)
    np.testing.assert_array_equal(momenta.lines[0].get_ydata(), result.momenta)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_lr": 0.1}, TypeError, "of OneCycle and of `fit`: .*'max_lr'"),
        ({"pct_start": 2.0}, ValueError, "`pct_start` must be"),
        ({"max_learning_rate": -1.0}, ValueError, "`max_learning_rate` must be"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_trained(arguments, error, message):
    model = linear(momentum_sgd())
    with pytest.raises(error, match=message):
        fit_one_cycle(model, X, Y, **arguments)
    assert not model.get_weights()[0].any() and not hasattr(model, "history")


def test_models_that_cannot_be_cycled_are_refused():
    with pytest.raises(ValueError, match="fit_one_cycle needs a compiled model"):
        fit_one_cycle(keras.Sequential([keras.layers.Dense(1)]), X, Y)
    with pytest.raises(ValueError, match="is a schedule or a function"):
        fit_one_cycle(linear(optimizers.SGD(schedules.CosineDecay(0.1, 9))), X, Y)
