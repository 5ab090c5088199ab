"""Every schedule against its formula in exact or float64 Python arithmetic, up to step 10^9."""

import math
from contextlib import nullcontext
from decimal import Decimal, getcontext
from fractions import Fraction

import keras
import numpy as np
import pytest

from keras_optlab import schedules
from keras_optlab.arguments import schedule as schedule_module

getcontext().prec = 60
BILLION = 10**9
FAR = [BILLION - 1, BILLION, BILLION + 1]


def around(*steps):
    return sorted({0, *[step + shift for step in steps for shift in (-1, 0, 1)], *FAR})


def whole(step, period):
    """Return the exact number of whole periods in a step."""
    return math.floor(Fraction(step) / Fraction(period))


def power(step, initial, steps, exponent):
    return initial / (1 + step / steps) ** exponent


def exponential(step, initial, steps, rate, staircase):
    return initial * rate ** (whole(step, steps) if staircase else step / steps)


def inverse_time(step, initial, steps, rate, staircase):
    return initial / (1 + rate * (whole(step, steps) if staircase else step / steps))


def polynomial(step, initial, steps, end, exponent, cycle):
    multiple = max(1, -whole(-step, steps)) if cycle else 1
    left = max(Fraction(0), 1 - Fraction(step) / (multiple * Fraction(steps)))
    return (initial - end) * float(left) ** exponent + end


def cosine(step, initial, steps, alpha, target, warmup):
    if target is None:
        target, warmup = initial, 0
    if step < warmup:
        return initial + (target - initial) * step / warmup
    wave = (1 + math.cos(math.pi * min((step - warmup) / steps, 1))) / 2
    return target * ((1 - alpha) * wave + alpha)


def restarts(step, initial, first, t_mul, m_mul, alpha):
    if t_mul == 1:
        cycle = step // first
        start, length = cycle * first, first
    else:
        cycle, start, length = 0, Decimal(0), Decimal(str(first))
        while step >= start + length:
            cycle, start, length = cycle + 1, start + length, length * Decimal(str(t_mul))
    wave = (1 + math.cos(math.pi * float((step - start) / length))) / 2
    return initial * ((1 - alpha) * m_mul**cycle * wave + alpha)


def piecewise(step, boundaries, values):
    return values[sum(step > boundary for boundary in boundaries)]


# Schedule, formula, arguments, steps. The exact end of a period comes with both its neighbours.
CASES = [
    ("PowerDecay", power, (0.1, 20, 1.0), around(20, 400)),
    ("PowerDecay", power, (3.0, 7.5, 0.5), around(7, 8)),
    ("ExponentialDecay", exponential, (0.1, 1000, 0.96, False), around(1000, 90000)),
    ("ExponentialDecay", exponential, (0.1, 41, 0.9, True), around(41, 82, 41 * 55)),
    ("ExponentialDecay", exponential, (1.0, 3, 1 - 1e-8, True), around(3, 9, 10**8 * 3)),
    ("ExponentialDecay", exponential, (1.0, 2.5, 0.7, True), around(5, 10, 15)),
    ("ExponentialDecay", exponential, (0.1, 10, 0.0, False), around(10)),
    ("InverseTimeDecay", inverse_time, (0.1, 1, 0.5, False), around(1, 2)),
    ("InverseTimeDecay", inverse_time, (0.1, 41, 1.0, True), around(41, 47 * 41, 55 * 41)),
    ("InverseTimeDecay", inverse_time, (1.0, 3, 1e-8, True), around(3, 3 * 10**8)),
    ("PolynomialDecay", polynomial, (0.1, 10, 0.01, 1.0, False), around(10)),
    ("PolynomialDecay", polynomial, (1.0, 10**5, 0.0, 0.5, False), around(10**5)),
    ("PolynomialDecay", polynomial, (0.0, 12.5, 1.0, 2.0, False), around(12)),
    ("PolynomialDecay", polynomial, (1.0, 7, 1e-4, 0.5, True), around(7, 21, 49, 7 * 10**8)),
    ("PolynomialDecay", polynomial, (1.0, 2.5, 0.1, 1.0, True), around(5, 10)),
    ("CosineDecay", cosine, (0.1, 100, 0.0, None, 0), around(50, 100)),
    ("CosineDecay", cosine, (0.1, 100, 0.2, 0.5, 10), around(10, 110)),
    ("CosineDecay", cosine, (0, 10, 0.0, 0.1, 10), around(5, 10, 20)),
    ("CosineDecay", cosine, (0.1, 10, 0.0, 0.3, 0), around(10)),
    ("CosineDecay", cosine, (0.1, 10, 0.0, None, 5), around(5, 10)),
    ("CosineDecay", cosine, (0.1, BILLION, 0.0, 1.0, 2.5), around(2, 3, BILLION // 2)),
    ("CosineDecayRestarts", restarts, (0.1, 3, 1.0, 1.0, 0.0), around(3, 9, 41 * 3)),
    ("CosineDecayRestarts", restarts, (1.0, 41, 1.0, 0.9, 0.1), around(41, 82)),
    (
        "CosineDecayRestarts",
        restarts,
        (1.0, 3, 2.0, 0.9, 0.0),
        around(3, 9, 24573, 3 * (2**28 - 1)),
    ),
    ("CosineDecayRestarts", restarts, (1.0, 100, 1.5, 0.9, 0.1), around(100, 250, 475)),
    ("CosineDecayRestarts", restarts, (1.0, 1000, 1.1, 1.0, 0.0), around(1000, 2100, 3310, 4641)),
    ("CosineDecayRestarts", restarts, (1.0, 100, 1.001, 1.0, 0.0), around(100, 10**5)),
    ("PiecewiseConstantDecay", piecewise, ([100, 200], [1.0, 0.1, 0.01]), around(100, 200)),
    ("PiecewiseConstantDecay", piecewise, ([2.5, BILLION], [1, 0.1, -3]), around(2, 3)),
    ("PiecewiseConstantDecay", piecewise, ([], [0.3]), around(1)),
]


def build(name, arguments):
    if name == "CosineDecay":
        *first, target, warmup = arguments
        return schedules.CosineDecay(*first, warmup_target=target, warmup_steps=warmup)
    return getattr(schedules, name)(*arguments)


@pytest.mark.parametrize("name, formula, arguments, steps", CASES)
def test_equals_its_formula(name, formula, arguments, steps, eager, compiled):
    schedule = build(name, arguments)
    expected = np.array([formula(step, *arguments) for step in steps])
    scale = np.abs(expected).max()

    on_host = np.array([schedule.at(step) for step in steps])
    # At step 10^9 of growing cycles, one rounding of the step's logarithm is 1e-10 of a cycle.
    np.testing.assert_allclose(on_host, expected, rtol=0, atol=1e-9 * scale)
    np.testing.assert_allclose(eager(schedule, steps), expected, rtol=0, atol=1e-7 * scale)
    np.testing.assert_allclose(compiled(schedule, steps), expected, rtol=0, atol=1e-7 * scale)


@pytest.mark.parametrize("period", range(1, 60))
def test_no_whole_period_is_lost_or_gained(period, eager):
    counts = np.arange(1, 400)
    ends = counts * period
    stairs = schedules.InverseTimeDecay(1.0, period, 1.0, staircase=True)
    np.testing.assert_allclose(eager(stairs, ends), 1 / (1 + counts), rtol=1e-6)
    np.testing.assert_allclose(eager(stairs, ends - 1), 1 / counts, rtol=1e-6)


def test_without_float64_the_formulas_hold_in_float32(monkeypatch, compiled):
    _, _, ops = schedule_module.arithmetic()
    monkeypatch.setattr(schedule_module, "arithmetic", lambda: (nullcontext(), "float32", ops))
    for name, formula, arguments, steps in CASES:
        if arguments == (1.0, 10**5, 0.0, 0.5, False):
            continue  # A square root of the remainder: float32 cannot resolve the last steps.
        steps = [step for step in steps if step < 5000]
        expected = np.array([formula(step, *arguments) for step in steps])
        actual = compiled(build(name, arguments), steps)
        assert actual.dtype == "float32"
        scale = np.abs(expected).max()
        np.testing.assert_allclose(actual, expected, rtol=0, atol=5e-6 * scale, err_msg=name)


def test_values_are_float64_where_floatx_is(eager):
    steps = [0, 1, 2, BILLION + 1]
    schedule = schedules.CosineDecayRestarts(0.1, 3, t_mul=1.0)
    context = nullcontext()
    if keras.backend.backend() == "jax":
        import jax

        context = jax.enable_x64(True)
    keras.config.set_floatx("float64")
    try:
        with context:
            actual = eager(schedule, steps)
    finally:
        keras.config.set_floatx("float32")
    assert actual.dtype == "float64"
    expected = [restarts(step, 0.1, 3, 1.0, 1.0, 0.0) for step in steps]
    np.testing.assert_allclose(actual, expected, rtol=1e-15, atol=1e-16)
