"""Every algorithm ends where the built-in ends, and the measurement can fail."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from precision import double_precision
from selection import quick

from keras_optlab import optimizers
from keras_optlab.conversion import built_in
from keras_optlab.lab import parity

BACKEND = keras.backend.backend()
# Each example compiles a step, except on torch, which compiles nothing.
EXAMPLES = 6 if BACKEND == "torch" else 1

rates = st.sampled_from([1e-4, 1e-3, 0.01, 0.1])
decays = st.floats(0.3, 0.99)
epsilons = st.sampled_from([1e-8, 1e-7, 1e-3])
penalties = st.sampled_from([0.0, 1e-3, 0.1, 1.0])
flags = st.booleans()
OWN = {
    "SGD": {"momentum": st.just(0.0) | decays, "nesterov": flags},
    "Adagrad": {"initial_accumulator_value": st.floats(0.01, 1.0), "epsilon": epsilons},
    "RMSprop": {
        # With a small rho the variance of `centered` is a difference of nearly equal numbers.
        "rho": st.floats(0.7, 0.99),
        "momentum": st.just(0.0) | decays,
        "epsilon": epsilons,
        "centered": flags,
    },
    "Adadelta": {"rho": decays, "epsilon": epsilons},
    "Adam": {"beta_1": decays, "beta_2": decays, "epsilon": epsilons, "amsgrad": flags},
    "AdamW": {"beta_1": decays, "beta_2": decays, "epsilon": epsilons, "amsgrad": flags},
    "Adamax": {"beta_1": decays, "beta_2": decays, "epsilon": epsilons},
    "Nadam": {"beta_1": decays, "beta_2": decays, "epsilon": epsilons},
    "Ftrl": {
        "learning_rate_power": st.floats(-1.0, 0.0),
        "initial_accumulator_value": st.floats(0.01, 1.0),
        "l1_regularization_strength": penalties,
        "l2_regularization_strength": penalties,
        "l2_shrinkage_regularization_strength": penalties,
        "beta": penalties,
    },
    "Lion": {"beta_1": decays, "beta_2": decays},
    "Lamb": {"beta_1": decays, "beta_2": decays, "epsilon": epsilons},
    "Adafactor": {
        "beta_2_decay": st.floats(-1.0, -0.3),
        "epsilon_2": epsilons,
        "clip_threshold": st.floats(0.3, 2.0),
        "relative_step": flags,
    },
    "Muon": {
        "adam_beta_1": decays,
        "adam_beta_2": decays,
        "adam_weight_decay": st.none() | st.floats(0.0, 0.1),
        "adam_lr_ratio": st.floats(0.1, 2.0),
        "momentum": decays,
        "ns_steps": st.integers(1, 6),
        "nesterov": flags,
        "rms_rate": st.none() | st.floats(0.1, 0.3),
        "exclude_layers": st.none() | st.just(["matrix"]),
    },
    "ScheduleFreeAdamW": {
        "beta_1": decays,
        "beta_2": decays,
        "epsilon": epsilons,
        "warmup_steps": st.integers(0, 60),
        "weight_decay": st.floats(0.0, 0.1),
    },
}
averages = st.fixed_dictionaries(
    {
        "use_ema": st.just(True),
        "ema_momentum": decays,
        "ema_overwrite_frequency": st.none() | st.integers(1, 20),
    }
)
scaled = st.fixed_dictionaries({"loss_scale_factor": st.sampled_from([0.5, 4.0])})
accumulated = st.fixed_dictionaries({"gradient_accumulation_steps": st.integers(2, 10)})
clipped = st.sampled_from(["clipnorm", "clipvalue", "global_clipnorm"]).flatmap(
    lambda name: st.fixed_dictionaries({name: st.floats(0.1, 5.0)})
)
decayed = st.fixed_dictionaries({"weight_decay": st.floats(0.0, 0.2)})
SCHEDULES = keras.optimizers.schedules
schedules = st.builds(SCHEDULES.ExponentialDecay, rates, st.integers(5, 50), st.floats(0.3, 1.0))


@st.composite
def configurations(draw, name):
    """Draw constructor arguments, with each base argument about half of the time."""
    own = draw(st.fixed_dictionaries({"learning_rate": rates}, optional=OWN[name]))
    if name == "ScheduleFreeAdamW":
        return own
    if draw(flags):
        own["learning_rate"] = draw(schedules)
    for base in (averages, scaled, accumulated, clipped, decayed):
        if draw(flags):
            own |= draw(base)
    return own


def identify(case):
    return f"{case.algorithm}({case.label})"


CASES, IN_FLOAT64 = parity.cases(), parity.cases(dtype="float64")[1::3]


@pytest.mark.parametrize("case", quick(CASES, CASES[::3]), ids=identify)
def test_float32_weights_are_those_of_the_built_in(case):
    result = parity.measure(case)
    assert result.passed, result


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({case.algorithm for case in CASES}))
def test_random_configurations_end_where_the_built_in_ends(name):
    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None)
    @given(arguments=configurations(name), seed=st.integers(0, 100))
    def check(arguments, seed):
        result = parity.measure(parity.Case(name, arguments), seed)
        assert result.passed, result

    check()


@pytest.mark.parametrize("case", quick(IN_FLOAT64, IN_FLOAT64[::6]), ids=identify)
def test_float64_weights_are_those_of_the_built_in(case):
    with double_precision():
        result = parity.measure(case, dtype="float64")
    assert result.passed, result


@pytest.mark.skipif(BACKEND == "tensorflow", reason="keras.ops.mean is float64 on TensorFlow")
def test_adafactor_differs_in_float64_by_keras_float32_means():
    case = parity.Case("Adafactor", {"learning_rate": 0.5, "beta_2_decay": -0.75})
    with double_precision():
        assert 1e-8 < parity.measure(case, dtype="float64").error < 1e-6


def test_the_table_uses_every_algorithm_and_every_base_argument():
    cases = parity.cases()
    compared = {name for name in optimizers.__all__ if built_in(getattr(optimizers, name))}
    assert {case.algorithm for case in cases} == compared | {"ScheduleFreeAdamW"}
    assert {
        "weight_decay",
        "clipnorm",
        "clipvalue",
        "global_clipnorm",
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
        "loss_scale_factor",
        "gradient_accumulation_steps",
    } <= {argument for case in cases for argument in case.arguments}


def test_names_are_checked_and_float64_needs_a_reference():
    assert [case.algorithm for case in parity.cases(["Lion", "SGD"])] == ["Lion"] * 3 + ["SGD"] * 3
    with pytest.raises(ValueError, match=r"`names` must be one of .*'Muon'.*Received: .*'Moun'"):
        parity.cases(["Moun"])
    left_out = {name for name, where in parity.NO_FLOAT64_BUILT_IN.items() if BACKEND in where}
    assert left_out.isdisjoint(case.algorithm for case in parity.cases(dtype="float64"))


def test_a_measurement_fails_only_beyond_the_tolerance():
    case = parity.Case("SGD", {})
    start, _ = parity.problem(seed=0, dtype="float32")
    end = [np.asarray(w + 1, "float32") for w in start]

    def result(step):
        # Only the matrix is off: by `step` times 2e-6 of the distance, plus 8 ulp.
        off = [w.astype("float64") for w in end]
        off[2][1, 1] += step * 2e-6 + 8 * np.spacing(end[2][1, 1])
        return parity.compare(case, start, off, end)

    assert result(0.99).passed and result(0.0).error == 0.0
    assert not result(1.01).passed and result(1.01).where == "matrix"
    assert result(1.01).distance == pytest.approx(1.0)
    assert result(1.01).error == pytest.approx(2.02e-6, rel=1e-3)
    assert not result(np.nan).passed


def test_a_wrong_hyperparameter_is_noticed():
    start, gradients = parity.problem(seed=0, dtype="float32")
    ours = parity.run(optimizers.Adam(beta_2=0.999), start, gradients)
    theirs = parity.run(keras.optimizers.Adam(beta_2=0.99899), start, gradients)
    result = parity.compare(parity.Case("Adam", {}), start, ours, theirs)
    assert result.error > 1e-5 and not result.passed
