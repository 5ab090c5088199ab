"""Checks that a step gives the plain formula's weights wherever it runs."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from keras_optlab.testing.internals import BACKEND, run_plainly
from keras_optlab.testing.problem import (
    NotApplicable,
    Problem,
    arrays,
    first_line,
    take_steps,
    tensors,
)

# Enough variables of one shape for the engine to join or stack them.
MANY = {f"{kind}_{n}": shape for kind, shape in [("v", (7,)), ("m", (3, 5))] for n in range(9)}

# Large enough to be compiled separately, and on torch to be cut into blocks.
LARGE = {"large": (1100, 500) if BACKEND == "torch" else (300, 250)}

Step = Callable[[list[np.ndarray]], None]


def eager(problem: Problem) -> None:
    """Check `apply`, called eagerly."""
    with _running(problem, "eagerly, in `apply`"):
        optimizer, variables = problem.built()
        take_steps(optimizer, variables, problem.gradients)
        _compare(problem, variables)


def graph(problem: Problem) -> None:
    """Check a `tf.function` of single operations."""
    _only_on(problem, "tensorflow", "a graph without XLA")
    _check_compiled(problem, "in a `tf.function`", _tf_function(jit_compile=False))


def xla(problem: Problem) -> None:
    """Check a `tf.function` that XLA compiles, as in `fit` on a GPU."""
    _only_on(problem, "tensorflow", "`tf.function(jit_compile=True)`")
    _check_compiled(problem, "under XLA", _tf_function(jit_compile=True))


def jit(problem: Problem) -> None:
    """Check `jax.jit` of `stateless_apply`, as in Keras' trainer."""
    _only_on(problem, "jax", "`jax.jit`")
    _check_compiled(problem, "under `jax.jit`", _jax_step)


def unknown_shapes(problem: Problem) -> None:
    """Check a `tf.function` whose gradients have no static shape."""
    _only_on(problem, "tensorflow", "a gradient of unknown shape")
    import tensorflow as tf

    specs = [tf.TensorSpec([None] * len(shape), problem.dtype) for shape in problem.shapes.values()]
    _check_compiled(
        problem,
        "with gradients of unknown static shape",
        _tf_function(input_signature=[specs]),
        "Use `h.shape`, the shape of the whole variable, instead of `g.shape`.",
    )


def many_variables(problem: Problem) -> None:
    """Check many variables of one shape, which the engine may join or stack."""
    many = problem.like(shapes=MANY, steps=2)
    with _running(many, "with many variables of one shape"):
        optimizer, variables = many.built()
        take_steps(optimizer, variables, many.gradients)
        _compare(many, variables)


def large_variables(problem: Problem) -> None:
    """Check a large matrix, which the engine may cut into blocks or compile."""
    large = problem.like(shapes=LARGE, steps=2)
    _check_compiled(large, "with a large variable", compiled_step)


def set_while_compiled(problem: Problem) -> None:
    """Check that hyperparameters set after the step was compiled take effect.

    A hyperparameter without effect in these few steps, such as a bound never reached, passes.
    """
    if not problem.other_values:
        raise NotApplicable("none of its hyperparameters is a number")
    problem.must_be_comparable()
    optimizer, variables = problem.built()
    step = compiled_step(optimizer, variables)
    state = [*variables, *optimizer.variables]
    start = arrays(state)
    step(problem.gradients[0])
    for name, values in problem.other_values.items():
        value, expected = _with_effect(problem, name, values)
        for variable, held in zip(state, start, strict=True):
            variable.assign(held)
        setattr(optimizer, name, value)
        for gradient in problem.gradients:
            step(gradient)
        difference = problem.difference(arrays(variables), expected)
        if difference:
            raise problem.fault(
                f"setting `{name}` to {value} on a built optimizer gives other weights than "
                f"constructing one with it: {difference}. The formula uses a number computed from "
                f"it once, on build or in a trace, instead of reading `h.{name}`: compute per-step "
                "values in `derive`."
            )


def _with_effect(
    problem: Problem, name: str, values: list[float]
) -> tuple[float, list[np.ndarray]]:
    """Return a hyperparameter value that changes the weights, and the resulting weights."""
    *first_ones, last = values
    for value in first_ones:
        expected = problem.expected_with(**{name: value})
        is_finite = all(np.all(np.isfinite(each)) for each in expected)
        if is_finite and problem.difference(expected):
            return value, expected
    return last, problem.expected_with(**{name: last})


def compiled_fit(problem: Problem) -> None:
    """Check `fit` of a model compiled with `jit_compile=True`; on torch, by dynamo."""
    if BACKEND == "torch" and not (shutil.which("c++") or shutil.which("g++")):
        raise NotApplicable("`torch.compile` needs a C++ compiler")
    if BACKEND == "torch":
        import torch

        # After a few models, torch would silently stop compiling.
        torch.compiler.reset()
    problem.must_be_comparable()
    plain = _fitted(problem, run_plainly(problem.optimizer()), run_eagerly=BACKEND != "torch")
    with _running(problem, "in `fit` of a model with `jit_compile=True`"):
        found = _fitted(problem, problem.optimizer(), jit_compile=True)
        difference = problem.difference(found, plain)
        if difference:
            raise problem.fault(
                f"`fit` with `jit_compile=True` gives other weights than the plain formula: "
                f"{difference}."
            )


def _fitted(problem: Problem, optimizer: Any, **how: bool) -> list[np.ndarray]:
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(12, 6)), generator.normal(size=(12, 4))
    model = problem.model(optimizer, **{"jit_compile": False, **how})
    data = [np.asarray(each, "float32") for each in (x, y)]
    fit: Any = model.fit
    fit(*data, batch_size=6, epochs=2, shuffle=False, verbose=0)
    return arrays(model.trainable_variables)


# Steps


def compiled_step(optimizer: Any, variables: list[Any]) -> Step:
    """Return a step as a trainer compiles it; on torch, which does not, the eager step."""
    if BACKEND == "tensorflow":
        return _tf_function(jit_compile=False)(optimizer, variables)
    if BACKEND == "jax":
        return _jax_step(optimizer, variables)
    return lambda gradients: optimizer.apply(native(gradients), variables)


def native(gradients: list[Any]) -> list[Any]:
    """Convert gradients to tensors; leave sparse ones unchanged."""
    return [tensors([g])[0] if isinstance(g, np.ndarray) else g for g in gradients]


def _tf_function(**arguments: Any) -> Callable[[Any, list[Any]], Step]:
    def make(optimizer: Any, variables: list[Any]) -> Step:
        import tensorflow as tf

        function = tf.function(
            lambda gradients: optimizer.apply(gradients, variables), autograph=False, **arguments
        )
        return lambda gradients: function(native(gradients))

    return make


def _jax_step(optimizer: Any, variables: list[Any]) -> Step:
    import jax

    apply = jax.jit(optimizer.stateless_apply)

    def step(gradients: list[np.ndarray]) -> None:
        state = [variable.value for variable in optimizer.variables]
        values = [variable.value for variable in variables]
        values, state = apply(state, native(gradients), values)
        for variable, value in zip(
            [*variables, *optimizer.variables], [*values, *state], strict=True
        ):
            variable.assign(value)

    return step


def _check_compiled(
    problem: Problem, where: str, make: Callable[[Any, list[Any]], Step], hint: str = ""
) -> None:
    with _running(problem, where, hint):
        optimizer, variables = problem.built()
        step = make(optimizer, variables)
        for gradient in problem.gradients:
            step(gradient)
        _compare(problem, variables)


@contextlib.contextmanager
def _running(problem: Problem, where: str, hint: str = "") -> Iterator[None]:
    """Add to an error where it occurred, and its most common cause."""
    problem.must_be_comparable()
    # Run before the `try`: its errors are not those of the context.
    problem.take_plain_steps()
    try:
        yield
    except (AssertionError, NotApplicable):
        raise
    except Exception as error:
        hint = hint or (
            "Tensors have no values while a step is traced: write `ops.where(x > 0, a, b)` instead "
            "of `if x > 0`, and do not call `float(x)` or `x.numpy()`."
        )
        raise problem.fault(f"a step fails {where}: {first_line(error)}. {hint}") from error


def _compare(problem: Problem, variables: list[Any]) -> None:
    difference = problem.difference(arrays(variables))
    if difference:
        raise problem.fault(
            f"the weights differ from those of the plain formula: {difference}. The formula does "
            "something once per trace or call instead of once per variable and step: it may only "
            "compute from `g`, `p`, `s` and `h`."
        )


def _only_on(problem: Problem, backend: str, what: str) -> None:
    if backend != BACKEND:
        names = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "torch"}
        raise NotApplicable(
            f"{what} exists only on {names[backend]}, and the backend is {names[BACKEND]}"
        )
