"""Our schedules equal Keras' built-in ones of the same name, for random configurations.

Keras computes in float32. The random configurations stay where that is accurate to 1e-6; where it
is not, `test_schedule_formulas.py` has the exact values.
"""

import keras
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keras_optlab import schedules

builtin = keras.optimizers.schedules

rates = st.floats(1e-6, 10.0)
# Keras rounds its arguments to float32, which a large power of 0.99999 would show.
factors = st.floats(2**-7, 1.0, width=32)
anything = st.floats(-10, 10, width=32, allow_subnormal=False)
periods = st.one_of(st.integers(1, 10**5), st.floats(1.0, 1e5))
steps = st.lists(st.integers(0, 10**5), min_size=1, max_size=4)


def assert_equal_keras(name, eager, steps, scale, **arguments):
    theirs = getattr(builtin, name)(**arguments)
    ours = getattr(schedules, name)(**arguments)
    expected = [
        float(keras.ops.convert_to_numpy(theirs(keras.ops.cast(step, "int32")))) for step in steps
    ]
    np.testing.assert_allclose(eager(ours, steps), expected, rtol=0, atol=1e-6 * scale)
    on_host = [ours.at(step) for step in steps]
    np.testing.assert_allclose(on_host, expected, rtol=0, atol=1e-6 * scale)


@settings(max_examples=50, deadline=None)
@given(rate=rates, period=periods, factor=factors, steps=steps)
def test_exponential_decay(eager, rate, period, factor, steps):
    arguments = {"initial_learning_rate": rate, "decay_steps": period, "decay_rate": factor}
    assert_equal_keras("ExponentialDecay", eager, steps, rate, **arguments)


@settings(max_examples=50, deadline=None)
@given(rate=rates, period=st.integers(1, 10**4), factor=factors, steps=steps)
def test_exponential_decay_in_steps(eager, rate, period, factor, steps):
    arguments = {"initial_learning_rate": rate, "decay_steps": period, "decay_rate": factor}
    steps = [*steps, period - 1, period, 7 * period - 1, 7 * period]
    assert_equal_keras("ExponentialDecay", eager, steps, rate, staircase=True, **arguments)


@settings(max_examples=50, deadline=None)
@given(rate=rates, period=periods, factor=st.floats(0.0, 100.0), steps=steps)
def test_inverse_time_decay(eager, rate, period, factor, steps):
    arguments = {"initial_learning_rate": rate, "decay_steps": period, "decay_rate": factor}
    assert_equal_keras("InverseTimeDecay", eager, steps, rate, **arguments)


@settings(max_examples=50, deadline=None)
@given(rate=rates, period=st.integers(1, 10**4), factor=st.floats(0.0, 100.0), steps=steps)
def test_inverse_time_decay_in_steps(eager, rate, period, factor, steps):
    arguments = {"initial_learning_rate": rate, "decay_steps": period, "decay_rate": factor}
    steps = [*steps, period - 1, period, 7 * period - 1, 7 * period]
    assert_equal_keras("InverseTimeDecay", eager, steps, rate, staircase=True, **arguments)


@settings(max_examples=30, deadline=None)
@given(rate=rates, period=periods, steps=steps)
def test_power_decay_of_power_1_is_inverse_time_decay_of_rate_1(eager, rate, period, steps):
    theirs = builtin.InverseTimeDecay(rate, period, 1.0)
    ours = schedules.PowerDecay(rate, period)
    expected = [
        float(keras.ops.convert_to_numpy(theirs(keras.ops.cast(step, "int32")))) for step in steps
    ]
    np.testing.assert_allclose(eager(ours, steps), expected, rtol=0, atol=1e-6 * rate)


@settings(max_examples=50, deadline=None)
@given(
    rate=rates,
    end=st.floats(0.0, 1.0),
    period=st.integers(1, 10**5),
    power=st.floats(1.0, 4.0),
    cycle=st.booleans(),
    steps=steps,
)
def test_polynomial_decay(eager, rate, end, period, power, cycle, steps):
    arguments = {"end_learning_rate": end, "power": power, "cycle": cycle}
    assert_equal_keras(
        "PolynomialDecay",
        eager,
        [0, period, *steps],
        max(rate, end),
        initial_learning_rate=rate,
        decay_steps=period,
        **arguments,
    )


@settings(max_examples=20, deadline=None)
@given(
    rate=rates,
    period=periods,
    alpha=st.floats(0.0, 1.0),
    target=st.one_of(st.none(), rates),
    warmup=st.integers(0, 1000),
    steps=steps,
)
def test_cosine_decay(eager, rate, period, alpha, target, warmup, steps):
    assert_equal_keras(
        "CosineDecay",
        eager,
        [0, max(warmup - 1, 0), warmup, warmup + 1, *steps],
        max(rate, target or 0.0),
        initial_learning_rate=rate,
        decay_steps=period,
        alpha=alpha,
        warmup_target=target,
        warmup_steps=warmup,
    )


@settings(max_examples=20, deadline=None)
@given(
    rate=rates,
    first=st.integers(50, 10**4),
    t_mul=st.sampled_from([1.0, 1.5, 2.0, 3.0]),
    m_mul=st.floats(0.1, 1.0),
    alpha=st.floats(0.0, 1.0),
    position=st.floats(0.0, 8.0),
)
def test_cosine_decay_restarts(eager, rate, first, t_mul, m_mul, alpha, position):
    step = int(position * first)
    start, length = 0.0, first
    while step >= start + length:
        start, length = start + length, length * t_mul
    # Within float32 rounding of a restart, Keras may be in the wrong cycle.
    assume(step == start == 0 or 1e-3 < (step - start) / length < 1 - 1e-3)
    assert_equal_keras(
        "CosineDecayRestarts",
        eager,
        [step],
        rate,
        initial_learning_rate=rate,
        first_decay_steps=first,
        t_mul=t_mul,
        m_mul=m_mul,
        alpha=alpha,
    )


@settings(max_examples=50, deadline=None)
@given(
    pieces=st.lists(
        st.tuples(st.integers(0, 10**5), anything),
        min_size=1,
        unique_by=lambda p: p[0],
    ),
    last=anything,
    steps=steps,
)
def test_piecewise_constant_decay(eager, pieces, last, steps):
    pieces = sorted(pieces)
    boundaries = [boundary for boundary, _ in pieces]
    values = [*[value for _, value in pieces], last]
    near = [max(boundary + shift, 0) for boundary in boundaries[:3] for shift in (-1, 0, 1)]
    assert_equal_keras(
        "PiecewiseConstantDecay",
        eager,
        [*steps, *near],
        max(map(abs, values)),
        boundaries=boundaries,
        values=values,
    )
