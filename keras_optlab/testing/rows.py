"""Checks of sparse gradients, which hold only the rows of a table that were looked up."""

import keras
import numpy as np

from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.testing.contexts import compiled_step
from keras_optlab.testing.internals import lookup_gradient, numpy, run_plainly, slot_values
from keras_optlab.testing.problem import SHAPES, NotApplicable, Problem, arrays, take_steps

SHAPE = SHAPES["table"]
# Rows are looked up more than once, in one step but not in the next, and out of order.
LOOKUPS = [[5, 2, 5, 0], [7, 2, 2, 2], [6, 3, 7, 5]]


def _lookups(dtype: str = "float32") -> list[np.ndarray]:
    generator = np.random.default_rng(4)
    return [np.asarray(generator.normal(size=(len(rows), 3)), dtype) for rows in LOOKUPS]


def _dense(rows: list[int], values: np.ndarray) -> np.ndarray:
    gradient = np.zeros(SHAPE, values.dtype)
    np.add.at(gradient, rows, values)
    return gradient


def _table(problem: Problem) -> Problem:
    return problem.like(shapes={"table": SHAPE}, steps=len(LOOKUPS))


def _state(optimizer: Optimizer, table: keras.Variable) -> dict[str, np.ndarray]:
    """Return the values of a table and its slots, by description."""
    slots = {f"the slot `{name}`": value for name, value in slot_values(optimizer, 0).items()}
    return {"the weights": numpy(table), **slots}


def sparse_gradients(problem: Problem) -> None:
    """Check that a sparse gradient gives the same weights as the equivalent dense one."""
    problem.must_be_comparable()
    table = _table(problem)
    plain, expected = table.built(lazy=False)
    pairs = list(zip(LOOKUPS, _lookups(), strict=True))
    take_steps(run_plainly(plain), expected, [[_dense(*pair)] for pair in pairs])
    optimizer, variables = table.built(lazy=False)
    step = compiled_step(optimizer, variables)
    for rows, values in pairs:
        step([lookup_gradient(rows, values, SHAPE)])
    difference = table.difference(arrays(variables), arrays(expected))
    if difference:
        raise problem.fault(
            "a sparse gradient gives other weights than the equivalent dense gradient: "
            f"{difference}. If the class defines `rests_at_zero`, it may return True only if a "
            "zero gradient changes nothing."
        )


def resting_rows(problem: Problem) -> None:
    """Check that a zero gradient changes nothing if `rests_at_zero` says so."""
    table = _table(problem)
    optimizer, variables = table.built(weight_decay=0.0)
    if not (optimizer.rests_at_zero and optimizer.rests_at_zero()):
        raise NotApplicable("`rests_at_zero` is not defined or returns False")
    run_plainly(optimizer)
    take_steps(optimizer, variables, table.gradients)
    before = _state(optimizer, variables[0])
    take_steps(optimizer, variables, [[np.zeros(SHAPE, "float32")]])
    after = _state(optimizer, variables[0])
    for name, value in before.items():
        if not np.array_equal(value, after[name]):
            raise problem.fault(
                f"`rests_at_zero` says that a zero gradient changes nothing, but it changes "
                f"{name}. Rows of a table that are not looked up would be skipped: return False, "
                "or remove the method."
            )


def lazy_rows(problem: Problem) -> None:
    """Check that `lazy=True` updates the rows looked up as a dense gradient does, and no others."""
    transforms = problem.arguments.get("transforms", ())
    if any(each.acts_on_variables for each in transforms):
        raise NotApplicable("`lazy` and `transforms` are mutually exclusive")
    if not problem.cls.scope.is_within_rows or problem.cls.not_lazy:
        raise NotApplicable("it does not support `lazy=True`")
    if problem.arguments.get("gradient_accumulation_steps"):
        raise NotApplicable("`lazy` and `gradient_accumulation_steps` are mutually exclusive")
    table = _table(problem)
    rows, values = LOOKUPS[0], _lookups()[0]
    plain, expected = table.built(lazy=False)
    take_steps(run_plainly(plain), expected, [[_dense(rows, values)]])
    optimizer, variables = table.built(lazy=True)
    before = _state(optimizer, variables[0])
    compiled_step(optimizer, variables)([lookup_gradient(rows, values, SHAPE)])
    after = _state(optimizer, variables[0])
    others = [row for row in range(SHAPE[0]) if row not in rows]
    for name, value in before.items():
        if not np.array_equal(value[others], after[name][others]):
            raise problem.fault(
                f"with `lazy=True`, rows that are not looked up change in {name}. Set "
                '`not_lazy = "..."` to the reason why `lazy=True` is not supported.'
            )
    problem.must_be_comparable()
    found, whole = numpy(variables[0])[rows], numpy(expected[0])[rows]
    if not np.allclose(found, whole, rtol=1e-5, atol=1e-6):
        raise problem.fault(
            "with `lazy=True`, the rows looked up in the first step get other weights than with "
            "the equivalent dense gradient. Set "
            '`not_lazy = "..."` to the reason why `lazy=True` is not supported.'
        )
