"""`schedule.plot`: the curve shows the values of the schedule, for every schedule."""

import doctest
import importlib

import keras
import numpy as np
import pytest

from keras_optlab import drawing, schedules

ARGUMENTS = {
    "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 40},
    "CosineDecayRestarts": {"initial_learning_rate": 0.1, "first_decay_steps": 7, "m_mul": 0.5},
    "ExponentialDecay": {"initial_learning_rate": 0.1, "decay_steps": 40, "decay_rate": 0.01},
    "InverseTimeDecay": {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 1.0},
    "LinearWarmup": {"steps": 5, "then": 0.1},
    "OneCycleLearningRate": {"max_learning_rate": 0.1, "total_steps": 40},
    "OneCycleMomentum": {"total_steps": 40},
    "PiecewiseConstantDecay": {"boundaries": [10, 30], "values": [0.1, 0.01, 0.001]},
    "PolynomialDecay": {"initial_learning_rate": 0.1, "decay_steps": 40},
    "PowerDecay": {"initial_learning_rate": 0.1, "decay_steps": 5, "power": 0.5},
    "Sequence": {"schedules": [0.1, schedules.PolynomialDecay(0.1, 20, 0.0)], "boundaries": [9]},
}


@pytest.mark.parametrize("name", schedules.__all__)
def test_the_curve_is_what_a_step_gets(name, eager):
    schedule = getattr(schedules, name)(**ARGUMENTS[name])
    (line,) = schedule.plot(45).axes[0].lines
    np.testing.assert_array_equal(line.get_xdata(), np.arange(45))
    # The values that the optimizer gets from `schedule(step)`, in the precision of the backend.
    np.testing.assert_allclose(line.get_ydata(), eager(schedule, np.arange(45)), rtol=1e-6)


def test_a_schedule_around_one_of_keras_is_drawn_too():
    inner = keras.optimizers.schedules.CosineDecay(0.1, 8)
    (line,) = schedules.LinearWarmup(4, inner).plot(12).axes[0].lines
    cosine = [0.05 * (1 + np.cos(np.pi * t / 8)) for t in range(8)]
    np.testing.assert_allclose(line.get_ydata(), [0, 0.025, 0.05, 0.075, *cosine], atol=1e-8)


def test_a_long_schedule_is_drawn_with_both_ends_and_few_points():
    (line,) = schedules.ExponentialDecay(1.0, 1e6, 0.1).plot(10**9).axes[0].lines
    steps = line.get_xdata()
    assert (steps[0], steps[-1]) == (0, 10**9 - 1)
    assert len(steps) < 5000


@pytest.mark.parametrize(
    ("file", "start"), [("curve.png", b"\x89PNG"), ("curve.svg", b"<?xml"), ("curve.pdf", b"%PDF")]
)
def test_the_file_is_of_the_format_that_its_name_says(file, start, tmp_path):
    figure = schedules.PowerDecay(0.1, 3).plot(10, tmp_path / file)
    assert (tmp_path / file).read_bytes().startswith(start)
    assert figure.axes[0].get_title(loc="left") == "PowerDecay"


@pytest.mark.parametrize(("steps", "error"), [(0, ValueError), (2.5, TypeError), (True, TypeError)])
def test_wrong_steps_are_an_error(steps, error):
    with pytest.raises(error, match=r"`steps` must be an integer >= 1.*Received: steps="):
        schedules.PowerDecay(0.1, 3).plot(steps)


def test_a_missing_matplotlib_is_named_with_the_install_command(monkeypatch):
    monkeypatch.setattr(drawing.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"matplotlib, which is not installed.*pip install"):
        schedules.PowerDecay(0.1, 3).plot(10)


def test_the_example_of_the_docstring_runs():
    results = doctest.testmod(importlib.import_module("keras_optlab.arguments.schedule"))
    assert results.failed == 0
    assert results.attempted > 0
