"""Constructor arguments: refused values, error messages, and configs that keep the others."""

import inspect
import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_optlab import optimizers

NOT_NUMBERS = ["0.1", True, [0.1], float("nan"), float("inf"), -float("inf"), 1j]
NONE = [None]
NEGATIVE = [-1, -1e-9, *NOT_NUMBERS]
NOT_POSITIVE = [0, 0.0, *NEGATIVE]
NOT_FRACTION = [1.001, 2, *NEGATIVE]
NOT_DECAY = [1, 1.0, *NOT_FRACTION]
NOT_BOOLEAN = [0, 1, "yes", None, float("nan")]
NOT_TEXT = ["", 3, True, ["a"]]

# For each argument: values that must be refused, and a strategy for those that must be accepted.
# `None` must be refused unless the strategy includes it. The tables cover Keras' algorithms;
# `tests/test_bad_input.py` covers the others too.
positive = st.floats(1e-6, 1e3) | st.integers(1, 10)
non_negative = st.just(0.0) | positive
fraction = st.floats(0.0, 1.0)
decay = st.floats(0.0, 1.0, exclude_max=True, width=32)
SHARED = {
    "learning_rate": (NEGATIVE + NONE, st.floats(0.0, 10.0, width=32)),
    "weight_decay": (NEGATIVE, st.none() | non_negative),
    "clipnorm": (NOT_POSITIVE, st.none() | positive),
    "clipvalue": (NOT_POSITIVE, st.none()),
    "global_clipnorm": (NOT_POSITIVE, st.none()),
    "use_ema": (NOT_BOOLEAN, st.booleans()),
    "ema_momentum": (NOT_FRACTION + NONE, fraction),
    "ema_overwrite_frequency": ([0, -1, 1.5, *NOT_NUMBERS], st.none() | st.integers(1, 100)),
    "loss_scale_factor": (NOT_POSITIVE, st.none() | positive),
    "gradient_accumulation_steps": (
        [1, 0, -2, 2.0, *NOT_NUMBERS],
        st.none() | st.integers(2, 100),
    ),
    "name": (NOT_TEXT, st.none() | st.text("abc", min_size=1)),
    "decoupled_weight_decay": (NOT_BOOLEAN, st.booleans()),
    "groups": ([1, "kernel", ["kernel"]], st.none()),
    "transforms": ([1, "lookahead", ["lookahead"]], st.none()),
    "settable": ([1, "momentum", [1]], st.none()),
    "jit_compile": (["yes", "", 1, 0, None], st.sampled_from(["auto", True, False])),
    "lazy": (NOT_BOOLEAN, st.just(False)),
    "slot_dtype": (["float16", "float64", "", 1, True], st.none() | st.just("float32")),
    "rounding": (["up", "", 1, None], st.sampled_from(["compensated", "stochastic", "nearest"])),
    "nonfinite": (["ignore", "", 1, None], st.sampled_from(["apply", "skip", "raise"])),
}
DECAYS = {name: (NOT_DECAY + NONE, decay) for name in ("beta_1", "beta_2")}
EPSILON = {"epsilon": (NEGATIVE + NONE, non_negative)}
RHO = {"rho": (NOT_FRACTION + NONE, fraction)}
MOMENTUM = {"momentum": (NOT_FRACTION + NONE, fraction)}
ACCUMULATOR = {"initial_accumulator_value": (NEGATIVE + NONE, non_negative)}
INSIDE = {"epsilon_inside_root": (NOT_BOOLEAN, st.booleans())}
AMSGRAD = {
    "amsgrad": (NOT_BOOLEAN, st.booleans()),
    "bias_correction": (
        ["yes", "", None, 1, True],
        st.sampled_from(["epsilon_hat", "algorithm_1", "none"]),
    ),
}
FLAG = (NOT_BOOLEAN, st.booleans())
INSIDE_ONE = (
    [0, 0.0, *NOT_DECAY, None],
    st.floats(0.0, 1.0, exclude_min=True, exclude_max=True, width=32),
)
AVERAGING = {
    "warmup_steps": ([-1, 1.5, *NOT_NUMBERS, None], st.integers(0, 1000)),
    "polynomial_power": (NEGATIVE + NONE, non_negative),
    "rate_power": (NEGATIVE + NONE, non_negative),
}
ARGUMENTS = {
    "SGD": {
        **MOMENTUM,
        "nesterov": (NOT_BOOLEAN, st.booleans()),
        "learning_rate_in_velocity": (NOT_BOOLEAN, st.booleans()),
    },
    "Adagrad": {**ACCUMULATOR, **EPSILON, **INSIDE},
    "RMSprop": {
        **RHO,
        **MOMENTUM,
        **EPSILON,
        **INSIDE,
        "centered": (NOT_BOOLEAN, st.booleans()),
    },
    "Adadelta": {**RHO, **EPSILON},
    "Adam": {**DECAYS, **EPSILON, **AMSGRAD},
    "AdamW": {**DECAYS, **EPSILON, **AMSGRAD, "weight_decay": (NEGATIVE + NONE, non_negative)},
    "Adamax": {**DECAYS, **EPSILON},
    "Nadam": {**DECAYS, **EPSILON},
    "Lamb": {**DECAYS, **EPSILON, "decay_in_direction": FLAG},
    "Lion": {
        "beta_1": ([0, 0.0, *NOT_FRACTION, None], st.floats(0.0, 1.0, exclude_min=True, width=32)),
        "beta_2": (NOT_FRACTION + NONE, fraction),
    },
    "Ftrl": {
        **ACCUMULATOR,
        "learning_rate": (NOT_POSITIVE + NONE, st.floats(2**-20, 8.0, width=32)),
        "learning_rate_power": ([0.1, 1, *NOT_NUMBERS, None], st.floats(-2.0, 0.0)),
        **{
            name: (NEGATIVE + NONE, non_negative)
            for name in (
                "l1_regularization_strength",
                "l2_regularization_strength",
                "l2_shrinkage_regularization_strength",
                "beta",
            )
        },
    },
    "Adafactor": {
        "beta_2_decay": ([0.1, 1, *NOT_NUMBERS, None], st.floats(-2.0, 0.0)),
        "epsilon_1": (NEGATIVE + NONE, non_negative),
        "epsilon_2": (NEGATIVE + NONE, non_negative),
        "clip_threshold": (NOT_POSITIVE + NONE, positive),
        "relative_step": (NOT_BOOLEAN, st.booleans()),
    },
    "Muon": {
        **EPSILON,
        **MOMENTUM,
        "adam_beta_1": (NOT_DECAY + NONE, decay),
        "adam_beta_2": (NOT_DECAY + NONE, decay),
        "adam_weight_decay": (NEGATIVE, st.none() | non_negative),
        "exclude_layers": (
            ["output", 1, [1], [""]],
            st.none() | st.lists(st.text("ab", min_size=1)),
        ),
        "exclude_embeddings": (NOT_BOOLEAN, st.booleans()),
        **{
            name: ([*NOT_NUMBERS, None], st.floats(-10.0, 10.0))
            for name in ("muon_a", "muon_b", "muon_c")
        },
        "adam_lr_ratio": (NEGATIVE + NONE, non_negative),
        "ns_steps": ([0, -1, 5.0, *NOT_NUMBERS, None], st.integers(1, 10)),
        "nesterov": (NOT_BOOLEAN, st.booleans()),
        "rms_rate": (NOT_POSITIVE, st.none() | positive),
        "form": (["torch", "", None, 1], st.sampled_from(["keras", "authors"])),
    },
    "ScheduleFreeAdamW": {
        **EPSILON,
        "beta_1": INSIDE_ONE,
        "beta_2": (NOT_DECAY + NONE, decay),
        **AVERAGING,
    },
}


def table(name):
    return {**SHARED, **ARGUMENTS[name]}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_values_that_are_not_allowed_are_refused_by_name(name):
    cls = getattr(optimizers, name)
    assert set(table(name)) == set(inspect.signature(cls).parameters)
    for argument, (refused, _) in table(name).items():
        for value in refused:
            with pytest.raises((TypeError, ValueError), match=f"`{argument}`.*Received: "):
                cls(**{argument: value})


@pytest.mark.parametrize("name", ARGUMENTS)
def test_values_the_constructor_refuses_are_refused_later(name):
    optimizer = getattr(optimizers, name)()
    before = optimizer.get_config()
    for argument, (refused, _) in table(name).items():
        if argument == "name":
            continue
        for value in refused:
            with pytest.raises((TypeError, ValueError), match=f"`{argument}`.*Received: "):
                setattr(optimizer, argument, value)
    assert optimizer.get_config() == before


@st.composite
def taken(draw):
    name = draw(st.sampled_from(list(ARGUMENTS)))
    strategies = {argument: allowed for argument, (_, allowed) in table(name).items()}
    return name, draw(st.fixed_dictionaries({}, optional=strategies))


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(drawn=taken())
def test_accepted_values_survive_the_config(drawn):
    name, arguments = drawn
    cls = getattr(optimizers, name)
    optimizer = cls(**arguments)
    defaults = {p.name: p.default for p in inspect.signature(cls).parameters.values()}
    config = json.loads(json.dumps(optimizer.get_config()))
    for argument, value in {**defaults, **arguments}.items():
        if argument == "learning_rate":
            assert np.float32(config[argument]) == np.float32(value)
        elif argument == "name":
            assert config[argument] == optimizer.name
            assert value in (None, optimizer.name)
        elif argument in config:
            assert config[argument] == value
        else:
            assert value == defaults[argument]
    assert cls.from_config(config).get_config() == optimizer.get_config()
    serialized = keras.optimizers.serialize(optimizer)
    assert keras.optimizers.deserialize(serialized).get_config() == optimizer.get_config()


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(value=st.floats(), name=st.sampled_from(["Adam", "AdamW", "Adamax", "Nadam", "Lamb"]))
def test_a_decay_rate_is_taken_exactly_when_it_is_in_its_range(value, name):
    make = getattr(optimizers, name)
    # A float32 step must not round it to 1.
    with np.errstate(over="ignore"):
        rounded = np.float32(value)
    if value >= 0.0 and rounded < 1.0:
        assert make(beta_2=value).beta_2 == value
    else:
        with pytest.raises(ValueError, match=r"`beta_2` must be a number in the range \[0, 1\)"):
            make(beta_2=value)


def test_numbers_of_numpy_are_taken_as_numbers():
    optimizer = optimizers.SGD(np.float32(0.5), momentum=np.array(0.25))
    assert optimizer.get_config()["learning_rate"] == 0.5
    assert type(optimizer.momentum) is float and optimizer.momentum == 0.25


def test_two_ways_to_clip_are_refused_together():
    with pytest.raises(ValueError, match=r"Only one of .* Received: clipnorm=1.0, clipvalue=2.0"):
        optimizers.Adam(clipnorm=1.0, clipvalue=2.0)
