"""Checks of a transform's hooks alone: what they return, leave unchanged and depend on."""

from types import SimpleNamespace
from typing import Any, NamedTuple, final

import keras
import numpy as np
from keras import ops

from keras_optlab.engine.scope import Scope
from keras_optlab.testing.internals import BACKEND, arithmetic_dtype, no_gradient, numpy
from keras_optlab.testing.internals import hooks_of as hooks_of_updates
from keras_optlab.testing.problem import NotApplicable, Problem, first_line, take_steps

# Allowed difference between a variable's parts and the whole, relative to the largest value.
ROUNDING = 1e-6


@final
class Hook(NamedTuple):
    """A hook, and its inputs for one variable.

    Args:
        name: `"gradient"`, `"step"` or `"parameter"`.
        variable: Name of the variable.
        transform: The transform that acts on it.
        tensors: The tensor that the hook changes, and the tensors passed along with it.
        slots: Its slots.
        h: The numbers.
    """

    name: str
    variable: str
    transform: Any
    tensors: tuple[Any, ...]
    slots: SimpleNamespace
    h: SimpleNamespace

    def __call__(self, tensors: tuple, slots: SimpleNamespace, h: SimpleNamespace) -> Any:
        with no_gradient():
            h = SimpleNamespace(**self.sums(tensors, slots, h) | vars(h))
            return getattr(self.transform, self.name)(*tensors, slots, h)

    def sums(self, tensors: tuple, slots: SimpleNamespace, h: SimpleNamespace) -> dict[str, Any]:
        """Return the sums of the passes before `step`."""
        found: dict[str, Any] = {}
        for each in self.transform.passes if self.name == "step" else ():
            found |= each.measure(self.transform, *tensors, slots, h)
        return found


def hooks_of(problem: Problem) -> list[Hook]:
    """Return the hooks of the problem's transform for each variable, after two steps."""
    transform = transform_of(problem)
    if transform.all_gradients and not transform.acts_on_variables:
        raise NotApplicable("the transform has no hook for variables, only `all_gradients`")
    optimizer, variables = problem.built()
    try:
        take_steps(optimizer, variables, problem.gradients[:2])
    except Exception:
        # The checks of the hook alone give a better error.
        optimizer, _ = problem.built()
    found = []
    for variable, gradient, each, slots, h in hooks_of_updates(optimizer, problem.gradients[2]):
        p = ops.convert_to_tensor(variable)
        given = {"gradient": (gradient, p), "step": (gradient, gradient, p), "parameter": (p, p)}
        for name, tensors in given.items():
            if getattr(each.transform, name) is not None:
                own = each.own(slots), each.numbers(h)
                found.append(Hook(name, variable.name, each.transform, tensors, *own))
    if not found:
        raise problem.fault(
            "the transform has no hook for any variable: define `gradient`, `step`, `parameter` or "
            "`all_gradients`."
        )
    return found


def transform_of(problem: Problem) -> Any:
    """Return the transform of the problem's optimizer."""
    return problem.arguments["transforms"][0]


def hook_of_all_gradients(problem: Problem) -> None:
    """Check that `all_gradients` keeps number, shapes and dtype, and changes no input."""
    hook = transform_of(problem).all_gradients
    if hook is None:
        raise NotApplicable("the transform has no hook `all_gradients`")
    optimizer, _ = problem.built()
    (placed,) = optimizer.engine.transforms
    h = placed.numbers(SimpleNamespace(**optimizer.engine.numbers.of_all_gradients(placed)))
    dtype = arithmetic_dtype(problem.dtype)
    given = [ops.cast(ops.convert_to_tensor(each), dtype) for each in problem.gradients[0]]
    before = [numpy(each) for each in given]
    try:
        with no_gradient():
            result = hook(list(given), h)
    except Exception as error:
        raise problem.fault(f"`all_gradients` raises {first_line(error)}.") from error
    if not isinstance(result, list) or len(result) != len(given):
        raise problem.fault(
            f"`all_gradients` must return a list of {len(given)} gradients, one for each input. "
            f"Received: {result!r}"
        )
    for n, (new, old) in enumerate(zip(result, before, strict=True)):
        found = tuple(new.shape), keras.backend.standardize_dtype(new.dtype)
        if found != (old.shape, dtype):
            raise problem.fault(
                f"`all_gradients` returns {found[1]} of shape {found[0]} for gradient {n}, "
                f"expected {dtype} of shape {old.shape}."
            )
        if not np.array_equal(old, numpy(given[n]), equal_nan=True):
            raise problem.fault(
                f"`all_gradients` modifies gradient {n} in place. Compute a new tensor."
            )


def hook_results(problem: Problem) -> None:
    """Check that hooks return a tensor of the same shape and dtype, and only declared slots."""
    for hook in hooks_of(problem):
        what = f"`{hook.name}` of `{hook.variable}`"
        try:
            result = hook(hook.tensors, hook.slots, hook.h)
        except Exception as error:
            raise problem.fault(f"{what} raises {first_line(error)}.") from error
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise problem.fault(
                f"{what} must return a tuple: the new {hook.name}, and a dictionary of the new "
                f"slots. Received: {result!r}"
            )
        value, new_slots = result
        unknown = set(new_slots) - set(vars(hook.slots))
        if unknown:
            raise problem.fault(
                f"{what} returns the new slot {sorted(unknown)[0]!r}, which is not declared: "
                f"`slots` has {sorted(vars(hook.slots))}."
            )
        expected = {"the result": (value, hook.tensors[0])}
        for name, new in new_slots.items():
            expected[f"the new slot `{name}`"] = new, getattr(hook.slots, name)
        for part, (new, like) in expected.items():
            dtype = keras.backend.standardize_dtype(new.dtype)
            found = tuple(new.shape), dtype
            if found != (tuple(like.shape), arithmetic_dtype(problem.dtype)):
                raise problem.fault(
                    f"{part} of {what} is {dtype} of shape {found[0]}, expected "
                    f"{arithmetic_dtype(problem.dtype)} of shape {tuple(like.shape)}."
                )


def pure_hooks(problem: Problem) -> None:
    """Check that no hook changes its inputs."""
    if BACKEND != "torch":
        raise NotApplicable(f"{BACKEND} tensors cannot be modified in place")
    for hook in hooks_of(problem):
        given = [*hook.tensors, *vars(hook.slots).values()]
        before = [numpy(tensor) for tensor in given]
        hook(hook.tensors, hook.slots, hook.h)
        for old, tensor in zip(before, given, strict=True):
            if not np.array_equal(old, numpy(tensor), equal_nan=True):
                raise problem.fault(
                    f"`{hook.name}` of `{hook.variable}` modifies its inputs in place. The engine "
                    "may run a hook more than once per step: compute a new tensor."
                )


def claimed_scope_of_hooks(problem: Problem) -> None:
    """Check that a transform that may be given parts of a variable gives the same for them.

    Such a transform claims `Scope.ELEMENT` or `Scope.ROW`, or takes its sums in passes.
    """
    may_be_cut = [
        hook
        for hook in hooks_of(problem)
        if hook.transform.scope.is_within_rows or hook.transform.passes
    ]
    if not may_be_cut:
        raise NotApplicable("its scope is VARIABLE, which claims nothing about parts of a variable")
    for hook in may_be_cut:
        by_rows = hook.transform.scope is Scope.ROW
        shape = tuple(hook.tensors[0].shape)
        size = sum(shape[:1]) if by_rows else int(np.prod(shape))
        if size < 2 or not np.prod(shape):
            continue
        whole, _ = hook(hook.tensors, hook.slots, hook.h)
        # By rows and with passes, `h` of a part has the shape of the whole, and the sums over it.
        sums = hook.sums(hook.tensors, hook.slots, hook.h)
        known = hook.h.shape if by_rows or hook.transform.passes else ()
        h = SimpleNamespace(**{**vars(hook.h), **sums, "shape": known})
        parts = []
        for part in (slice(0, size // 2), slice(size // 2, size)):

            def cut(value: Any, part: slice = part, by_rows: bool = by_rows) -> Any:
                array = numpy(value)
                return ops.convert_to_tensor((array if by_rows else array.ravel())[part])

            slots = SimpleNamespace(**{name: cut(x) for name, x in vars(hook.slots).items()})
            parts.append(numpy(hook(tuple(map(cut, hook.tensors)), slots, h)[0]).ravel())
        whole, found = numpy(whole).ravel(), np.concatenate(parts)
        if not np.all(np.abs(whole - found) <= ROUNDING * np.max(np.abs(whole))):
            claim, remedy = "", "compute all sums"
            if hook.transform.scope.is_within_rows:
                claim = f"`scope = {hook.transform.scope}` is wrong: "
                remedy = "set `scope = Scope.VARIABLE`, or compute sums"
            raise problem.fault(
                f"{claim}`{hook.name}` of `{hook.variable}` gives other results for the two halves "
                "of the variable than for the whole, and the engine may split it. The hook uses a "
                f"norm, a mean or a shape: {remedy} in a method marked `@sums()`."
            )
