"""Each algorithm, in each of its forms, equals its equations in NumPy float64 to 1e-12."""

import inspect

import keras
import numpy as np
import pytest
from formulas import FORMULAS, train_by_formula
from keras_versions import OF_KERAS, needs_built_in
from precision import double_precision
from selection import quick
from training import largest_difference, problem, train

from keras_optlab import optimizers

BACKEND = keras.backend.backend()

# Numbers that float32 represents exactly: like the built-ins, optimizers keep the learning rate in
# float32, and on TensorFlow some other hyperparameters too.
EXACT = {
    "learning_rate": 2**-6,
    "beta_1": 0.90625,
    "beta_2": 1 - 2**-10,
    "adam_beta_1": 0.90625,
    "adam_beta_2": 1 - 2**-10,
    "adam_weight_decay": 2**-8,
    "epsilon_2": 2**-10,
    "initial_accumulator_value": 0.125,
}

# On these backends, `keras.ops` computes means and norms in float32, whatever the input.
THROUGH_FLOAT32 = {(name, backend): 1e-7 for name in ("Muon",) for backend in ("jax", "torch")}

CASES = [
    ("SGD", {}),
    ("SGD", {"momentum": 0.875}),
    ("SGD", {"momentum": 0.875, "nesterov": True}),
    ("SGD", {"momentum": 0.875, "learning_rate_in_velocity": False}),
    ("SGD", {"momentum": 0.875, "learning_rate_in_velocity": False, "nesterov": True}),
    ("SGD", {"weight_decay": 0.25}),
    ("Adagrad", {}),
    ("Adagrad", {"epsilon_inside_root": False, "initial_accumulator_value": 0.0}),
    ("Adagrad", {"epsilon": 0.01, "weight_decay": 0.25}),
    ("RMSprop", {}),
    ("RMSprop", {"epsilon_inside_root": False, "epsilon": 0.01}),
    ("RMSprop", {"epsilon": 0.0}),
    ("RMSprop", {"centered": True, "momentum": 0.875}),
    ("RMSprop", {"centered": True, "epsilon_inside_root": False, "weight_decay": 0.25}),
    ("Adadelta", {"epsilon": 0.01, "weight_decay": 0.25}),
    ("Adam", {}),
    ("Adam", {"epsilon": 0.01, "bias_correction": "epsilon_hat"}),
    ("Adam", {"epsilon": 0.01, "bias_correction": "algorithm_1"}),
    ("Adam", {"epsilon": 0.01, "bias_correction": "none"}),
    ("Adam", {"beta_2": 0.5, "amsgrad": True}),
    ("Adam", {"beta_2": 0.5, "amsgrad": True, "bias_correction": "algorithm_1"}),
    ("Adam", {"weight_decay": 0.25, "decoupled_weight_decay": False}),
    ("AdamW", {"weight_decay": 0.25}),
    ("AdamW", {"weight_decay": 0.25, "amsgrad": True, "bias_correction": "algorithm_1"}),
    ("AdamW", {"weight_decay": 0.25, "decoupled_weight_decay": False}),
    ("Adamax", {"epsilon": 0.01, "beta_2": 0.75}),
    ("Nadam", {}),
    ("Nadam", {"epsilon": 0.01, "weight_decay": 0.25}),
    ("Lamb", {"epsilon": 0.01, "weight_decay": 0.25}),
    ("Lion", {"weight_decay": 0.25}),
    ("Ftrl", {}),
    ("Ftrl", {"learning_rate": 0.25, "l1_regularization_strength": 0.5, "beta": 0.5}),
    (
        "Ftrl",
        {
            "learning_rate_power": -0.75,
            "l2_regularization_strength": 0.5,
            "l2_shrinkage_regularization_strength": 0.25,
        },
    ),
    ("Adafactor", {}),
    ("Adafactor", {"learning_rate": 0.125, "clip_threshold": 0.5, "beta_2_decay": -0.5}),
    ("Muon", {"weight_decay": 0.25}),
    ("Muon", {"nesterov": False, "rms_rate": None, "ns_steps": 2, "adam_lr_ratio": 0.5}),
    ("ScheduleFreeAdamW", {}),
    ("ScheduleFreeAdamW", {"warmup_steps": 8, "weight_decay": 0.25, "beta_1": 0.5}),
]


@pytest.fixture(autouse=True)
def float64():
    with double_precision():
        yield


def exact(name, arguments):
    """Return the arguments, completed with numbers that float32 represents exactly."""
    parameters = inspect.signature(getattr(optimizers, name)).parameters
    arguments = {**{key: EXACT[key] for key in EXACT if key in parameters}, **arguments}
    return {"weight_decay": None, **arguments}


def first_form(name, arguments):
    """Whether a case is the first one of its algorithm."""
    return (name, arguments) == next(case for case in CASES if case[0] == name)


def test_every_algorithm_has_a_formula_and_a_case():
    assert set(OF_KERAS) == set(FORMULAS) == {name for name, _ in CASES}


@pytest.mark.parametrize(("name", "arguments"), quick(CASES, first_form))
def test_the_weights_are_those_of_the_equations(name, arguments):
    start, gradients = problem(steps=12)
    arguments = exact(name, arguments)
    ours = train(getattr(optimizers, name)(**arguments), start, gradients)
    expected = train_by_formula(name, start, gradients, **arguments)
    tolerance = THROUGH_FLOAT32.get((name, BACKEND), 1e-12)
    assert largest_difference(ours, expected) < tolerance


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_l2_equals_decoupled_decay_for_sgd_and_not_for_adam(name):
    start, gradients = problem(steps=12)
    decoupled, in_gradient = (
        train(
            getattr(optimizers, name)(2**-6, weight_decay=0.25, decoupled_weight_decay=way),
            start,
            gradients,
        )
        for way in (True, False)
    )
    difference = largest_difference(decoupled, in_gradient)
    assert difference < 1e-14 if name == "SGD" else difference > 1e-2


def test_the_forms_of_momentum_differ_once_the_rate_changes():
    start, gradients = problem(steps=6)
    rates = [0.25, 0.25, 0.25, 0.125, 0.125, 0.5]
    ends = {}
    for inside in (True, False):
        optimizer = optimizers.SGD(rates[0], momentum=0.875, learning_rate_in_velocity=inside)
        variables = [keras.Variable(w.copy(), dtype="float64") for w in start]
        for rate, gradient in zip(rates, gradients, strict=True):
            optimizer.learning_rate = rate
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradient], variables)
        ends[inside] = [np.array(keras.ops.convert_to_numpy(v)) for v in variables]
    for inside in (True, False):
        expected = []
        for position, w in enumerate(start):
            v = 0.0
            for rate, gradient in zip(rates, gradients, strict=True):
                g = gradient[position]
                v = 0.875 * v - rate * g if inside else 0.875 * v + g
                w = w + v if inside else w - rate * v
            expected.append(w)
        assert largest_difference(ends[inside], expected) < 1e-13
    assert largest_difference(ends[True], ends[False]) > 0.1


@needs_built_in("Muon")
@pytest.mark.skipif(BACKEND != "tensorflow", reason="it is on TensorFlow that Keras raises")
def test_muon_takes_float64_matrices_on_tensorflow():
    import tensorflow as tf

    start, gradients = problem(steps=2, shapes=[(4, 3)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="float"):
        train(keras.optimizers.Muon(2**-6), start, gradients)
    arguments = exact("Muon", {})
    ours = train(optimizers.Muon(**arguments), start, gradients)
    assert largest_difference(ours, train_by_formula("Muon", start, gradients, **arguments)) < 1e-12


@pytest.mark.skipif(BACKEND != "torch", reason="it is on torch that Keras rounds 1 - beta")
def test_the_adam_part_of_muon_keeps_float64_on_torch():
    start, gradients = problem(steps=50, shapes=[(5,)])
    expected = train_by_formula("Muon", start, gradients, learning_rate=2**-6)
    ours = train(optimizers.Muon(2**-6), start, gradients)
    assert largest_difference(ours, expected) < 1e-12
    theirs = train(keras.optimizers.Muon(2**-6), start, gradients)
    assert largest_difference(theirs, expected) > 1e-9
