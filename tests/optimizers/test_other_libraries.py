"""Each algorithm against torch.optim, optax or schedulefree, in float64 on every backend."""

import keras
import numpy as np
import pytest
from other_libraries import OPTAX, RATE, SCHEDULE_FREE, TORCH
from precision import double_precision
from recordings import recorded
from training import flat, problem, train

from keras_optlab import optimizers

# PyTorch keeps the product of Nadam's momenta in float32, and optax computes Adafactor's powers of
# the step in float32.
THROUGH_FLOAT32 = {"Nadam": 1e-8, "Adafactor": 1e-7}


@pytest.fixture(autouse=True)
def float64():
    with double_precision():
        yield


def largest_difference(ours, expected):
    return np.max(np.abs(flat(ours) - expected))


@pytest.mark.parametrize("case", [*TORCH, *OPTAX], ids=str)
def test_the_weights_are_those_of_the_other_library(case):
    ours = train(getattr(optimizers, case.ours)(RATE, **case.arguments), *problem(steps=12))
    expected = recorded("optimizers", str(case))
    assert largest_difference(ours, expected) < THROUGH_FLOAT32.get(case.ours, 1e-12)


@pytest.mark.parametrize("case", SCHEDULE_FREE, ids=str)
def test_both_points_of_schedule_free_are_those_of_the_authors(case):
    start, gradients = problem(steps=20)
    at_training, at_evaluation = (
        recorded("optimizers", f"{case}, {point} point") for point in ("training", "evaluation")
    )
    ours = optimizers.ScheduleFreeAdamW(RATE, **case.arguments)
    variables = [keras.Variable(w.copy(), dtype="float64") for w in start]
    for gradient in gradients:
        ours.apply([keras.ops.convert_to_tensor(g) for g in gradient], variables)

    def values():
        return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]

    assert largest_difference(values(), at_training) < 1e-12
    ours.to_evaluation_point()
    assert largest_difference(values(), at_evaluation) < 1e-12
    assert np.max(np.abs(at_evaluation - at_training)) > 1e-4
    ours.to_training_point()
    assert largest_difference(values(), at_training) < 1e-12
