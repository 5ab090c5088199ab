"""Fuzz every argument of every constructor, against a table of allowed ranges.

The table states what Keras' docs and the papers allow; it does not ask the code under test.
"""

import contextlib
import decimal
import enum
import fractions
import functools
import inspect
import itertools
import json
import math
import os
import pathlib
import random
import re
from dataclasses import dataclass, replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from selection import SLOW_ON_ONE, quick

from keras_optlab import (
    ParameterGroup,
    callbacks,
    layerwise_decay,
    optimizers,
    schedules,
    transforms,
)
from keras_optlab.engine.transform import Transform

REFUSED = object()


@keras.saving.register_keras_serializable("test_bad_input")
def half():
    return 0.5


def number(value):
    """Return the number that a value unambiguously stands for, or None."""
    if isinstance(value, np.ma.MaskedArray):
        return None
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value[()]
    if isinstance(value, (bool, np.bool_)):
        return None
    is_number = isinstance(value, (int, float, np.floating, np.integer, fractions.Fraction))
    # NumPy counts its durations as integers.
    return value if is_number and not isinstance(value, np.timedelta64) else None


def call(kind, value):
    return kind(value)


def in_order(items):
    with contextlib.suppress(TypeError, ValueError):
        # As floats, since NumPy would cast a large number to float16 to compare the two.
        return sorted(items, key=float)
    return items


# Kinds of arguments. `expected` returns the value as the config shows it, or `REFUSED`; `near`
# returns a strategy for values of that kind, allowed or nearly so.


@dataclass(frozen=True)
class Number:
    """A float32 between two ends; a "(" or ")" in `ends` excludes one."""

    low: float = -math.inf
    high: float = math.inf
    ends: str = "[]"
    or_none: bool = False
    or_schedule: bool = False

    def expected(self, value):
        if value is None:
            return None if self.or_none else REFUSED
        # One of our schedules must start in the range.
        ours = isinstance(value, schedules.PowerDecay)
        if ours and self.expected(value.initial_learning_rate) is REFUSED:
            return REFUSED
        if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
            return keras.saving.serialize_keras_object(value) if self.or_schedule else REFUSED
        plain = number(value)
        if plain is None or (isinstance(plain, (int, fractions.Fraction)) and abs(plain) > 1e39):
            return REFUSED
        with np.errstate(over="ignore"):
            in_float32 = float(np.float32(plain))
        for held in (float(plain), in_float32):
            above = held > self.low if self.ends[0] == "(" else held >= self.low
            below = held < self.high if self.ends[1] == ")" else held <= self.high
            if not (above and below and math.isfinite(held)):
                return REFUSED
        return float(plain)

    def near(self):
        ends = [end for end in (self.low, self.high) if math.isfinite(end)] or [0.0]
        neighbours = [math.nextafter(end, to) for end in ends for to in (-math.inf, math.inf)]
        values = st.sampled_from(ends + neighbours) | st.floats(-1e4, 1e4) | st.integers(-3, 20)
        kinds = st.sampled_from([float, np.float32, np.float64, np.float16, np.array])
        return st.integers(-3, 20) | st.floats() | st.builds(call, kinds, values)


@dataclass(frozen=True)
class InitialRate(Number):
    """A learning rate at step 0: a number, or a tensor or variable that holds one."""

    low: float = 0.0

    def expected(self, value):
        if isinstance(value, keras.Variable) or keras.ops.is_tensor(value):
            value = keras.ops.convert_to_numpy(value)
        return super().expected(value)


@dataclass(frozen=True)
class Rate(InitialRate):
    """A learning rate: an `InitialRate`, a schedule or a function."""

    or_schedule: bool = True

    def expected(self, value):
        if value is half:
            return keras.saving.serialize_keras_object(half)
        expected = super().expected(value)
        return float(str(np.float32(expected))) if isinstance(expected, float) else expected


@dataclass(frozen=True)
class Whole:
    low: int = 0
    or_none: bool = False

    def expected(self, value):
        if value is None:
            return None if self.or_none else REFUSED
        plain = number(value)
        if not isinstance(plain, (int, np.integer)):
            return REFUSED
        return int(plain) if self.low <= plain < 2**31 else REFUSED

    def near(self):
        values = st.sampled_from([self.low - 1, self.low, 2**31 - 1, 2**31]) | st.integers(-9, 99)
        return st.builds(call, st.sampled_from([int, np.int64, np.array, float]), values)


@dataclass(frozen=True)
class OneOf:
    values: tuple

    def expected(self, value):
        if isinstance(value, np.ndarray) and value.shape == () and value.dtype != object:
            value = value[()]
        if isinstance(value, np.bool_):
            value = bool(value)
        same = [v for v in self.values if type(v) is type(value) and v == value]
        same += [v for v in self.values if isinstance(v, str) and isinstance(value, str)]
        return next((v for v in same if v == value), REFUSED)

    def near(self):
        kinds = st.sampled_from([lambda x: x, np.array, lambda x: [x], lambda x: f"{x} "])
        return st.builds(call, kinds, st.sampled_from(self.values or ("beta_1",)))


@dataclass(frozen=True)
class Text:
    """A non-empty string."""

    or_none: bool = False
    without: str = ""

    def expected(self, value):
        if value is None:
            return None if self.or_none else REFUSED
        if isinstance(value, np.ndarray) and value.shape == ():
            value = value[()]
        if not isinstance(value, str) or value == "" or set(value) & set(self.without):
            return REFUSED
        return str(value)

    def near(self):
        kinds = st.sampled_from([str, np.str_, str.encode, lambda x: [x]])
        return st.builds(call, kinds, st.text("aB_ 0é/", max_size=3))


@dataclass(frozen=True)
class FileName:
    """The path of a file or folder that the system accepts."""

    or_none: bool = False

    def expected(self, value):
        if value is None:
            return None if self.or_none else REFUSED
        if not isinstance(value, (str, pathlib.Path)):
            return REFUSED
        # Not `str(value)`, which drops NUL characters at the end of NumPy strings.
        characters = set(os.fspath(value))
        refused = not characters or characters & {"\0", "\ud800"}
        return REFUSED if refused else pathlib.Path(value)

    def near(self):
        kinds = st.sampled_from([str, pathlib.Path, np.str_, str.encode])
        return st.builds(call, kinds, st.text("aB_. 0é/\0", max_size=5))


@dataclass(frozen=True)
class WordOrWhole:
    word: str
    low: int

    def expected(self, value):
        if isinstance(value, str):
            return self.word if value == self.word else REFUSED
        return Whole(self.low).expected(value)

    def near(self):
        return OneOf((self.word,)).near() | Whole(self.low).near()


@dataclass(frozen=True)
class ListOf:
    """A list of allowed items, of a fixed length if `length` is set."""

    item: object
    length: int | None = None
    or_none: bool = False
    increasing: bool = False
    refused: tuple = ()

    def expected(self, value):
        if value is None:
            return None if self.or_none else REFUSED
        if isinstance(value, np.ma.MaskedArray) or not isinstance(value, (list, tuple, np.ndarray)):
            return REFUSED
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return REFUSED
        items = [self.item.expected(item) for item in value]
        if any(item is REFUSED or item in self.refused for item in items):
            return REFUSED
        if self.length is not None and len(items) != self.length:
            return REFUSED
        if self.increasing and any(a >= b for a, b in itertools.pairwise(items)):
            return REFUSED
        return items

    def near(self):
        items = st.lists(self.item.near(), max_size=4)
        if self.length:
            items |= st.lists(self.item.near(), min_size=self.length, max_size=self.length)
        return st.builds(call, st.sampled_from([list, tuple, iter]), items | items.map(in_order))


@dataclass(frozen=True)
class Group:
    def expected(self, value):
        is_group = isinstance(value, ParameterGroup)
        return keras.saving.serialize_keras_object(value) if is_group else REFUSED

    def near(self):
        return st.sampled_from([ParameterGroup("a"), ParameterGroup("b", 0.5, epsilon=1), "a"])


@dataclass(frozen=True)
class AroundAlgorithm:
    def expected(self, value):
        is_transform = isinstance(value, Transform)
        return keras.saving.serialize_keras_object(value) if is_transform else REFUSED

    def near(self):
        return st.sampled_from([transforms.Cautious(), transforms.Lookahead(3), "a"])


@dataclass(frozen=True)
class Scheduled(Number):
    """A number or a schedule."""

    or_schedule: bool = True


# The ranges.

ANY = Number()
NOT_NEGATIVE = Number(0.0)
POSITIVE = Number(0.0, ends="(]")
FRACTION = Number(0.0, 1.0)
BELOW_ONE = Number(0.0, 1.0, "[)")
FLAG = OneOf((True, False))
CONTROL = "\n\0\ud800"
NAME = Text(without="/" + CONTROL)


def may_follow_a_schedule(ranges):
    return {
        name: replace(allowed, or_schedule=True) if isinstance(allowed, Number) else allowed
        for name, allowed in ranges.items()
    }


# From the docs and checks of `keras.optimizers.Optimizer`; our additions, from the README.
SHARED = {
    "learning_rate": Rate(),
    "weight_decay": replace(NOT_NEGATIVE, or_none=True, or_schedule=True),
    "clipnorm": replace(POSITIVE, or_none=True, or_schedule=True),
    "clipvalue": replace(POSITIVE, or_none=True, or_schedule=True),
    "global_clipnorm": replace(POSITIVE, or_none=True, or_schedule=True),
    "use_ema": FLAG,
    "ema_momentum": replace(FRACTION, or_schedule=True),
    "ema_overwrite_frequency": Whole(1, or_none=True),
    "loss_scale_factor": replace(POSITIVE, or_none=True),
    "gradient_accumulation_steps": Whole(2, or_none=True),
    "name": replace(NAME, or_none=True),
    "decoupled_weight_decay": FLAG,
    "groups": ListOf(Group(), or_none=True),
    "transforms": ListOf(AroundAlgorithm(), or_none=True),
    "settable": ListOf(OneOf(()), or_none=True),
    "jit_compile": OneOf(("auto", True, False)),
    "lazy": FLAG,
    "slot_dtype": OneOf(("bfloat16", "float32", None)),
    "rounding": OneOf(("compensated", "stochastic", "nearest")),
    "nonfinite": OneOf(("apply", "skip", "raise")),
}
ADAM = {"beta_1": BELOW_ONE, "beta_2": BELOW_ONE, "epsilon": NOT_NEGATIVE}
AMSGRAD = {"amsgrad": FLAG, "bias_correction": OneOf(("epsilon_hat", "algorithm_1", "none"))}
MOMENTUM = {"momentum": FRACTION, "settable": ListOf(OneOf(("momentum",)), or_none=True)}
INSIDE = {"epsilon": NOT_NEGATIVE, "epsilon_inside_root": FLAG}
NO_LAZY = {"lazy": OneOf((False,))}
AVERAGING = {
    "warmup_steps": Whole(0),
    "polynomial_power": NOT_NEGATIVE,
    "rate_power": NOT_NEGATIVE,
}
OPTIMIZERS = {
    # Polyak, 1964: 0 <= momentum <= 1, as Keras checks.
    "SGD": {**MOMENTUM, "nesterov": FLAG, "learning_rate_in_velocity": FLAG},
    "Adagrad": {"initial_accumulator_value": NOT_NEGATIVE, **INSIDE},
    "RMSprop": {**MOMENTUM, **INSIDE, "rho": FRACTION, "centered": FLAG},
    "Adadelta": {"rho": FRACTION, "epsilon": NOT_NEGATIVE},
    # Kingma & Ba, algorithm 1: beta_1, beta_2 in [0, 1).
    "Adam": {**ADAM, **AMSGRAD},
    "AdamW": {**ADAM, **AMSGRAD, "weight_decay": NOT_NEGATIVE},
    "Adamax": ADAM,
    "Nadam": ADAM,
    "Lamb": {**ADAM, "decay_in_direction": FLAG, **NO_LAZY},
    # Keras' Lion refuses beta_1 = 0.
    "Lion": {"beta_1": Number(0.0, 1.0, "(]"), "beta_2": FRACTION},
    # McMahan et al., 2013, divide by the learning rate. Keras: power <= 0, the others >= 0.
    "Ftrl": {
        "learning_rate": Rate(ends="(]"),
        "learning_rate_power": Number(high=0.0),
        "initial_accumulator_value": NOT_NEGATIVE,
        "l1_regularization_strength": NOT_NEGATIVE,
        "l2_regularization_strength": NOT_NEGATIVE,
        "l2_shrinkage_regularization_strength": NOT_NEGATIVE,
        "beta": NOT_NEGATIVE,
        "slot_dtype": OneOf(("float32", None)),
    },
    # Shazeer & Stern, 2018: 1 - t^(beta_2_decay), so the exponent is at most 0.
    "Adafactor": {
        "beta_2_decay": Number(high=0.0),
        "epsilon_1": NOT_NEGATIVE,
        "epsilon_2": NOT_NEGATIVE,
        "clip_threshold": POSITIVE,
        "relative_step": FLAG,
        **NO_LAZY,
    },
    "Muon": {
        "epsilon": NOT_NEGATIVE,
        "momentum": FRACTION,
        "adam_beta_1": BELOW_ONE,
        "adam_beta_2": BELOW_ONE,
        "adam_weight_decay": replace(NOT_NEGATIVE, or_none=True),
        "exclude_layers": ListOf(Text(without="("), or_none=True),
        "exclude_embeddings": FLAG,
        "muon_a": ANY,
        "muon_b": ANY,
        "muon_c": ANY,
        "adam_lr_ratio": NOT_NEGATIVE,
        "ns_steps": Whole(1),
        "nesterov": FLAG,
        "rms_rate": replace(POSITIVE, or_none=True),
        "form": OneOf(("keras", "authors")),
        **NO_LAZY,
    },
    # Defazio et al., 2024: y lies strictly between x and z.
    "ScheduleFreeAdamW": {**ADAM, "beta_1": Number(0.0, 1.0, "()"), **AVERAGING, **NO_LAZY},
    "ScheduleFreeSGD": {"momentum": Number(0.0, 1.0, "()"), **AVERAGING, **NO_LAZY},
    "AdEMAMix": {
        **ADAM,
        "beta_3": BELOW_ONE,
        "alpha": NOT_NEGATIVE,
        "alpha_warmup": Whole(1, or_none=True),
        "beta_3_warmup": Whole(1, or_none=True),
    },
    "ADOPT": {
        **ADAM,
        "clip_scale": replace(POSITIVE, or_none=True),
        "clip_exponent": NOT_NEGATIVE,
    },
    "Adan": {**ADAM, "beta_3": BELOW_ONE, "proximal_weight_decay": FLAG},
    "AdaBelief": {**ADAM, "amsgrad": FLAG, "rectify": FLAG},
    "RAdam": {**ADAM, "early_steps": OneOf(("momentum", "none"))},
    "LaProp": {**ADAM, "amsgrad": FLAG, "centered": FLAG},
    "NAdamW": ADAM,
    "Prodigy": {
        "settable": ListOf(OneOf(("beta_1",)), or_none=True),
        **ADAM,
        "beta_3": replace(BELOW_ONE, or_none=True),
        "initial_d": POSITIVE,
        "d_coefficient": POSITIVE,
        "growth_rate": replace(Number(1.0), or_none=True),
        "bias_correction": FLAG,
        "safeguard_warmup": FLAG,
        **NO_LAZY,
    },
    "SOAP": {
        **ADAM,
        "shampoo_beta": replace(BELOW_ONE, or_none=True),
        "period": Whole(1),
        "largest_axis": Whole(1),
        "bases_of_vectors": FLAG,
        "normalize": FLAG,
        "correct_bias": FLAG,
        **NO_LAZY,
    },
    "LARS": {
        "momentum": FRACTION,
        "trust_coefficient": POSITIVE,
        "dampening": FRACTION,
        "epsilon": NOT_NEGATIVE,
        "nesterov": FLAG,
        "trust_clip": FLAG,
        "always_adapt": FLAG,
        **NO_LAZY,
    },
    "MARS": {
        **ADAM,
        "gamma": NOT_NEGATIVE,
        "amsgrad": FLAG,
        "optimize_1d": FLAG,
        "learning_rate_ratio_1d": NOT_NEGATIVE,
        "beta_1_1d": BELOW_ONE,
        "beta_2_1d": BELOW_ONE,
        "weight_decay_1d": replace(NOT_NEGATIVE, or_none=True),
        **NO_LAZY,
    },
}
# Arguments that are read only once, in `build`.
NOT_SCHEDULED = {
    "initial_accumulator_value",
    "initial_d",
    "learning_rate_power",
    "loss_scale_factor",
}

DECAY = {"initial_learning_rate": InitialRate(), "decay_steps": POSITIVE, "name": NAME}
CYCLE = {"pct_start": FRACTION, "anneal": OneOf(("cosine", "linear")), "three_phase": FLAG}
PEAK = {"max_learning_rate": NOT_NEGATIVE, "div_factor": POSITIVE, "final_div_factor": POSITIVE}
MOMENTA = {"base_momentum": BELOW_ONE, "max_momentum": BELOW_ONE}
START = {"initial_learning_rate": 0.1, "decay_steps": 10}
# Required arguments, and the ranges of all arguments.
SCHEDULES = {
    "PowerDecay": (START, {**DECAY, "power": NOT_NEGATIVE}),
    "ExponentialDecay": (
        {**START, "decay_rate": 0.9},
        {**DECAY, "decay_rate": NOT_NEGATIVE, "staircase": FLAG},
    ),
    "InverseTimeDecay": (
        {**START, "decay_rate": 0.9},
        {**DECAY, "decay_rate": NOT_NEGATIVE, "staircase": FLAG},
    ),
    "PolynomialDecay": (
        START,
        {**DECAY, "end_learning_rate": NOT_NEGATIVE, "power": NOT_NEGATIVE, "cycle": FLAG},
    ),
    "CosineDecay": (
        START,
        {
            **DECAY,
            "alpha": NOT_NEGATIVE,
            "warmup_target": replace(NOT_NEGATIVE, or_none=True),
            "warmup_steps": NOT_NEGATIVE,
        },
    ),
    "CosineDecayRestarts": (
        {"initial_learning_rate": 0.1, "first_decay_steps": 10},
        {
            "initial_learning_rate": InitialRate(),
            "first_decay_steps": POSITIVE,
            # Loshchilov & Hutter, 2017: cycles do not get shorter.
            "t_mul": Number(1.0),
            "m_mul": NOT_NEGATIVE,
            "alpha": NOT_NEGATIVE,
            "name": NAME,
        },
    ),
    "PiecewiseConstantDecay": (
        {"boundaries": [1, 2], "values": [1.0, 2.0, 3.0]},
        {
            "boundaries": ListOf(NOT_NEGATIVE, 2, increasing=True),
            "values": ListOf(ANY, 3),
            "name": NAME,
        },
    ),
    "LinearWarmup": (
        {"steps": 10, "then": 0.1},
        {"steps": Whole(0), "then": Scheduled(), "initial_fraction": FRACTION, "name": NAME},
    ),
    "Sequence": (
        {"schedules": [0.1, 0.2, 0.3], "boundaries": [1, 2]},
        {
            "schedules": ListOf(Scheduled(), 3),
            "boundaries": ListOf(Whole(1), 2, increasing=True),
            "name": NAME,
        },
    ),
    "OneCycleLearningRate": (
        {"max_learning_rate": 0.1, "total_steps": 10},
        {**PEAK, **CYCLE, "total_steps": Whole(1), "name": NAME},
    ),
    "OneCycleMomentum": (
        {"total_steps": 10},
        {**MOMENTA, **CYCLE, "total_steps": Whole(1), "name": NAME},
    ),
}
CALLBACKS = {
    "BackupAndRestore": (
        {"backup_dir": "backup"},
        {
            "backup_dir": FileName(),
            "save_freq": WordOrWhole("epoch", 1),
            "double_checkpoint": FLAG,
            "delete_checkpoint": FLAG,
        },
    ),
    "Recorder": (
        {},
        {
            "every": Whole(1),
            "by": OneOf(("layer", "group", None)),
            "csv": FileName(or_none=True),
            "log_dir": FileName(or_none=True),
        },
    ),
    "OneCycle": (
        {"max_learning_rate": 0.1},
        {
            **PEAK,
            **CYCLE,
            **MOMENTA,
            "total_steps": Whole(1, or_none=True),
            "cycle_momentum": FLAG,
        },
    ),
    "PerformanceScheduling": (
        {},
        {
            "monitor": Text(),
            # Keras: a factor of 1 or more reduces nothing.
            "factor": BELOW_ONE,
            "patience": Whole(0),
            "verbose": Whole(0),
            "mode": OneOf(("auto", "min", "max")),
            "min_delta": NOT_NEGATIVE,
            "cooldown": Whole(0),
            "min_lr": NOT_NEGATIVE,
        },
    ),
}


# Values to pass.


class Unreadable:
    def __repr__(self):
        raise RuntimeError


class Floats:
    def __float__(self):
        return 0.5


class Level(enum.IntEnum):
    THREE = 3


class OwnFloat(float):
    pass


def from_keras():
    """Return objects that users of Keras have at hand."""
    tensor = keras.ops.convert_to_tensor
    return [
        *(tensor(value) for value in (0.5, 2, [0.5], math.nan, -1.0, math.inf, True)),
        *(keras.Variable(np.array(value, "float32")) for value in (0.5, [0.5], -0.5, math.nan)),
        keras.layers.Dense(1),
        keras.Input((1,)),
        keras.Sequential(),
        keras.initializers.Zeros(),
        keras.optimizers.SGD(),
        keras.optimizers.schedules.CosineDecay(0.5, 10),
        keras.optimizers.schedules.CosineDecay,
        schedules.PowerDecay(0.5, 10),
        schedules.PowerDecay,
        ParameterGroup("a"),
        [ParameterGroup("a"), ParameterGroup("b", momentum=np.float32(0.5))],
    ]


def from_python():
    numbers = [0, 1, 2, 3, -1, 0.0, -0.0, 0.5, 1.0, -1.0, -1e-9, 1 + 1e-9, 1 - 1e-12, 1e-50]
    numbers += [5e-324, -5e-324, 3.4e38, 3.5e38, 1e308, -1e39, 2**31 - 1, 2**31, 2**63, -(2**63)]
    numbers += [10**400, -(10**400), 10**5000, math.nan, math.inf, -math.inf, 0.5j, complex(1)]
    numbers += [fractions.Fraction(1, 2), fractions.Fraction(10**400), decimal.Decimal("0.5")]
    texts = ["0.5", "", "abc", "auto", "a/b", "a b", "\ud800", "a\nb", "a\0", "(", "é", b"a", b""]
    texts += ["epoch", "layer", pathlib.Path("a"), pathlib.Path("a\0b")]
    lists = [[], (), {}, [0.5], [1, 2], (1, 2), [2, 1], [1, 1], [1, 2, 3], [0.5, "a", None], {1, 2}]
    lists += [range(3), [[1]], ["a"], ["("], [""], [None], ["momentum"], {"a": 1}, {"momentum": 1}]
    others = [None, True, False, Level.THREE, OwnFloat(0.5), Floats(), Unreadable(), object()]
    others += [..., NotImplemented, np, len, float, object, half, slice(1), ValueError("a")]
    others += [lambda step: 0.5, bytearray(b"1"), memoryview(b"1")]
    return [*numbers, *texts, *lists, *others]


def from_numpy():
    kinds = [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.int64, np.uint8]
    values = [kind(value) for kind in kinds for value in (0.5, 3)]
    values += [np.float32(math.nan), np.float64(math.inf), np.float32(-1), np.int64(-1)]
    values += [np.bool_(True), np.str_("abc"), np.bytes_(b"a"), np.complex64(0.5)]
    values += [np.datetime64("2026-01-01"), np.timedelta64(3), np.ma.masked, np.ma.array(0.5)]
    arrays = [0.5, 2, True, "abc", math.nan, 0.5j, [0.5], [[1]], [], [1, 2], [1.0, 2.0, 3.0]]
    return [*values, *map(np.array, arrays), np.array(None), np.zeros((300, 300))]


@functools.cache
def hostile():
    return [*from_python(), *from_numpy(), *from_keras()]


def described(value):
    with contextlib.suppress(Exception):
        return f"{value!r:.60} ({type(value).__name__})"
    return f"a {type(value).__name__}"


def cases(ranges, extensive, seed):
    """Yield (argument, value) pairs: all hostile values, or one in seven."""
    pool = hostile()
    for argument in ranges:
        yield from ((argument, v) for v in (pool if extensive(argument) else pool[seed % 7 :: 7]))


def refusal(make, argument, value):
    """Return what is wrong with how a value is refused, or None."""
    try:
        make(**{argument: value})
    except (TypeError, ValueError) as error:
        text = str(error)
        if f"`{argument}`" in text and "Received: " in text and len(text) < 1000:
            return None
        return f"{argument}={described(value)} is refused by {error!r:.300}"
    except Exception as error:
        return f"{argument}={described(value)} raises {error!r:.300}"
    return f"{argument}={described(value)} is taken"


def round_trip(made):
    """Return what is wrong with the config round trip of an object, or None."""
    config = made.get_config()
    again = type(made).from_config(json.loads(json.dumps(config)))
    if again.get_config() != config:
        return f"config {config} comes back as {again.get_config()}"
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    loaded = keras.saving.deserialize_keras_object(serialized, safe_mode=True)
    if type(loaded) is not type(made) or loaded.get_config() != config:
        return f"{config} is loaded as {loaded.get_config()}"
    return None


def acceptance(make, arguments, expected, read):
    """Return what is wrong with an object made with allowed arguments, or None."""
    try:
        made = make(**arguments)
        found = read(made)
        for argument, value in expected.items():
            if found[argument] != value or type(found[argument]) is not type(value):
                return f"{argument}={described(arguments[argument])} becomes {found[argument]!r}"
        return round_trip(made) if hasattr(made, "get_config") else None
    except Exception as error:
        return f"{arguments} raises {error!r:.300}"


def check(make, ranges, read, extensive, seed, batches):
    """Check all cases of a class, and report each failure with as few arguments as possible."""
    failures, allowed = [], {argument: [] for argument in ranges}
    for argument, value in cases(ranges, extensive, seed):
        expected = ranges[argument].expected(value)
        if expected is REFUSED:
            failures.append(refusal(make, argument, value))
        else:
            allowed[argument].append((value, expected))
    for batch in batches(allowed):
        arguments = {argument: value for argument, (value, _) in batch.items()}
        expected = {argument: value for argument, (_, value) in batch.items()}
        if acceptance(make, arguments, expected, read):
            alone = [
                acceptance(make, {argument: value}, {argument: wanted}, read)
                for argument, (value, wanted) in batch.items()
            ]
            together = acceptance(make, arguments, expected, read)
            failures += [one for one in alone if one] or [together]
    failures = [failure for failure in failures if failure]
    assert not failures, f"{len(failures)} failures:\n" + "\n".join(failures[:20])


def check_near(make, ranges, read, data):
    """Check a value of the right kind, near the ends of its range."""
    argument = data.draw(st.sampled_from(list(ranges)))
    value = data.draw(ranges[argument].near())
    expected = ranges[argument].expected(value)
    if expected is REFUSED:
        problem = refusal(make, argument, value)
    else:
        problem = acceptance(make, {argument: value}, {argument: expected}, read)
    assert problem is None, problem


def one_by_one(allowed):
    return [{argument: pair} for argument, pairs in allowed.items() for pair in pairs]


def many_at_once(allowed):
    """Return few batches of arguments: on TensorFlow an optimizer takes milliseconds to make."""
    clipping = ("clipnorm", "clipvalue", "global_clipnorm")
    batches = []
    for n in range(max(map(len, allowed.values()))):
        batch = {argument: pairs[n] for argument, pairs in allowed.items() if n < len(pairs)}
        for other in [name for name in clipping if name != clipping[n % 3]]:
            batch.pop(other, None)
        if batch.get("lazy", (False,))[0]:
            batch.pop("gradient_accumulation_steps", None)
            batch.pop("transforms", None)
        batches.append(batch)
    return batches


def optimizer_ranges(name):
    own = {
        argument: allowed
        if argument in NOT_SCHEDULED
        else may_follow_a_schedule({argument: allowed})[argument]
        for argument, allowed in OPTIMIZERS[name].items()
    }
    return {**SHARED, **own}


@functools.cache
def own_name(cls):
    """Return the default name of an optimizer, without its number."""
    return re.sub(r"_\d+$", "", cls().name)


def config_of(optimizer):
    """Return the config with its omitted defaults, and with None for a default name."""
    parameters = inspect.signature(type(optimizer)).parameters
    config = {name: parameter.default for name, parameter in parameters.items()}
    config |= optimizer.get_config()
    # An empty list means the same as None here.
    for name in ("groups", "settable", "transforms"):
        if getattr(optimizer, name) is not None:
            config[name] = config[name] or []
    if config["settable"] is not None:
        config["settable"] = list(optimizer.settable)
    if re.fullmatch(rf"{own_name(type(optimizer))}(_\d+)?", optimizer.name):
        config["name"] = None
    return config


def is_own(name):
    return lambda argument: name == "SGD" or argument in OPTIMIZERS[name]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", quick(optimizers.__all__, ["SGD", "Muon"], SLOW_ON_ONE))
def test_optimizers(name):
    cls, ranges = getattr(optimizers, name), optimizer_ranges(name)
    assert set(ranges) == set(inspect.signature(cls).parameters)
    check(cls, ranges, config_of, is_own(name), len(name), many_at_once)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", quick(optimizers.__all__, ["SGD", "Muon"], SLOW_ON_ONE))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_optimizers_near_the_ends_of_a_range(name, data):
    ranges = optimizer_ranges(name)
    ranges = {argument: ranges[argument] for argument in ranges if is_own(name)(argument)}
    check_near(getattr(optimizers, name), ranges, config_of, data)


def schedule_maker(name):
    """Return a function that makes and evaluates a schedule, and the ranges of its arguments."""
    required, ranges = SCHEDULES[name]

    def make(**arguments):
        made = getattr(schedules, name)(**{**required, **arguments})
        if math.isnan(made.at(3)):
            raise ValueError(f"at(3) is {made.at(3)}")
        return made

    return make, ranges


@pytest.mark.parametrize("name", schedules.__all__)
def test_schedules(name):
    make, ranges = schedule_maker(name)
    assert set(ranges) == set(inspect.signature(getattr(schedules, name)).parameters)
    check(make, ranges, lambda made: made.get_config(), lambda _: True, 1, one_by_one)


@pytest.mark.parametrize("name", schedules.__all__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_schedules_near_the_ends_of_a_range(name, data):
    make, ranges = schedule_maker(name)
    check_near(make, ranges, lambda made: made.get_config(), data)


def callback_maker(name):
    required, ranges = CALLBACKS[name]
    return lambda **more: getattr(callbacks, name)(**{**required, **more}), ranges


@pytest.mark.parametrize("name", callbacks.__all__)
def test_callbacks(name):
    make, ranges = callback_maker(name)
    assert set(ranges) == set(inspect.signature(getattr(callbacks, name)).parameters)
    check(make, ranges, vars, lambda _: True, 2, one_by_one)


@pytest.mark.parametrize("name", callbacks.__all__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_callbacks_near_the_ends_of_a_range(name, data):
    make, ranges = callback_maker(name)
    check_near(make, ranges, vars, data)


GROUP = {
    "learning_rate_multiplier": NOT_NEGATIVE,
    "momentum": Scheduled(or_none=True),
    "beta_1": Scheduled(or_none=True),
}


def test_parameter_groups():
    def make(**arguments):
        return ParameterGroup(**{"match": "a", **arguments})

    check(make, GROUP, lambda made: made.get_config(), lambda _: True, 3, one_by_one)
    for value in [*hostile(), "[", "*", b"a", re.compile("a")]:
        if isinstance(value, str) and value not in ("", "(", "[", "*"):
            assert make(match=value).get_config()["match"] == value
        elif not callable(value):
            assert refusal(make, "match", value) is None


def test_there_are_ten_thousand_cases():
    count = sum(
        len(list(cases(optimizer_ranges(name), is_own(name), len(name)))) for name in OPTIMIZERS
    )
    for table in (SCHEDULES, CALLBACKS):
        count += sum(len(list(cases(ranges, lambda _: True, 1))) for _, ranges in table.values())
    assert count >= 10_000


# Calls, and attributes set later.


def makers():
    for name in optimizers.__all__:
        yield getattr(optimizers, name), {}
    for module, table in ((schedules, SCHEDULES), (callbacks, CALLBACKS)):
        for name, (required, _) in table.items():
            yield getattr(module, name), required


@pytest.mark.parametrize(
    ("cls", "required"), list(makers()), ids=lambda value: getattr(value, "__name__", "")
)
def test_wrong_calls_name_the_class_and_its_arguments(cls, required):
    arguments = list(inspect.signature(cls).parameters)
    positional = [0.1] * (len(arguments) + 1)
    for args, kwargs in [
        (positional, {}),
        ((), {**required, "lerning_rate": 0.1}),
        ((0.1,), {**required, arguments[0]: 0.1}),
        ((), {**required, "lr": 0.1}),
        *([((), {})] if required else []),
    ]:
        with pytest.raises(TypeError, match=rf"{cls.__name__}: .*{arguments[-1]}.*Received: "):
            cls(*args, **kwargs)


@pytest.mark.parametrize(
    "first", [["w"], "adam", {"learning_rate": 0.1}, keras.Sequential, iter([])]
)
def test_variables_as_first_argument_are_refused(first):
    """As in `torch.optim.Adam(model.parameters())`."""
    for cls in (optimizers.Adam, optimizers.SGD):
        with pytest.raises(TypeError, match=r"`learning_rate` must be .*Received: learning_rate="):
            cls(first)


def built(cls, **arguments):
    optimizer = cls(**arguments)
    optimizer.build([keras.Variable(np.ones((2, 2), "float32"), name="kernel")])
    return optimizer


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", optimizers.__all__)
def test_setting_after_build_takes_effect_or_is_refused(name):
    optimizer = built(getattr(optimizers, name))
    ranges = {n: r for n, r in optimizer_ranges(name).items() if n not in ("name", "groups")}
    before = optimizer.get_config()
    generator = random.Random(name)
    for argument, allowed in ranges.items():
        for value in generator.sample(hostile(), 12):
            expected = allowed.expected(value)
            if expected is REFUSED:
                problem = refusal(lambda **one: setattr(optimizer, *one.popitem()), argument, value)
                assert problem is None
                assert optimizer.get_config() == before
                continue
            try:
                setattr(optimizer, argument, value)
            except (TypeError, ValueError) as error:
                assert f"`{argument}`" in str(error) or argument == "learning_rate"
                assert "Received: " in str(error)
                assert optimizer.get_config() == before
            else:
                after = optimizer.get_config().get(argument)
                # TensorFlow ignores a value that the attribute returns already, even by a call.
                is_already = getattr(optimizer, argument) is value
                assert is_already or after in (expected, None) or np.isclose(after, expected)
                before = optimizer.get_config()


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"clipnorm": 1.0}, {"clipvalue": 1.0}),
        ({"gradient_accumulation_steps": 2}, {"lazy": True}),
        ({"transforms": [transforms.Cautious()]}, {"lazy": True}),
        ({}, {"lazy": True}),
    ],
)
def test_combinations_refused_together_are_refused_in_turn(first, later):
    cls = optimizers.Adam if first else optimizers.Muon
    with pytest.raises(ValueError, match="Received: "):
        cls(**first, **later)
    optimizer = cls(**first)
    for argument, value in later.items():
        setattr(optimizer, argument, value)
    with pytest.raises(ValueError, match="Received: "):
        optimizer.build([keras.Variable(np.ones((2, 2), "float32"))])
    assert not optimizer.built


def test_values_read_once_cannot_be_changed_later():
    """A compiled step, or the plateau inside the callback, would not notice."""
    schedule = schedules.PiecewiseConstantDecay([1, 2], [1.0, 2.0, 3.0])
    plateau = callbacks.PerformanceScheduling()
    for thing, argument, value in [
        (schedule, "boundaries", [2, 3]),
        (schedule, "values", [1.0]),
        (plateau, "factor", 0.1),
        (callbacks.Recorder(), "every", 2),
        (callbacks.BackupAndRestore("backup"), "backup_dir", "other"),
        (callbacks.OneCycle(0.1), "max_learning_rate", 0.2),
        (built(optimizers.SGD), "loss_scale_factor", 2.0),
        (built(optimizers.SGD), "settable", ["momentum"]),
        (optimizers.SGD(), "transforms", [transforms.Cautious()]),
        (built(optimizers.SGD), "groups", [ParameterGroup("kernel")]),
        (ParameterGroup("kernel"), "learning_rate_multiplier", 0.5),
        (ParameterGroup("kernel"), "match", "bias"),
        (ParameterGroup("kernel"), "overrides", {}),
    ]:
        shown = repr(getattr(thing, argument))
        with pytest.raises((TypeError, ValueError), match=rf"`{argument}` .*Received: {argument}="):
            setattr(thing, argument, value)
        assert repr(getattr(thing, argument)) == shown


def test_lists_cannot_be_changed_in_place():
    group = ParameterGroup("kernel", momentum=0.5)
    boundaries = [1, 2]
    schedule = schedules.PiecewiseConstantDecay(boundaries, [1.0, 2.0, 3.0])
    boundaries.append(0)
    assert schedule.get_config()["boundaries"] == [1, 2]
    with pytest.raises(TypeError):
        group.overrides["momentum"] = math.nan
    for items in (schedule.boundaries, optimizers.SGD(groups=[group]).groups):
        with pytest.raises(AttributeError):
            items.append(3)


@pytest.mark.parametrize("match", [float, keras.layers.Dense(1), lambda: True, lambda a, b: True])
def test_a_group_is_matched_by_a_function_of_one_argument(match):
    with pytest.raises(TypeError, match=r"`match` must be .*Received: match="):
        ParameterGroup(match)
    assert ParameterGroup(lambda variable: True).matches(keras.Variable(0.0))


@pytest.mark.parametrize("model", [None, "model", [], keras.layers.Dense(1), keras.Sequential])
def test_layerwise_decay_takes_a_model(model):
    with pytest.raises(TypeError, match=r"`model` must be .*Received: model="):
        layerwise_decay(model, 0.5)


def test_layerwise_decay_takes_a_factor():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)])
    allowed = Number(0.0, 1.0, "(]")
    for _, value in cases({"factor": allowed}, lambda _: True, 4):
        if allowed.expected(value) is REFUSED:
            assert refusal(lambda factor: layerwise_decay(model, factor), "factor", value) is None
        else:
            assert layerwise_decay(model, value)[1].learning_rate_multiplier == float(value)


# The learning rate, which Keras accepts in several forms.


def rates():
    return [
        (0.25, True),
        (1, False),
        (np.float32(0.25), False),
        (np.array(0.25), False),
        (keras.Variable(0.25), False),
        (keras.ops.convert_to_tensor(0.25), False),
        (lambda: 0.25, True),
        (half, True),
        (schedules.PiecewiseConstantDecay([1], [0.25, 0.5]), True),
        (keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.25, 0.5]), True),
    ]


@pytest.mark.parametrize("n", range(len(rates())))
def test_a_learning_rate_trains_in_every_form_of_keras(n):
    rate, keras_takes_it = rates()[n]
    weights = {}
    for module in (optimizers, keras.optimizers) if keras_takes_it else (optimizers,):
        variable = keras.Variable(np.array([1.0, -2.0], "float32"))
        optimizer = module.SGD(rate)
        for _ in range(3):
            optimizer.apply([keras.ops.convert_to_tensor([1.0, 2.0])], [variable])
        weights[module] = keras.ops.convert_to_numpy(variable)
    value = {1: 3.0, 7: 1.5, 8: 1.0, 9: 1.0}.get(n, 0.75)
    np.testing.assert_allclose(weights[optimizers], [1.0 - value, -2.0 - 2 * value], rtol=1e-6)
    if keras_takes_it:
        np.testing.assert_allclose(*weights.values(), rtol=1e-6)
    else:
        with pytest.raises(ValueError, match="learning_rate"):
            keras.optimizers.SGD(rate)


@pytest.mark.parametrize(
    ("cls", "argument", "schedule"),
    [
        (optimizers.SGD, "momentum", schedules.PowerDecay(5.0, 10)),
        (optimizers.Adam, "beta_1", schedules.LinearWarmup(10, 1.0, initial_fraction=1.0)),
        (optimizers.Adam, "learning_rate", schedules.PiecewiseConstantDecay([], [-0.1])),
        (optimizers.Ftrl, "learning_rate", schedules.LinearWarmup(10, 0.1)),
    ],
)
def test_a_schedule_must_begin_in_the_range(cls, argument, schedule):
    with pytest.raises(ValueError, match=rf"`{argument}` must be .*Received: {argument}=.*step 0"):
        cls(**{argument: schedule})


def test_a_function_that_needs_an_argument_is_no_learning_rate():
    with pytest.raises(TypeError, match=r"`learning_rate` must be .*Received.*missing a required"):
        optimizers.SGD(lambda step: 0.1)


# Where we refuse values that the built-in accepts and trains well with: what our docs say.
DOCUMENTED = {
    **dict.fromkeys(("beta_1", "beta_2", "adam_beta_1", "adam_beta_2"), "1)"),
    "beta_2_decay": "<= 0",
}


def plausible(allowed):
    """Return values of the type that the docs ask for, in and out of range."""
    if isinstance(allowed, Number):
        return [None, 0.0, 1e-8, 0.25, 0.5, 0.9, 1.0, 1.5, 2.0]
    if isinstance(allowed, Whole):
        return [None, 0, 1, 2, 5]
    return [True, False] if allowed is FLAG else [None, [], ["a"], ["a", "b"]]


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="no range depends on the backend")
@pytest.mark.parametrize("name", [n for n in optimizers.__all__ if hasattr(keras.optimizers, n)])
def test_values_that_train_with_the_built_in_are_accepted(name):
    ours, built_in = getattr(optimizers, name), getattr(keras.optimizers, name)
    ranges = optimizer_ranges(name)
    for argument in inspect.signature(built_in).parameters.keys() & ranges.keys():
        for value in plausible(ranges[argument]) if argument != "name" else ():
            with contextlib.suppress(TypeError, ValueError):
                ours(**{argument: value})
                continue
            with contextlib.suppress(Exception):
                if trains(built_in(**{"learning_rate": 0.05, argument: value})):
                    line = re.search(rf"\b{argument}\b.*:.*", ours.__doc__)[0]
                    assert DOCUMENTED.get(argument, "undocumented") in line, f"{argument}={value}"


def trains(optimizer):
    """Whether a few steps reduce a quadratic, without a NaN."""
    variable = keras.Variable(np.array([[1.0, -2.0], [0.5, 3.0]], "float32"))
    before = float(keras.ops.norm(variable.value))
    for _ in range(8):
        optimizer.apply([keras.ops.copy(variable.value)], [variable])
    after = float(keras.ops.norm(variable.value))
    return math.isfinite(after) and after < before
