"""The arguments of schedules: signatures, checks, configs."""

import copy
import inspect
import json
import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_optlab import schedules

builtin = keras.optimizers.schedules
SHARED_WITH_KERAS = [name for name in schedules.__all__ if hasattr(builtin, name)]

non_negative = st.floats(0.0, 1e3)
positive = st.one_of(st.floats(1e-3, 1e6), st.integers(1, 10**6))
fraction = st.floats(0.0, 1.0)
momentum = st.floats(0.0, 0.999)
anneal = st.sampled_from(["cosine", "linear"])
names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


def increasing(numbers):
    return st.lists(numbers, max_size=4, unique=True).map(sorted)


@st.composite
def pieces(draw, numbers, values):
    boundaries = draw(increasing(numbers))
    count = len(boundaries) + 1
    return boundaries, draw(st.lists(values, min_size=count, max_size=count))


def valid(leaves):
    """Return a strategy for any schedule; `leaves` is one for what a schedule may contain."""
    build, decay = st.builds, (non_negative, positive)
    return st.one_of(
        build(schedules.PowerDecay, *decay, non_negative, names),
        build(schedules.ExponentialDecay, *decay, st.floats(0.0, 1.0), st.booleans(), names),
        build(schedules.InverseTimeDecay, *decay, non_negative, st.booleans(), names),
        build(schedules.PolynomialDecay, *decay, non_negative, non_negative, st.booleans(), names),
        build(
            schedules.CosineDecay,
            *decay,
            fraction,
            names,
            st.one_of(st.none(), non_negative),
            st.integers(0, 1000),
        ),
        build(
            schedules.CosineDecayRestarts, *decay, st.floats(1.0, 3.0), fraction, fraction, names
        ),
        build(
            schedules.OneCycleLearningRate,
            non_negative,
            st.integers(1, 1000),
            fraction,
            anneal,
            st.floats(1.0, 100.0),
            st.floats(1.0, 1e5),
            st.booleans(),
            names,
        ),
        build(
            schedules.OneCycleMomentum,
            st.integers(1, 1000),
            momentum,
            momentum,
            fraction,
            anneal,
            st.booleans(),
            names,
        ),
        pieces(st.floats(0.0, 1e9), st.floats(-1e3, 1e3)).map(
            lambda drawn: schedules.PiecewiseConstantDecay(*drawn)
        ),
        pieces(st.integers(1, 10**9), leaves).map(
            lambda drawn: schedules.Sequence(drawn[1], drawn[0])
        ),
        build(schedules.LinearWarmup, st.integers(0, 1000), leaves, fraction, names),
    )


any_schedule = valid(st.one_of(st.floats(-1e3, 1e3), valid(non_negative)))


@settings(max_examples=60, deadline=None)
@given(schedule=any_schedule, step=st.integers(0, 10**6))
def test_every_way_to_copy_a_schedule_keeps_it(schedule, step):
    value = schedule.at(step)
    serialized = json.loads(json.dumps(builtin.serialize(schedule)))
    for copied in (
        type(schedule).from_config(schedule.get_config()),
        builtin.deserialize(serialized),
        keras.saving.deserialize_keras_object(serialized),
        pickle.loads(pickle.dumps(schedule)),
        copy.deepcopy(schedule),
    ):
        assert type(copied) is type(schedule)
        assert copied.get_config() == schedule.get_config()
        assert copied.at(step) == value


@settings(max_examples=60, deadline=None)
@given(schedule=any_schedule, step=st.integers(0, 10**9))
def test_the_tensor_is_the_rounded_value_of_the_host(schedule, step):
    tensor = keras.ops.convert_to_numpy(schedule(step))
    assert tensor.shape == () and tensor.dtype == "float32"
    value = schedule.at(step)
    # The powers and cosines of two libraries may differ by units in the last place of float64.
    # After a decay to almost nothing, that is small only relative to the initial value.
    np.testing.assert_allclose(tensor, value, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", SHARED_WITH_KERAS)
def test_arguments_order_and_defaults_are_those_of_keras(name):
    def table(cls):
        return [(p.name, p.default) for p in inspect.signature(cls).parameters.values()]

    assert table(getattr(schedules, name)) == table(getattr(builtin, name))


@settings(max_examples=40, deadline=None)
@given(schedule=any_schedule)
def test_keras_own_class_takes_our_config(schedule):
    name = type(schedule).__name__
    if name in SHARED_WITH_KERAS:
        theirs = getattr(builtin, name).from_config(schedule.get_config())
        assert theirs.get_config() == schedule.get_config()
        assert type(schedule).from_config(theirs.get_config()).get_config() == theirs.get_config()


def test_six_schedules_are_shared_with_keras():
    assert len(SHARED_WITH_KERAS) == 6


def test_every_schedule_is_final_and_registered_in_the_package():
    for name in schedules.__all__:
        cls = getattr(schedules, name)
        assert cls.__final__
        assert keras.saving.get_registered_name(cls) == f"keras_optlab>{name}"


# For each class: allowed arguments, and for each argument the values that are refused.
NOT_NUMBERS = ["0.1", None, True, [1.0], float("nan"), float("inf")]
NEGATIVE = [-1, -1e-9, *NOT_NUMBERS]
NOT_POSITIVE = [0, 0.0, *NEGATIVE]
NOT_FRACTION = [1.001, *NEGATIVE]
NOT_COUNT = [0, -1, 10.0, *NOT_NUMBERS]
NOT_BOOLEAN = [0, 1, "yes", None]
NOT_NAME = ["", None, 3]
NOT_ANNEAL = ["cos", "", None, 1]
DECAY = {"initial_learning_rate": NEGATIVE, "decay_steps": NOT_POSITIVE, "name": NOT_NAME}
REFUSED = {
    "PowerDecay": ((0.1, 10), {**DECAY, "power": NEGATIVE}),
    "ExponentialDecay": (
        (0.1, 10, 0.9),
        {**DECAY, "decay_rate": NEGATIVE, "staircase": NOT_BOOLEAN},
    ),
    "InverseTimeDecay": (
        (0.1, 10, 0.9),
        {**DECAY, "decay_rate": NEGATIVE, "staircase": NOT_BOOLEAN},
    ),
    "PolynomialDecay": (
        (0.1, 10),
        {**DECAY, "end_learning_rate": NEGATIVE, "power": NEGATIVE, "cycle": NOT_BOOLEAN},
    ),
    "CosineDecay": (
        (0.1, 10),
        {
            **DECAY,
            "alpha": NEGATIVE,
            "warmup_target": [value for value in NEGATIVE if value is not None],
            "warmup_steps": NEGATIVE,
        },
    ),
    "CosineDecayRestarts": (
        (0.1, 10),
        {
            "initial_learning_rate": NEGATIVE,
            "first_decay_steps": NOT_POSITIVE,
            "t_mul": [0.999, *NOT_POSITIVE],
            "m_mul": NEGATIVE,
            "alpha": NEGATIVE,
            "name": NOT_NAME,
        },
    ),
    "PiecewiseConstantDecay": (
        ([1, 2], [1.0, 2.0, 3.0]),
        {
            "boundaries": [[1, 1], [2, 1], [1], [1, 2, 3], [-1, 2], ["1", 2], 1, None],
            "values": [[1.0, 2.0], [1.0, 2.0, float("nan")], [1.0, "2", 3.0], 1.0, None],
            "name": NOT_NAME,
        },
    ),
    "LinearWarmup": (
        (10, 0.1),
        {
            "steps": [-1, 10.0, *NOT_NUMBERS],
            "then": ["0.1", None, float("nan"), lambda step: 0.1],
            "initial_fraction": NOT_FRACTION,
            "name": NOT_NAME,
        },
    ),
    "Sequence": (
        ([0.1, 0.2, 0.3], [1, 2]),
        {
            "schedules": [[], [0.1], [0.1, 0.2], [0.1, "0.2", 0.3], 0.1, None],
            "boundaries": [[1, 1], [2, 1], [1], [0, 1], [1.5, 2.5], 1, None],
            "name": NOT_NAME,
        },
    ),
    "OneCycleLearningRate": (
        (0.1, 10),
        {
            "max_learning_rate": NEGATIVE,
            "total_steps": NOT_COUNT,
            "pct_start": NOT_FRACTION,
            "anneal": NOT_ANNEAL,
            "div_factor": NOT_POSITIVE,
            "final_div_factor": NOT_POSITIVE,
            "three_phase": NOT_BOOLEAN,
            "name": NOT_NAME,
        },
    ),
    "OneCycleMomentum": (
        (10,),
        {
            "total_steps": NOT_COUNT,
            "base_momentum": [1.0, *NEGATIVE],
            "max_momentum": [1.0, *NEGATIVE],
            "pct_start": NOT_FRACTION,
            "anneal": NOT_ANNEAL,
            "three_phase": NOT_BOOLEAN,
            "name": NOT_NAME,
        },
    ),
}


@pytest.mark.parametrize("name", schedules.__all__)
def test_values_that_are_not_allowed_are_refused_by_name(name):
    arguments, refused = REFUSED[name]
    cls = getattr(schedules, name)
    parameters = list(inspect.signature(cls).parameters)
    assert set(refused) == set(parameters)
    allowed = dict(zip(parameters, arguments, strict=False))
    cls(**allowed)
    for argument, values in refused.items():
        for value in values:
            with pytest.raises((TypeError, ValueError), match=f"`{argument}`.*Received: "):
                cls(**{**allowed, argument: value})


@settings(max_examples=50, deadline=None)
@given(value=st.floats(max_value=0.0), name=st.sampled_from(["PowerDecay", "PolynomialDecay"]))
def test_no_decay_takes_zero_steps_or_fewer(value, name):
    with pytest.raises(ValueError, match="`decay_steps` must be a finite number > 0"):
        getattr(schedules, name)(0.1, value)


@settings(max_examples=50, deadline=None)
@given(boundaries=st.lists(st.integers(1, 100), min_size=2, max_size=5), extra=st.integers(-2, 2))
def test_boundaries_must_increase_and_fit_the_values(boundaries, extra):
    values = [0.1] * max(len(boundaries) + 1 + extra, 0)
    increases = boundaries == sorted(set(boundaries))
    for make in (
        lambda: schedules.PiecewiseConstantDecay(boundaries, values),
        lambda: schedules.Sequence(values, boundaries),
    ):
        if increases and extra == 0:
            assert make().at(10**6) == 0.1
        else:
            with pytest.raises(ValueError, match=r"strictly increasing|one more item"):
                make()


def test_numbers_of_numpy_are_taken_as_numbers():
    schedule = schedules.ExponentialDecay(np.float32(0.5), np.int64(10), np.array(0.25))
    assert schedule.get_config() == builtin.ExponentialDecay(0.5, 10, 0.25).get_config()
    assert schedules.OneCycleMomentum(np.int32(10)).get_config()["total_steps"] == 10


def test_a_wrong_call_names_the_arguments():
    with pytest.raises(TypeError, match=r"PowerDecay: .*initial_learning_rate, decay_steps"):
        schedules.PowerDecay(0.1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'rate'"):
        schedules.PowerDecay(0.1, 10, rate=1)
