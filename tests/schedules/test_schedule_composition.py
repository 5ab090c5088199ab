"""Schedules made of schedules: `LinearWarmup` and `Sequence`."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recordings import load

from keras_optlab.schedules import (
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LinearWarmup,
    OneCycleLearningRate,
    PiecewiseConstantDecay,
    Sequence,
)

BILLION = 10**9
builtin = keras.optimizers.schedules


def exponential(step):
    return 0.1 * 0.5 ** (step / 10)


# Parts that may follow a warmup or be in a sequence, with their formulas.
PARTS = {
    "number": (0.1, lambda step: 0.1),
    "ours": (ExponentialDecay(0.1, 10, 0.5), exponential),
    "of Keras": (builtin.ExponentialDecay(0.1, 10, 0.5), exponential),
    "warmup": (LinearWarmup(3, 0.3), lambda step: 0.3 * min(step, 3) / 3),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("length, fraction", [(4, 0.0), (7, 0.25), (1, 0.5), (0, 0.0), (5, 1.0)])
def test_warmup_rises_to_the_first_value_and_then_follows(part, length, fraction, eager, compiled):
    then, formula = PARTS[part]
    schedule = LinearWarmup(length, then, fraction)
    steps = [*range(length + 6), 100, BILLION, BILLION + 1]
    expected = [
        formula(0) * (fraction + (1 - fraction) * step / length)
        if step < length
        else formula(step - length)
        for step in steps
    ]
    np.testing.assert_allclose(eager(schedule, steps), expected, rtol=0, atol=3e-8)
    np.testing.assert_allclose(compiled(schedule, steps), expected, rtol=0, atol=3e-8)
    on_host = [schedule.at(step) for step in steps]
    # Keras' schedules are float32 on the host too.
    tolerance = 1e-8 if part == "of Keras" else 1e-15
    np.testing.assert_allclose(on_host, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("length", [1, 3, 5, 7, 10, 49])
def test_warmup_starts_at_exactly_0_and_arrives_exactly(length, compiled):
    start, arrival = compiled(LinearWarmup(length, 0.1), [0, length])
    assert start == 0.0 and arrival == np.float32(0.1)


@pytest.mark.parametrize("first", PARTS)
@pytest.mark.parametrize("second", PARTS)
def test_each_part_of_a_sequence_counts_its_own_steps(first, second, eager):
    schedule = Sequence([PARTS[first][0], PARTS[second][0], 7], boundaries=[5, 20])
    steps = [0, 1, 4, 5, 6, 19, 20, 21, BILLION]
    expected = [
        PARTS[first][1](step) if step < 5 else PARTS[second][1](step - 5) if step < 20 else 7
        for step in steps
    ]
    np.testing.assert_allclose(eager(schedule, steps), expected, rtol=1e-7, atol=1e-8)
    on_host = [schedule.at(step) for step in steps]
    np.testing.assert_allclose(on_host, expected, rtol=1e-7, atol=1e-8)


def test_sequence_equals_optax_join_schedules(eager):
    prefix = "join_schedules "
    joined = {what: array for what, array in load("schedules").items() if what.startswith(prefix)}
    assert joined
    for what, expected in joined.items():
        arguments = json.loads(what.removeprefix(prefix))
        parts = [ExponentialDecay(rate, 50, 0.9) for rate in arguments["rates"]]
        ours = Sequence(parts, arguments["boundaries"])
        np.testing.assert_allclose(
            eager(ours, arguments["steps"]), expected, rtol=2e-6, err_msg=what
        )


@settings(max_examples=30, deadline=None)
@given(
    boundaries=st.lists(st.integers(1, 200), min_size=1, max_size=3, unique=True).map(sorted),
    rates=st.lists(st.floats(0.001, 1.0), min_size=4, max_size=4),
)
def test_sequence_equals_a_formula_for_random_parts(eager, boundaries, rates):
    parts = [ExponentialDecay(rate, 50, 0.9) for rate in rates[: len(boundaries) + 1]]
    steps = sorted({0, 300, *[max(b + shift, 0) for b in boundaries for shift in (-1, 0, 1)]})
    expected = []
    for step in steps:
        begun = sum(boundary <= step for boundary in boundaries)
        expected.append(rates[begun] * 0.9 ** ((step - [0, *boundaries][begun]) / 50))
    np.testing.assert_allclose(eager(Sequence(parts, boundaries), steps), expected, rtol=2e-6)


def test_a_sequence_of_many_is_exact_at_step_a_billion(eager, compiled):
    restarts = CosineDecayRestarts(1.0, 3, t_mul=1.0)
    schedule = Sequence([0.5, LinearWarmup(10, restarts)], boundaries=[BILLION])
    steps = [BILLION - 1, BILLION, BILLION + 5, BILLION + 10, BILLION + 11, BILLION + 12]
    expected = [0.5, 0.0, 0.5, 1.0, 0.75, 0.25]
    np.testing.assert_allclose(eager(schedule, steps), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(compiled(schedule, steps), expected, rtol=0, atol=1e-7)


def test_the_schedules_inside_are_saved_and_loaded():
    schedule = LinearWarmup(
        4,
        then=Sequence(
            [
                OneCycleLearningRate(0.1, 20),
                builtin.CosineDecay(0.1, 10, warmup_target=0.2, warmup_steps=2),
                0.01,
                PiecewiseConstantDecay([3], [0.2, 0.1]),
            ],
            boundaries=[20, 30, 40],
        ),
        initial_fraction=0.1,
    )
    serialized = json.loads(json.dumps(builtin.serialize(schedule)))
    for loaded in (
        builtin.deserialize(serialized),
        LinearWarmup.from_config(serialized["config"]),
    ):
        assert type(loaded) is LinearWarmup
        assert [type(part) for part in loaded.then.schedules] == [
            OneCycleLearningRate,
            builtin.CosineDecay,
            float,
            PiecewiseConstantDecay,
        ]
        assert loaded.get_config() == schedule.get_config()
        for step in (0, 3, 4, 23, 24, 26, 33, 34, 44, 47, 48, BILLION):
            assert loaded.at(step) == schedule.at(step)


def test_a_config_loads_where_the_schedule_inside_is_of_the_user():
    @keras.saving.register_keras_serializable(package="test_schedule_composition")
    class Ramp(builtin.LearningRateSchedule):
        def __call__(self, step):
            return 0.5 * keras.ops.cast(step, "float32")

        def get_config(self):
            return {}

    loaded = builtin.deserialize(builtin.serialize(Sequence([1.0, Ramp()], [2])))
    assert [loaded.at(step) for step in range(5)] == [1.0, 1.0, 0.0, 0.5, 1.0]


def test_a_warmup_and_inverse_time_decay_peak_where_they_meet(eager):
    warmup = LinearWarmup(10, then=InverseTimeDecay(1.0, 10, 1.0))
    steps = np.arange(100)
    expected = np.where(steps < 10, steps / 10, 10 / steps.clip(1))
    np.testing.assert_allclose(eager(warmup, steps), expected, rtol=1e-6)
