"""The 1cycle schedules against `torch.optim.lr_scheduler.OneCycleLR`."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_cycle import pytorch_cycle
from recordings import key, load
from selection import quick

from keras_optlab.schedules import OneCycleLearningRate, OneCycleMomentum

# The learning rates and momenta of torch, by torch's arguments.
PREFIX = "OneCycleLR "
TORCH = {what: array for what, array in load("schedules").items() if what.startswith(PREFIX)}
PEAK = 0.1


def arguments_of(what):
    return json.loads(what.removeprefix(PREFIX))


def label(what):
    """Return a short name for a test."""
    return "-".join(map(str, list(arguments_of(what).values())[:4]))


def raises(sequences):
    """Whether torch divided by zero, because the first phase has no length."""
    return np.isnan(sequences).any()


def ours(total_steps, max_learning_rate=PEAK, **arguments):
    """Return our two schedules for the arguments of torch."""
    factors, momenta = (
        {name: arguments.pop(name) for name in names if name in arguments}
        for names in (("div_factor", "final_div_factor"), ("base_momentum", "max_momentum"))
    )
    return (
        OneCycleLearningRate(max_learning_rate, total_steps, **factors, **arguments),
        OneCycleMomentum(total_steps, **momenta, **arguments),
    )


def assert_equals(evaluate, schedules, expected):
    for schedule, sequence in zip(schedules, expected, strict=True):
        total_steps = len(sequence)
        steps = range(total_steps)
        np.testing.assert_allclose(evaluate(schedule, steps), sequence, rtol=0, atol=1e-7)
        on_host = [schedule.at(step) for step in steps]
        np.testing.assert_allclose(on_host, sequence, rtol=0, atol=1e-14)
        past = evaluate(schedule, [total_steps, total_steps + 1, 10**9])
        np.testing.assert_allclose(past, sequence[-1], rtol=0, atol=1e-7)


@pytest.mark.parametrize("what", TORCH, ids=label)
def test_the_formula_is_that_of_torch(what):
    if raises(TORCH[what]):
        with pytest.raises(ZeroDivisionError):
            pytorch_cycle(PEAK, **arguments_of(what))
    else:
        formula = pytorch_cycle(PEAK, **arguments_of(what))
        np.testing.assert_allclose(formula, TORCH[what], rtol=0, atol=1e-15)


COMPILED = [what for what in TORCH if "div_factor" not in what and not raises(TORCH[what])]


@pytest.mark.parametrize("what", quick(COMPILED, COMPILED[::4]), ids=label)
def test_equals_torch_at_every_step(what, compiled):
    assert_equals(compiled, ours(**arguments_of(what)), TORCH[what])


@pytest.mark.parametrize("what", [what for what in TORCH if not raises(TORCH[what])], ids=label)
def test_equals_torch_for_recorded_cycles(what, eager):
    assert_equals(eager, ours(**arguments_of(what)), TORCH[what])


@settings(max_examples=60, deadline=None)
@given(
    total_steps=st.integers(1, 120),
    pct_start=st.floats(0.0, 1.0),
    max_learning_rate=st.floats(0.0, 1.0),
    factors=st.tuples(st.floats(1.0, 100.0), st.floats(1.0, 1e6)),
    momenta=st.tuples(st.floats(0.0, 0.99), st.floats(0.0, 0.99)),
    anneal=st.sampled_from(["cosine", "linear"]),
    three_phase=st.booleans(),
)
def test_equals_the_formula_for_random_cycles(
    eager, total_steps, pct_start, max_learning_rate, factors, momenta, anneal, three_phase
):
    arguments = {
        "max_learning_rate": max_learning_rate,
        "total_steps": total_steps,
        "pct_start": pct_start,
        "anneal": anneal,
        "three_phase": three_phase,
        **dict(zip(("div_factor", "final_div_factor"), factors, strict=True)),
        **dict(zip(("base_momentum", "max_momentum"), momenta, strict=True)),
    }
    try:
        expected = pytorch_cycle(**arguments)
    except ZeroDivisionError:
        return  # See the next test.
    assert_equals(eager, ours(**arguments), expected)


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("anneal", ["cosine", "linear"])
def test_a_first_phase_without_length_starts_at_the_peak(anneal, three_phase, eager):
    shared = {"pct_start": 0.1, "anneal": anneal, "three_phase": three_phase}
    assert raises(TORCH[PREFIX + key(total_steps=10, **shared)])
    assert eager(OneCycleLearningRate(0.5, 10, **shared), [0]) == np.float32(0.5)
    assert eager(OneCycleMomentum(10, 0.8, 0.9, **shared), [0]) == np.float32(0.8)


def test_defaults_are_those_of_torch():
    expected = TORCH[PREFIX + key(total_steps=50)]
    for schedule, sequence in zip(ours(50), expected, strict=True):
        np.testing.assert_allclose([schedule.at(step) for step in range(50)], sequence, rtol=1e-12)
