"""Common code of the everyday uses: algorithms, modes, and assertions about training.

Each test in `tests/everyday` is one thing that Keras users do with an optimizer, for every
algorithm, with and without `jit_compile`. It does what a user does, and ends with an assertion that
could fail. Set `EVERYDAY_WITH=keras` to run the built-ins instead: all uses must pass with them, or
they say nothing about ours.
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
from keras_versions import OF_KERAS
from selection import EXHAUSTIVE
from selection import KINDS as ALL_KINDS

from keras_optlab import optimizers
from keras_optlab.conversion import built_in

BACKEND = keras.backend.backend()
WITH_BUILT_INS = os.environ.get("EVERYDAY_WITH") == "keras"
MODULE = keras.optimizers if WITH_BUILT_INS else optimizers
ALGORITHMS = [name for name in OF_KERAS if hasattr(MODULE, name)]

# For uses where the formula hardly matters: one without slots, one that is elementwise, one that
# needs whole variables, and one that trains and evaluates at different points.
FEW = [name for name in ("SGD", "Adam", "Adafactor", "ScheduleFreeAdamW") if name in ALGORITHMS]
# Of these, one that is elementwise, and one that trains and evaluates at different points.
TWO = [name for name in ("Adam", "ScheduleFreeAdamW") if name in ALGORITHMS]

# All classes run compiled in `test_check_optimizer.py`, and the exhaustive tests run every use with
# every class.
KINDS = [name for name in ALL_KINDS if name in ALGORITHMS]

# Learning rates at which the small problems of these tests are learned in a few steps.
RATES = {"SGD": 0.1, "Adadelta": 30.0, "Ftrl": 0.5, "Lion": 0.02, "RMSprop": 0.02}
RATE = 0.05

# Execution modes that `jit_compile=False` and `True` select in `model.compile`.
MODES = {
    "tensorflow": ("graph", "xla"),
    "jax": ("eager", "xla"),
    "torch": ("eager", "dynamo"),
}[BACKEND]

ours_only = pytest.mark.skipif(WITH_BUILT_INS, reason="Keras has nothing like it")


# Final weights of the built-ins by use and algorithm; both modes share them.
references: dict[tuple[str, str], list[np.ndarray]] = {}


def use(
    algorithms: Iterable[str] = ALGORITHMS,
    quick: bool = False,
    compiled: tuple[bool, ...] = (False, True),
    compiled_for: Iterable[str] = TWO,
    dynamo: Iterable[str] = (),
) -> pytest.MarkDecorator:
    """Run a test with each algorithm, in each mode.

    Args:
        algorithms: Names of the algorithms to run.
        quick: Whether the test is cheap enough to always run with Adam and SGD.
        compiled: Values of `jit_compile`; only one where the use leaves Keras nothing to compile.
        compiled_for: Names of the algorithms for which `jit_compile=True` is not left to the
            exhaustive tests.
        dynamo: Names of the algorithms to compile on torch, where compiling takes about twenty
            seconds.

    Returns:
        A decorator for a test that takes `make_optimizer`, a function of the constructor's
        arguments with a suitable learning rate, and `jit_compile`.
    """
    cells = []
    for name in algorithms:
        make_optimizer = partial(getattr(MODULE, name), learning_rate=RATES.get(name, RATE))
        for jit_compile in compiled:
            if jit_compile and BACKEND == "torch" and name not in dynamo:
                continue
            is_core = quick and not jit_compile and name in ("Adam", "SGD")
            is_chosen = name in chosen_for(jit_compile, compiled_for)
            marks = () if is_core else pytest.mark.slow if is_chosen else EXHAUSTIVE
            label = f"{name}-{MODES[jit_compile]}"
            cells.append(pytest.param(make_optimizer, jit_compile, id=label, marks=marks))
    return pytest.mark.parametrize(("make_optimizer", "jit_compile"), cells)


def chosen_for(jit_compile: bool, compiled_for: Iterable[str]) -> Iterable[str]:
    """Return the algorithms that a mode does not leave to the exhaustive tests; see `use`."""
    if BACKEND == "torch":
        return ALGORITHMS if jit_compile else KINDS
    return compiled_for if jit_compile else FEW


def assert_learns(model: keras.Model, *data: Any, **fit_arguments: Any) -> keras.callbacks.History:
    """Assert that in `fit` the loss falls, and all trainable weights move and stay finite."""
    before = {weight.path: numpy(weight) for weight in model.trainable_variables}
    arguments = {"epochs": 3, "verbose": 0, "shuffle": False, **fit_arguments}
    if len(data) == 2:
        arguments = {"batch_size": 16, **arguments}
    history = model.fit(*data, **arguments)
    losses = history.history["loss"]
    assert np.all(np.isfinite(losses)) and losses[-1] < losses[0]
    for weight in model.trainable_variables:
        after = numpy(weight)
        assert np.all(np.isfinite(after))
        # A model without an input shape has no weights before `fit`.
        if before:
            assert np.any(after != before[weight.path]), f"{weight.path} has not moved"
    return history


def assert_as_built_in(make_optimizer: partial, train: Callable[..., list], jit_compile: bool):
    """Assert that training ends at the weights of the built-in, run eagerly.

    Args:
        make_optimizer: The test's argument.
        train: Function of `make_optimizer` and arguments of `compile` that trains and returns the
            weights.
        jit_compile: The test's argument.
    """
    ours = train(make_optimizer, jit_compile=jit_compile)
    counterpart = built_in(make_optimizer.func) if not WITH_BUILT_INS else make_optimizer.func
    # Keras' schedule-free averages are wrong from the first step on.
    if counterpart is None or counterpart.__name__ == "ScheduleFreeAdamW":
        assert all(np.isfinite(weights).all() for weights in ours)
        return
    key = train.__qualname__, counterpart.__name__
    if key not in references:
        make_reference = partial(counterpart, **make_optimizer.keywords)
        references[key] = train(make_reference, run_eagerly=True)
    for one, other in zip(ours, references[key], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def numpy(value: Any) -> np.ndarray:
    """Return a copy of a variable's or tensor's value."""
    return np.array(keras.ops.convert_to_numpy(value))


def state(optimizer: Any) -> list[np.ndarray]:
    """Return the values of all variables of an optimizer."""
    return [numpy(variable) for variable in optimizer.variables]


def assert_same(ones: list[np.ndarray], others: list[np.ndarray]) -> None:
    """Assert that two lists of arrays hold the same numbers, up to rounding."""
    for one, other in zip(ones, others, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
