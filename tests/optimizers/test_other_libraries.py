"""Each algorithm against torch.optim, optax or schedulefree, in float64 on every backend."""

import jax
import keras
import numpy as np
import optax
import pytest
import schedulefree
import torch
from training import double_precision, largest_difference, problem, train

from keras_optlab import optimizers

RATE, BETA_1, BETA_2 = 2**-6, 0.90625, 1 - 2**-10
BETAS = {"beta_1": BETA_1, "beta_2": BETA_2}
ALGORITHM_1 = {"bias_correction": "algorithm_1", "epsilon": 1e-3, **BETAS}
IN_GRADIENT = {"weight_decay": 0.25, "decoupled_weight_decay": False}
OUTSIDE = {"momentum": 0.875, "learning_rate_in_velocity": False}

# Our class and arguments, the class of torch.optim and its arguments.
TORCH = [
    ("SGD", {}, "SGD", {}),
    ("SGD", OUTSIDE, "SGD", {"momentum": 0.875}),
    ("SGD", {"nesterov": True, **OUTSIDE}, "SGD", {"momentum": 0.875, "nesterov": True}),
    ("SGD", {**OUTSIDE, **IN_GRADIENT}, "SGD", {"momentum": 0.875, "weight_decay": 0.25}),
    (
        "Adagrad",
        {"epsilon": 1e-3, "epsilon_inside_root": False, "initial_accumulator_value": 0.125},
        "Adagrad",
        {"eps": 1e-3, "initial_accumulator_value": 0.125},
    ),
    (
        "RMSprop",
        {"rho": 0.875, "epsilon": 1e-3, "epsilon_inside_root": False, "momentum": 0.5},
        "RMSprop",
        {"alpha": 0.875, "eps": 1e-3, "momentum": 0.5},
    ),
    (
        "RMSprop",
        {"rho": 0.875, "epsilon": 1e-3, "epsilon_inside_root": False, "centered": True},
        "RMSprop",
        {"alpha": 0.875, "eps": 1e-3, "centered": True},
    ),
    ("Adadelta", {"rho": 0.875, "epsilon": 1e-3}, "Adadelta", {"rho": 0.875, "eps": 1e-3}),
    ("Adam", ALGORITHM_1, "Adam", {"betas": (BETA_1, BETA_2), "eps": 1e-3}),
    (
        "Adam",
        {**ALGORITHM_1, "beta_2": 0.5, "amsgrad": True},
        "Adam",
        {"betas": (BETA_1, 0.5), "eps": 1e-3, "amsgrad": True},
    ),
    (
        "Adam",
        {**ALGORITHM_1, **IN_GRADIENT},
        "Adam",
        {"betas": (BETA_1, BETA_2), "eps": 1e-3, "weight_decay": 0.25},
    ),
    (
        "AdamW",
        {**ALGORITHM_1, "weight_decay": 0.25},
        "AdamW",
        {"betas": (BETA_1, BETA_2), "eps": 1e-3, "weight_decay": 0.25},
    ),
    # PyTorch adds epsilon to |g|, Keras to u.
    ("Adamax", {"epsilon": 0.0, **BETAS}, "Adamax", {"betas": (BETA_1, BETA_2), "eps": 0.0}),
    # PyTorch's momentum schedule has the exponent 0.004 t by default, Keras' has t.
    (
        "Nadam",
        {"epsilon": 1e-3, **BETAS},
        "NAdam",
        {"betas": (BETA_1, BETA_2), "eps": 1e-3, "momentum_decay": 1.0},
    ),
]

OPTAX = [
    (
        "Adagrad",
        {"initial_accumulator_value": 0.125},
        lambda: optax.adagrad(RATE, initial_accumulator_value=0.125, eps=1e-7),
    ),
    ("Adadelta", {"epsilon": 1e-3}, lambda: optax.adadelta(RATE, rho=0.95, eps=1e-3)),
    (
        "RMSprop",
        {"rho": 0.875, "epsilon": 1e-3, "centered": True, "momentum": 0.5},
        lambda: optax.rmsprop(RATE, decay=0.875, eps=1e-3, centered=True, momentum=0.5),
    ),
    ("Adam", ALGORITHM_1, lambda: optax.adam(RATE, BETA_1, BETA_2, eps=1e-3)),
    ("Lion", BETAS, lambda: optax.lion(RATE, BETA_1, BETA_2, weight_decay=0.0)),
    ("Lamb", {"epsilon": 1e-3, **BETAS}, lambda: optax.lamb(RATE, BETA_1, BETA_2, eps=1e-3)),
    (
        "Adafactor",
        {"epsilon_2": 2**-10},
        lambda: optax.adafactor(RATE, min_dim_size_to_factor=2),
    ),
]


@pytest.fixture(autouse=True)
def float64():
    with double_precision():
        yield


def train_with_torch(make, start, gradients):
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    optimizer = make(parameters)
    for gradient in gradients:
        for parameter, g in zip(parameters, gradient, strict=True):
            parameter.grad = torch.tensor(g)
        optimizer.step()
    return [parameter.detach().numpy() for parameter in parameters], optimizer


@pytest.mark.parametrize(("name", "arguments", "their_name", "theirs"), TORCH)
def test_the_weights_are_those_of_torch(name, arguments, their_name, theirs):
    start, gradients = problem(steps=12)
    ours = train(getattr(optimizers, name)(RATE, **arguments), start, gradients)
    make = getattr(torch.optim, their_name)
    expected, _ = train_with_torch(lambda p: make(p, lr=RATE, **theirs), start, gradients)
    # PyTorch keeps the product of Nadam's momentums in float32.
    assert largest_difference(ours, expected) < (1e-8 if name == "Nadam" else 1e-12)


@pytest.mark.parametrize(("name", "arguments", "make"), OPTAX)
def test_the_weights_are_those_of_optax(name, arguments, make):
    start, gradients = problem(steps=12)
    ours = train(getattr(optimizers, name)(RATE, **arguments), start, gradients)
    transformation = make()
    with jax.enable_x64(True):
        expected = [jax.numpy.array(w) for w in start]
        state = transformation.init(expected)
        for gradient in gradients:
            updates, state = transformation.update(gradient, state, expected)
            expected = optax.apply_updates(expected, updates)
        expected = [np.array(w) for w in expected]
    # optax takes Adafactor's powers of the step in float32.
    assert largest_difference(ours, expected) < (1e-7 if name == "Adafactor" else 1e-12)


SCHEDULE_FREE = [
    {},
    {"beta_1": 0.5, "warmup_steps": 8},
    {"beta_1": 0.75, "warmup_steps": 30, "weight_decay": 0.25},
]


@pytest.mark.parametrize("arguments", SCHEDULE_FREE)
def test_both_points_of_schedule_free_are_those_of_the_authors(arguments):
    start, gradients = problem(steps=20)
    arguments = {"beta_1": BETA_1, "beta_2": BETA_2, "warmup_steps": 0, **arguments}

    def authors(parameters):
        optimizer = schedulefree.AdamWScheduleFree(
            parameters,
            lr=RATE,
            betas=(arguments["beta_1"], arguments["beta_2"]),
            warmup_steps=arguments["warmup_steps"],
            weight_decay=arguments.get("weight_decay", 0.0),
        )
        optimizer.train()
        return optimizer

    at_training, optimizer = train_with_torch(authors, start, gradients)
    at_training = [w.copy() for w in at_training]
    optimizer.eval()
    at_evaluation = [p.detach().numpy() for p in optimizer.param_groups[0]["params"]]

    ours = optimizers.ScheduleFreeAdamW(RATE, **arguments)
    variables = [keras.Variable(w.copy(), dtype="float64") for w in start]
    for gradient in gradients:
        ours.apply([keras.ops.convert_to_tensor(g) for g in gradient], variables)

    def values():
        return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]

    assert largest_difference(values(), at_training) < 1e-12
    ours.to_evaluation_point()
    assert largest_difference(values(), at_evaluation) < 1e-12
    assert largest_difference(at_evaluation, at_training) > 1e-4
    ours.to_training_point()
    assert largest_difference(values(), at_training) < 1e-12
