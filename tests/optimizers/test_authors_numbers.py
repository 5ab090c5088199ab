"""Each algorithm beyond Keras gives the numbers of its authors' code; see tests/golden."""

import authors
import pytest
from selection import EXHAUSTIVE, SLOW_ON_ONE, quick

from keras_optlab import optimizers

# As in the authors' code, which leaves it to the user to say which matrices are embeddings.
MUON = {"form": "authors", "exclude_embeddings": False}

# For each recorded algorithm and configuration: our class and its arguments.
CASES = {
    "ademamix": (
        "AdEMAMix",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.01,
                "alpha": 5.0,
                "beta_1": 0.8,
                "beta_2": 0.99,
                "beta_3": 0.999,
                "epsilon": 1e-6,
                "beta_3_warmup": 12,
                "alpha_warmup": 12,
            },
            "decay": {"learning_rate": 0.01, "alpha": 3.0, "weight_decay": 0.1},
        },
    ),
    "adopt": (
        "ADOPT",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.01,
                "beta_1": 0.8,
                "beta_2": 0.99,
                "epsilon": 1e-4,
                "clip_scale": 2.0,
            },
            "decay": {"learning_rate": 0.01, "weight_decay": 0.1},
        },
    ),
    "adan": (
        "Adan",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.01,
                "beta_1": 0.9,
                "beta_2": 0.8,
                "beta_3": 0.95,
                "epsilon": 1e-6,
                "global_clipnorm": 1.0,
            },
            "decay": {"learning_rate": 0.01, "weight_decay": 0.1},
        },
    ),
    "adabelief": (
        "AdaBelief",
        {
            "default": {},
            "norectify": {
                "learning_rate": 0.01,
                "beta_1": 0.8,
                "beta_2": 0.95,
                "epsilon": 1e-8,
                "rectify": False,
            },
            "decay": {"learning_rate": 0.01, "beta_2": 0.98, "weight_decay": 0.1},
        },
    ),
    "radam": (
        "RAdam",
        {
            "default": {},
            "hyper": {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-6},
            "decay": {"learning_rate": 0.01, "weight_decay": 0.1},
        },
    ),
    "radam_authors": (
        "RAdam",
        {
            "default": {"early_steps": "none"},
            "degenerated": {"learning_rate": 0.01, "beta_2": 0.98},
            "decay": {
                "learning_rate": 0.01,
                "beta_1": 0.8,
                "beta_2": 0.9,
                "weight_decay": 0.1,
                "early_steps": "none",
            },
        },
    ),
    "laprop": (
        "LaProp",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.01,
                "beta_1": 0.8,
                "beta_2": 0.95,
                "epsilon": 1e-6,
                "amsgrad": True,
            },
            "decay": {"learning_rate": 0.01, "weight_decay": 0.002},
        },
    ),
    "nadamw": (
        "NAdamW",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.01,
                "beta_1": 0.8,
                "beta_2": 0.98,
                "epsilon": 1e-6,
                "weight_decay": 0.0,
            },
            "decay": {"learning_rate": 0.01, "weight_decay": 0.1},
        },
    ),
    "lars": (
        "LARS",
        {
            "default": {"always_adapt": False},
            "hyper": {"momentum": 0.8, "nesterov": True, "trust_coefficient": 0.01},
            "decay": {"weight_decay": 0.1},
        },
    ),
    "mars": (
        "MARS",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.01,
                "beta_1": 0.9,
                "beta_2": 0.98,
                "gamma": 0.1,
                "learning_rate_ratio_1d": 0.4,
                "beta_1_1d": 0.8,
                "beta_2_1d": 0.9,
                "epsilon": 1e-6,
            },
            "decay": {
                "learning_rate": 0.01,
                "learning_rate_ratio_1d": 0.3,
                "weight_decay": 0.1,
                "weight_decay_1d": 0.05,
            },
        },
    ),
    "schedule_free_sgd": (
        "ScheduleFreeSGD",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.3,
                "momentum": 0.8,
                "warmup_steps": 6,
                "polynomial_power": 1.0,
                "rate_power": 1.0,
            },
            "decay": {"learning_rate": 0.2, "weight_decay": 0.1},
        },
    ),
    "schedule_free_adamw": (
        "ScheduleFreeAdamW",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.02,
                "beta_1": 0.8,
                "beta_2": 0.95,
                "epsilon": 1e-6,
                "warmup_steps": 6,
                "polynomial_power": 1.0,
                "rate_power": 1.0,
            },
            "decay": {"learning_rate": 0.02, "weight_decay": 0.1},
        },
    ),
    "prodigy": (
        "Prodigy",
        {
            "default": {},
            "hyper": {
                "beta_2": 0.99,
                "initial_d": 0.001,
                "bias_correction": True,
                "beta_3": 0.95,
                "d_coefficient": 2.0,
            },
            "decay": {"initial_d": 0.01, "weight_decay": 0.1},
        },
    ),
    "soap": (
        "SOAP",
        {
            "default": {},
            "hyper": {
                "learning_rate": 0.01,
                "beta_1": 0.9,
                "beta_2": 0.98,
                "epsilon": 1e-6,
                "period": 3,
                "weight_decay": 0.0,
                "largest_axis": 5,
            },
            "decay": {
                "learning_rate": 0.01,
                "weight_decay": 0.1,
                "period": 2,
                "bases_of_vectors": True,
                "shampoo_beta": 0.9,
            },
        },
    ),
    "lamb": (
        "Lamb",
        {
            "default": {
                "epsilon": 1e-6,
                "weight_decay": 0.01,
                "decay_in_direction": True,
                "global_clipnorm": 1.0,
            },
            "hyper": {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-8},
            "decay": {
                "learning_rate": 0.01,
                "epsilon": 1e-6,
                "weight_decay": 0.1,
                "decay_in_direction": True,
            },
        },
    ),
    "muon": (
        "Muon",
        {
            "default": {"learning_rate": 0.02, "weight_decay": 0.0, **MUON},
            "hyper": {"learning_rate": 0.05, "momentum": 0.8, "weight_decay": 0.0, **MUON},
            "decay": {"learning_rate": 0.02, "weight_decay": 0.1, **MUON},
        },
    ),
    "lion": (
        "Lion",
        {
            "default": {"learning_rate": 1e-4},
            "hyper": {"learning_rate": 0.003, "beta_1": 0.95, "beta_2": 0.98},
            "decay": {"learning_rate": 0.003, "weight_decay": 0.1},
        },
    ),
}
CONFIGURATIONS = [(name, each) for name, (_, given) in CASES.items() for each in given]


def maker(algorithm, configuration):
    """Return a function that makes the optimizer of a case."""
    name, given = CASES[algorithm]
    return lambda: getattr(optimizers, name)(**given[configuration])


@pytest.mark.parametrize(
    ("algorithm", "configuration"), quick(CONFIGURATIONS, lambda _, each: each == "decay")
)
def test_float64_weights_are_the_authors(algorithm, configuration, float64):
    make, bases = maker(algorithm, configuration), authors.starting_bases(algorithm, configuration)
    off = authors.distances(make, algorithm, configuration, "float64", after_first=bases)
    assert max(off.values()) < 1e-9, off


@pytest.mark.parametrize(
    "is_compiled",
    [pytest.param(False, id="eager", marks=EXHAUSTIVE), pytest.param(True, id="compiled")],
)
@pytest.mark.parametrize(("algorithm", "configuration"), quick(CONFIGURATIONS, [], SLOW_ON_ONE))
def test_float32_weights_are_as_near_as_the_oracle(algorithm, configuration, is_compiled):
    make, bases = maker(algorithm, configuration), authors.starting_bases(algorithm, configuration)
    off = authors.distances(
        make, algorithm, configuration, "float32", is_compiled=is_compiled, after_first=bases
    )
    assert max(off.values()) < authors.bound_in_float32(algorithm, configuration), off
