"""Checks of the formula alone: what it returns, leaves unchanged and depends on."""

from contextlib import AbstractContextManager, nullcontext
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_optlab.testing.internals import (
    BACKEND,
    Call,
    arithmetic_dtype,
    no_gradient,
    numbers_of,
    numpy,
    run_plainly,
    slot_values,
    with_fixed_seed,
)
from keras_optlab.testing.problem import (
    SHAPES,
    NotApplicable,
    Problem,
    arrays,
    first_line,
    take_steps,
)

# Allowed difference between a variable's parts and the whole, relative to the largest value.
ROUNDING = 1e-6

# Variables that are checked in float64 too.
IN_FLOAT64 = ("matrix", "vector", "scalar")


def plain_steps(problem: Problem) -> None:
    """Check that plain steps have the right shapes and dtype, are finite, and move a variable."""
    _check_calls(problem)
    for name, value in zip(problem.names, problem.expected, strict=True):
        if not np.all(np.isfinite(value)):
            raise problem.fault(f"`{name}` is not finite after {problem.steps} steps.")
    pairs = zip(problem.start, problem.expected, strict=True)
    if all(np.array_equal(start, end) for start, end in pairs):
        raise problem.fault(
            f"no variable moves in {problem.steps} steps, so nothing can be checked. `step` must "
            "return what to subtract from the parameter: check that neither it nor the learning "
            "rate is zero."
        )


def _check_calls(problem: Problem) -> None:
    calls: list[Call] = []
    optimizer, variables = problem.built()
    failure = None
    try:
        take_steps(run_plainly(optimizer, calls), variables, problem.gradients)
    except Exception as error:
        failure = error
    # The result of a call may be the cause of the error.
    for call in calls:
        _check_result(problem, call)
    if failure is not None:
        where = "".join(f", for {note}" for note in getattr(failure, "__notes__", ()))
        raise problem.fault(
            f"a step raises {first_line(failure)}{where}. It must work for variables of any shape, "
            "including scalars and empty ones."
        ) from failure


def pure_step(problem: Problem) -> None:
    """Check that `step` changes none of its inputs."""
    if BACKEND != "torch":
        raise NotApplicable(f"{BACKEND} tensors cannot be modified in place")
    for call in problem.calls:
        after = numbers_of(call.given)
        for name, value in call.before.items():
            if not np.array_equal(value, after[name], equal_nan=True):
                raise problem.fault(
                    f"`step` modifies {name} in place, for `{call.name}`. The engine reads the "
                    "inputs of `step` again, and tensors of other backends are immutable: compute "
                    "a new tensor (`x = x * 2`, not `x *= 2` or `x.mul_(2)`)."
                )


def _check_result(problem: Problem, call: Call) -> None:
    _, parameter, slots, _ = call.given
    dtype = arithmetic_dtype(problem.dtype)
    results = {"the step": (call.step, parameter)}
    results |= {
        f"the new slot `{name}`": (value, getattr(slots, name))
        for name, value in call.new_slots.items()
    }
    for what, (value, like) in results.items():
        if not ops.is_tensor(value):
            raise problem.fault(
                f"{what} of `{call.name}` must be a tensor. Received: {value!r}. Return a tensor "
                "of the expected shape, such as `ops.zeros_like(p)`."
            )
        found, expected = tuple(value.shape), tuple(like.shape)
        if found != expected:
            raise problem.fault(
                f"{what} of `{call.name}` has shape {found}, expected {expected}. Sums and means "
                "have fewer dimensions than the variable: broadcast them, or declare a slot of "
                "their shape, `Slot(shape=...)`."
            )
        found = keras.backend.standardize_dtype(value.dtype)
        if found != dtype:
            raise problem.fault(
                f"{what} of `{call.name}` is {found}, but the formula computes in {dtype}. Some "
                "operation changes the dtype: a tensor created without `dtype=p.dtype`, a cast, or "
                "a function such as `keras.ops.maximum`, which returns float32 for float64 on "
                "torch."
            )


def written_slots(problem: Problem) -> None:
    """Check that each declared slot is written for at least one variable."""
    optimizer, variables = problem.built()
    declared = {name for n in range(len(variables)) for name in slot_values(optimizer, n)}
    # A slot may exist only for its starting value.
    written = {name for plan in optimizer.engine.plans for name in plan.starts}
    take_steps(run_plainly(optimizer, written=written), variables, problem.gradients)
    missing = declared - written
    if missing:
        raise problem.fault(
            f"the slot {sorted(missing)[0]!r} is never written. Return its new value from `step`, "
            "or do not declare it in `slots`."
        )


def float64_variables(problem: Problem) -> None:
    """Check that float64 variables are updated in float64, whatever `keras.config.floatx()` is."""
    with double_precision():
        shapes = {name: shape for name, shape in SHAPES.items() if name in IN_FLOAT64}
        precise = problem.like(shapes=shapes, steps=2, dtype="float64")
        _check_calls(precise)
        problem.must_be_comparable()
        optimizer, variables = precise.built()
        take_steps(optimizer, variables, precise.gradients)
        difference = precise.difference(arrays(variables))
        if difference:
            raise problem.fault(
                f"`apply` updates float64 variables differently from the plain formula: "
                f"{difference}. Part of the formula computes in float32."
            )


def double_precision() -> AbstractContextManager:
    """Return a context in which JAX has float64, which the other backends always have."""
    if BACKEND != "jax":
        return nullcontext()
    import jax

    if not hasattr(jax, "enable_x64"):
        raise NotApplicable("JAX before 0.8 supports float64 only with JAX_ENABLE_X64=1")
    return jax.enable_x64(True)


def zero_gradients(problem: Problem) -> None:
    """Check that zero gradients leave everything finite, even at zero weights."""
    zeros = [np.zeros_like(value) for value in problem.start]
    for where in ("random weights", "zero weights", "trained weights"):
        optimizer, variables = problem.built()
        if where == "zero weights":
            for variable, value in zip(variables, zeros, strict=True):
                variable.assign(value)
        run_plainly(optimizer)
        if where == "trained weights":
            take_steps(optimizer, variables, problem.gradients)
        take_steps(optimizer, variables, [zeros, zeros])
        for number, (name, variable) in enumerate(zip(problem.names, variables, strict=True)):
            values = {f"`{name}`": numpy(variable)}
            # Slots of an empty variable may hold means over nothing, which are never read.
            if numpy(variable).size:
                slots = slot_values(optimizer, number).items()
                values |= {f"the slot `{slot}` of `{name}`": value for slot, value in slots}
            for what, value in values.items():
                if not np.all(np.isfinite(value.astype("float64"))):
                    raise problem.fault(
                        f"after steps from {where} with zero gradients, {what} contains a NaN or "
                        "an infinity. A divisor is zero, as happens when all inputs of a layer are "
                        "zero or a variable is initialized to zero: add an epsilon, or divide by "
                        "`ops.where(x > 0, x, 1.0)`."
                    )


def repeatable(problem: Problem) -> None:
    """Check that two runs from one state with the same gradients give the same weights."""
    again = problem.expected_with()
    for name, first, second in zip(problem.names, problem.expected, again, strict=True):
        if not np.array_equal(first, second):
            raise problem.fault(
                f"`{name}` differs between two runs from the same state with the same gradients. "
                "The formula draws random numbers (`numpy.random`, or `keras.random` without a "
                "seed) or reads state from outside the optimizer, so training cannot be resumed or "
                "compiled. Set `draws = True` and draw from `h.random`, or compute such numbers "
                "from saved state: `h.t` or a `Scalar`."
            )


def clone(problem: Problem) -> None:
    """Check that an optimizer made by `from_config(get_config())` takes the same steps."""
    optimizer = with_fixed_seed(problem.cls.from_config(problem.optimizer().get_config()))
    variables = problem.variables()
    take_steps(run_plainly(optimizer), variables, problem.gradients)
    difference = problem.difference(arrays(variables))
    if difference:
        raise problem.fault(
            f"the optimizer from `from_config(get_config())` trains to different weights: "
            f"{difference}. An argument is missing from the configuration: declare it "
            "(`hyperparameter`, `option`)."
        )


def claimed_scope(problem: Problem) -> None:
    """Check that parts of a variable, where `scope` allows them, give the results of the whole."""
    calls = [call for call in problem.last_calls if call.elementwise or call.takes_rows]
    if not calls:
        reason = (
            "but other parts of the update need the whole variable"
            if problem.cls.scope.is_within_rows
            else "which claims nothing about parts of a variable"
        )
        raise NotApplicable(f"its scope is {problem.cls.scope.name}, {reason}")
    optimizer, _ = problem.built()
    for call in calls:
        _, parameter, slots, _ = call.given
        rows = tuple(parameter.shape)[:1]
        for name, slot in vars(slots).items():
            found, expected = tuple(slot.shape), tuple(parameter.shape)
            if (found[:1] != rows) if not call.elementwise else (found != expected):
                raise problem.fault(
                    f"`scope = {problem.cls.scope}` is wrong: the slot `{name}` of `{call.name}` "
                    f"has shape {found}, which does not match the variable's shape {expected}. Set "
                    "`scope = Scope.VARIABLE`."
                )
        size = int(np.prod(parameter.shape)) if call.elementwise else sum(rows)
        if size and call.elementwise:
            _check_parts(problem, optimizer, call, [slice(0, size)])
        if size > 1 and int(np.prod(parameter.shape)):
            _check_parts(problem, optimizer, call, [slice(0, size // 2), slice(size // 2, size)])


def _check_parts(problem: Problem, optimizer: Any, call: Call, parts: list[slice]) -> None:
    gradient, parameter, slots, h = call.given
    # A vector of elements from many variables has no meaningful shape.
    shape = () if call.elementwise else h.shape
    numbers = SimpleNamespace(**{**vars(h), "shape": shape})
    how = "flattened" if call.elementwise else "by rows"
    if len(parts) > 1:
        how = f"in {len(parts)} parts, {how}"
    steps, new_slots = [], []
    for part in parts:

        def cut(value: Any, part: slice = part) -> Any:
            array = numpy(value)
            return ops.convert_to_tensor((array.ravel() if call.elementwise else array)[part])

        own = SimpleNamespace(**{name: cut(slot) for name, slot in vars(slots).items()})
        try:
            with no_gradient():
                step, new = optimizer.step(cut(gradient), cut(parameter), own, numbers)
        except Exception as error:
            raise problem.fault(
                f"`scope = {problem.cls.scope}` is wrong: `step` fails when it gets `{call.name}` "
                f"{how}: {first_line(error)}. Set `scope = Scope.VARIABLE`."
            ) from error
        steps.append(numpy(step))
        new_slots.append({name: numpy(value) for name, value in new.items()})
    # A step may be the difference between the parameter and a value of similar size.
    last_place = 2 * np.spacing(np.max(np.abs(numpy(parameter))))
    joined = {"the step": (call.step, steps, last_place)}
    for name, value in call.new_slots.items():
        joined[f"the slot `{name}`"] = (value, [new[name] for new in new_slots], 0.0)
    for what, (value, parts_of_it, rounding) in joined.items():
        whole, found = numpy(value).ravel(), np.concatenate([part.ravel() for part in parts_of_it])
        limit = ROUNDING * np.max(np.abs(whole), initial=0.0) + rounding
        if whole.shape != found.shape or not np.all(np.abs(whole - found) <= limit):
            raise problem.fault(
                f"`scope = {problem.cls.scope}` is wrong: {what} of `{call.name}` differs when "
                f"`step` gets the variable {how}, as the engine may pass it. The formula uses a "
                "norm, a mean, a matrix product, `g.shape` or `h.shape`: set `scope = "
                "Scope.VARIABLE`, or compute sums in a method marked `@sums()`."
            )
