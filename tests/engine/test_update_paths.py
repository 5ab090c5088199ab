"""Every path on which a backend runs a formula gives the built-in's numbers."""

import keras
import numpy as np
import pytest
from keras_versions import OF_KERAS, with_built_in
from selection import quick
from steps import BACKEND, train

from keras_optlab import optimizers
from keras_optlab.lab import parity

# One variable above every backend's limit for "large", nine of one shape, and odd ones.
LARGE = [(500, 600)]
ALIKE = [(6, 5)] * 9
ODD = [(), (7,), (3, 2, 4, 5), (0,)]
ALGORITHMS = {
    "SGD momentum": ("SGD", {"learning_rate": 0.01, "momentum": 0.9}),
    "SGD Nesterov": ("SGD", {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
    "Adam AMSGrad": ("Adam", {"amsgrad": True}),
    "AdamW": ("AdamW", {"weight_decay": 0.1, "clipnorm": 1.0}),
    "Ftrl to the power 0.3": ("Ftrl", {"learning_rate_power": -0.3}),
    "RMSprop centered": ("RMSprop", {"centered": True, "momentum": 0.5, "epsilon": 1e-3}),
    **{
        name: (name, {})
        for name in OF_KERAS
        if name not in ("AdamW", "RMSprop", "ScheduleFreeAdamW")
    },
}
COMPILED = {"SGD Nesterov", "AdamW", "Lion", "Lamb", "Adafactor", "Muon", "Nadam"}
# The algorithms that always run: slots and clipping, norms.
WORKING = ("AdamW", "Lamb")


def algorithm(label):
    return ALGORITHMS[label][0]


def problem(shapes, steps=3):
    random = np.random.default_rng(5)
    start = [np.asarray(random.normal(size=shape), "float32") for shape in shapes]
    gradients = [
        [np.asarray(random.normal(size=shape) + 0.3, "float32") for shape in shapes]
        for _ in range(steps)
    ]
    return start, gradients


def assert_equal(label, shapes, jit_compile=False, formula_compiled="auto"):
    name, arguments = ALGORITHMS[label]
    start, gradients = problem(shapes)
    optimizer = getattr(optimizers, name)(**arguments, jit_compile=formula_compiled)
    ours = train(optimizer, start, gradients, jit_compile)
    theirs = train(getattr(keras.optimizers, name)(**arguments), start, gradients)
    filled = [n for n, shape in enumerate(shapes) if 0 not in shape]
    case = parity.Case(name, arguments)
    for n in filled:
        one = [[weights[n]] for weights in (start, ours, theirs)]
        result = parity.compare(case, *one)
        assert result.passed, (shapes[n], result)


@pytest.mark.parametrize("label", quick(with_built_in(ALGORITHMS, algorithm), WORKING))
def test_a_large_variable(label):
    # Muon spends its time on matrix products, which are the same at any size.
    assert_equal(label, [(40, 50)] if label == "Muon" else LARGE)


@pytest.mark.parametrize("label", quick(with_built_in(ALGORITHMS, algorithm), WORKING))
def test_many_small_variables_of_one_shape_and_some_of_others(label):
    # Keras' Muon and Adafactor do not take empty variables.
    assert_equal(label, ALIKE + (ODD[:-1] if label in ("Muon", "Adafactor") else ODD))


@pytest.mark.parametrize("label", quick(with_built_in(sorted(COMPILED), algorithm), WORKING))
@pytest.mark.parametrize("jit_compile", [True, False])
def test_formulas_compiled_and_not(label, jit_compile):
    if BACKEND == "torch" and jit_compile and label == "Muon":
        pytest.skip("torch needs more than a minute to compile Muon's iteration")
    assert_equal(label, [(40, 50), (6, 5), (6, 5), (7,)], formula_compiled=jit_compile)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA is optional only on TensorFlow")
@pytest.mark.parametrize("label", quick(sorted(COMPILED - {"Muon"}), WORKING))
def test_a_step_that_is_compiled_as_a_whole(label):
    assert_equal(label, [*LARGE, *ALIKE, (7,)], jit_compile=True)


def test_a_large_variable_in_steps_that_nothing_compiles():
    start, gradients = problem(LARGE)
    weights = []
    for cls in (optimizers.Ftrl, keras.optimizers.Ftrl):
        variable = keras.Variable(start[0].copy(), name="w")
        optimizer = cls(0.1)
        for (gradient,) in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        weights.append(np.array(keras.ops.convert_to_numpy(variable)))
    case, (ours, theirs) = parity.Case("Ftrl", {}), weights
    result = parity.compare(case, start, [ours], [theirs])
    assert result.passed, result
