"""A step matches its equations in every context that Keras or a user may run it in.

The oracle is NumPy in float64, which shares no code with the package. Hyperparameters change in the
middle of each run, and compiled steps must see it.
"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras_versions import OF_KERAS
from selection import EXHAUSTIVE, REPRESENTATIVE
from stepping import FEW_SHAPES, Problem

BACKEND = keras.backend.backend()
TESTS = Path(__file__).parents[1]
TIME_LIMIT = 600

on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="this is TensorFlow's")
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="this is JAX's")
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="this is torch's")
CORE = ("SGD", "Adam")


def marks_of(name):
    if name in CORE:
        return ()
    return pytest.mark.slow if name in REPRESENTATIVE else EXHAUSTIVE


each_algorithm = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=marks_of(name)) for name in OF_KERAS]
)


def tensors(gradients):
    return [keras.ops.convert_to_tensor(gradient) for gradient in gradients]


def assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


@each_algorithm
def test_eager(name):
    problem = Problem(name)
    optimizer, variables = problem.make()
    problem.run(lambda gradients: optimizer.apply(tensors(gradients), variables), optimizer)
    problem.check(variables)


@on_tensorflow
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@each_algorithm
def test_tf_function(name, jit_compile):
    import tensorflow as tf

    problem = Problem(name)
    optimizer, variables = problem.make()
    step = tf.function(lambda g: optimizer.apply(g, variables), jit_compile=jit_compile)
    problem.run(lambda gradients: step(tensors(gradients)), optimizer)
    problem.check(variables)


@on_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "xla"])
@each_algorithm
def test_tf_while_loop(name, jit_compile):
    import tensorflow as tf

    problem = Problem(name)
    optimizer, variables = problem.make()

    @tf.function(jit_compile=jit_compile)
    def loop(stacked):
        def body(n):
            optimizer.apply([gradients[n] for gradients in stacked], variables)
            return [n + 1]

        tf.while_loop(lambda n: n < len(stacked[0]), body, [0])

    def steps(gradients):
        loop([tf.stack(of_one) for of_one in zip(*gradients, strict=True)])

    problem.run_in_two(steps, optimizer)
    problem.check(variables)


def stateless_steps(problem, compiled=lambda function: function):
    """Take the steps with `stateless_apply`, which leaves all variables to its caller."""
    optimizer, variables = problem.make()
    apply = compiled(optimizer.stateless_apply)

    def step(gradients):
        state = [keras.ops.convert_to_tensor(variable) for variable in optimizer.variables]
        values = [keras.ops.convert_to_tensor(variable) for variable in variables]
        new_values, new_state = apply(state, tensors(gradients), values)
        assign([*variables, *optimizer.variables], [*new_values, *new_state])

    problem.run(step, optimizer)
    problem.check(variables)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="Keras has no stateless_apply on TensorFlow")
@each_algorithm
def test_stateless_apply(name):
    stateless_steps(Problem(name))


@on_jax
@each_algorithm
def test_jax_jit(name):
    import jax

    stateless_steps(Problem(name), jax.jit)


@on_jax
@each_algorithm
def test_jax_scan(name):
    import jax

    problem = Problem(name)
    optimizer, variables = problem.make()

    @jax.jit
    def loop(state, values, stacked):
        def body(carried, gradients):
            values, state = optimizer.stateless_apply(carried[1], gradients, carried[0])
            return (values, state), None

        return jax.lax.scan(body, (values, state), stacked)[0]

    def steps(gradients):
        state = [variable.value for variable in optimizer.variables]
        values = [variable.value for variable in variables]
        stacked = [keras.ops.stack(of_one) for of_one in zip(*gradients, strict=True)]
        values, state = loop(state, values, stacked)
        assign([*variables, *optimizer.variables], [*values, *state])

    problem.run_in_two(steps, optimizer)
    problem.check(variables)


# Inductor is slow; operations without a fake implementation already fail with "aot_eager".
COMPILERS = [
    *[pytest.param("aot_eager", name, marks=marks_of(name)) for name in OF_KERAS],
    *[("inductor", name) for name in ("SGD", "Adam", "Adafactor")],
]


@on_torch
@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "name"), COMPILERS)
def test_dynamo(compiler, name):
    import torch

    torch._dynamo.reset()
    problem = Problem(name, FEW_SHAPES)
    optimizer, variables = problem.make()

    @torch.compile(backend=compiler)
    def step(gradients):
        with torch.no_grad():
            optimizer.apply(gradients, variables)

    problem.run(lambda gradients: step(tensors(gradients)), optimizer)
    problem.check(variables)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory):
    """Weights of two replicas, by algorithm, replica and variable."""
    path = tmp_path_factory.mktemp("results") / "results.npz"
    settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(
        [sys.executable, TESTS / "helpers" / "mirrored_steps.py", path],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    with np.load(path) as results:
        return dict(results)


@on_tensorflow
@pytest.mark.slow
@each_algorithm
def test_two_replicas(name, replicas):
    problem = Problem(name, FEW_SHAPES)
    for replica in range(2):
        problem.check([replicas[f"{name}/{replica}/{n}"] for n in range(len(problem.shapes))])
