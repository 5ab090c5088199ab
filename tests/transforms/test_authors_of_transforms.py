"""Each transform gives the numbers of its authors' code; see tests/golden."""

import authors
import keras
import pytest

from keras_optlab import optimizers
from keras_optlab.transforms import (
    AdaptiveGradientClipping,
    Average,
    Cautious,
    GradientCentralization,
    Lookahead,
)


class BiasCorrectedDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Weight decay of `Adam` by the authors of gradient centralization: λ / (1 − β₁ᵗ)."""

    def __call__(self, step):
        return 0.1 / (1 - 0.9 ** (keras.ops.cast(step, keras.config.floatx()) + 1))

    def get_config(self):
        return {}


# Most authors correct the bias of both averages (`algorithm_1`) and use an epsilon of 1e-8.
ADAM = {"epsilon": 1e-8, "bias_correction": "algorithm_1"}
MOMENTUM = {"momentum": 0.9, "learning_rate_in_velocity": False}

# For each recorded transform and configuration: an algorithm, its arguments and the transform.
CASES = {
    "cautious_adamw": {
        "default": ("AdamW", {"epsilon": 1e-6, "weight_decay": 0.0}, Cautious()),
        "hyper": (
            "AdamW",
            {
                "learning_rate": 0.01,
                "beta_1": 0.8,
                "beta_2": 0.95,
                "epsilon": 1e-6,
                "weight_decay": 0.0,
            },
            Cautious(),
        ),
        "decay": (
            "AdamW",
            {"learning_rate": 0.01, "epsilon": 1e-6, "weight_decay": 0.1},
            Cautious(),
        ),
    },
    "cautious_lion": {
        "default": (
            "Lion",
            {"learning_rate": 1e-4, "beta_1": 0.95, "beta_2": 0.98},
            Cautious("count"),
        ),
        "hyper": (
            "Lion",
            {"learning_rate": 0.003, "beta_1": 0.9, "beta_2": 0.99},
            Cautious("count"),
        ),
        "decay": (
            "Lion",
            {"learning_rate": 0.003, "beta_1": 0.95, "beta_2": 0.98, "weight_decay": 0.1},
            Cautious("count"),
        ),
    },
    "lookahead": {
        "default": ("Adam", {"learning_rate": 0.01, **ADAM}, Lookahead()),
        "hyper": ("SGD", {"learning_rate": 0.1, **MOMENTUM}, Lookahead(4, 0.5)),
    },
    "gradient_centralization": {
        "default": ("SGD", {"learning_rate": 0.1}, GradientCentralization()),
        "hyper": (
            "Adam",
            {**ADAM, "learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-6},
            GradientCentralization(),
        ),
        "decay": (
            "AdamW",
            {"learning_rate": 0.01, "weight_decay": BiasCorrectedDecay(), **ADAM},
            GradientCentralization(),
        ),
    },
    "agc": {
        "default": ("SGD", {"learning_rate": 0.1}, AdaptiveGradientClipping()),
        "hyper": ("Adam", {"learning_rate": 0.01, **ADAM}, AdaptiveGradientClipping(0.1, 0.01)),
        "decay": (
            "AdamW",
            {"learning_rate": 0.01, "weight_decay": 0.1, **ADAM},
            AdaptiveGradientClipping(0.05),
        ),
    },
    "swa": {
        "default": ("SGD", {"learning_rate": 0.1}, Average()),
        "hyper": ("SGD", {"learning_rate": 0.1, **MOMENTUM}, Average(start=6, period=4)),
        "ema": ("SGD", {"learning_rate": 0.1}, Average(decay=0.9, start=2)),
    },
    "ema_pytorch": {
        "default": ("SGD", {"learning_rate": 0.1}, Average(decay=0.99, warmup_scale=1.0)),
        "hyper": (
            "SGD",
            {"learning_rate": 0.1},
            Average(decay=0.9, start=4, period=3, warmup_scale=1.0, warmup_power=0.75),
        ),
        "decay": (
            "SGD",
            {"learning_rate": 0.1},
            Average(decay=0.95, start=2, period=2, warmup_scale=2.0, smallest_decay=0.5),
        ),
    },
}
CONFIGURATIONS = [(name, each) for name, given in CASES.items() for each in given]


def maker(recorded, configuration):
    """Return a function that makes the optimizer of a case."""
    name, given, transform = CASES[recorded][configuration]
    return lambda: getattr(optimizers, name)(**given, transforms=[transform])


@pytest.mark.parametrize(("recorded", "configuration"), CONFIGURATIONS)
def test_float64_weights_are_the_authors(recorded, configuration, float64):
    make = maker(recorded, configuration)
    off = authors.distances(make, recorded, configuration, "float64")
    assert max(off.values()) < 1e-9, off


@pytest.mark.parametrize(
    "is_compiled",
    [pytest.param(False, id="eager"), pytest.param(True, id="compiled")],
)
@pytest.mark.slow
@pytest.mark.parametrize(("recorded", "configuration"), CONFIGURATIONS)
def test_float32_weights_are_as_near_as_the_oracle(recorded, configuration, is_compiled):
    make = maker(recorded, configuration)
    off = authors.distances(make, recorded, configuration, "float32", is_compiled=is_compiled)
    assert max(off.values()) < authors.bound_in_float32(recorded, configuration), off
