"""The 1cycle schedules against `torch.optim.lr_scheduler.OneCycleLR`."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_optlab.schedules import OneCycleLearningRate, OneCycleMomentum

TORCH_NAME = {"cosine": "cos", "linear": "linear"}


def torch_sequences(total_steps, max_learning_rate=0.1, anneal="cosine", **arguments):
    """The learning rate and the momentum that each of the steps uses."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_learning_rate,
        total_steps=total_steps,
        anneal_strategy=TORCH_NAME[anneal],
        **arguments,
    )
    rates, momenta = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # No optimizer step is taken.
        for step in range(total_steps):
            rates.append(optimizer.param_groups[0]["lr"])
            momenta.append(optimizer.param_groups[0]["momentum"])
            if step < total_steps - 1:
                scheduler.step()
    return np.array(rates), np.array(momenta)


def assert_equals_torch(evaluate, total_steps, max_learning_rate, factors, momenta, shared):
    div_factor, final_div_factor = factors
    base_momentum, max_momentum = momenta
    expected = torch_sequences(
        total_steps,
        max_learning_rate,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        base_momentum=base_momentum,
        max_momentum=max_momentum,
        **shared,
    )
    rate = OneCycleLearningRate(
        max_learning_rate,
        total_steps,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        **shared,
    )
    momentum = OneCycleMomentum(total_steps, base_momentum, max_momentum, **shared)
    steps = range(total_steps)
    for schedule, sequence in zip((rate, momentum), expected, strict=True):
        np.testing.assert_allclose(evaluate(schedule, steps), sequence, rtol=0, atol=1e-7)
        on_host = [schedule.at(step) for step in steps]
        np.testing.assert_allclose(on_host, sequence, rtol=0, atol=1e-14)
        past = evaluate(schedule, [total_steps, total_steps + 1, 10**9])
        np.testing.assert_allclose(past, sequence[-1], rtol=0, atol=1e-7)


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("anneal", ["cosine", "linear"])
@pytest.mark.parametrize("total_steps, pct_start", [(100, 0.3), (37, 0.25), (64, 0.5), (2, 0.1)])
def test_equals_torch_at_every_step(total_steps, pct_start, anneal, three_phase, compiled):
    shared = {"pct_start": pct_start, "anneal": anneal, "three_phase": three_phase}
    assert_equals_torch(compiled, total_steps, 1.0, (25.0, 1e4), (0.85, 0.95), shared)


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
def test_equals_torch_for_random_cycles(
    eager, total_steps, pct_start, max_learning_rate, factors, momenta, anneal, three_phase
):
    shared = {"pct_start": pct_start, "anneal": anneal, "three_phase": three_phase}
    try:
        torch_sequences(total_steps, **shared)
    except ZeroDivisionError:
        return  # See the next test.
    assert_equals_torch(eager, total_steps, max_learning_rate, factors, momenta, shared)


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("anneal", ["cosine", "linear"])
def test_a_first_phase_without_length_starts_at_the_peak(anneal, three_phase, eager):
    shared = {"pct_start": 0.1, "anneal": anneal, "three_phase": three_phase}
    with pytest.raises(ZeroDivisionError):
        torch_sequences(10, **shared)
    assert eager(OneCycleLearningRate(0.5, 10, **shared), [0]) == np.float32(0.5)
    assert eager(OneCycleMomentum(10, 0.8, 0.9, **shared), [0]) == np.float32(0.8)


def test_defaults_are_those_of_torch():
    rates, momenta = torch_sequences(50, 0.1)
    rate, momentum = OneCycleLearningRate(0.1, 50), OneCycleMomentum(50)
    np.testing.assert_allclose([rate.at(step) for step in range(50)], rates, rtol=1e-12)
    np.testing.assert_allclose([momentum.at(step) for step in range(50)], momenta, rtol=1e-12)
