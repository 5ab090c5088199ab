"""`check_transform` passes our transforms and a user's, and reports planted faults."""

from functools import cache

import keras
import pytest
from keras import ops
from selection import quick

from keras_optlab import transforms
from keras_optlab.testing import NotApplicable, check_transform, transform_checks
from keras_optlab.transforms.base import POSITIVE, Scope, Slot, Transform, argument, sums, total

BACKEND = keras.backend.backend()
# Those of which each check takes seconds.
SLOW = ("compiled_fit", "large_variables", "many_variables", "set_while_compiled", "xla", "jit")
NAMES = [name for name, _ in transform_checks(transforms.Cautious)]


class Scaled(Transform):
    """Multiplies steps by a number, and keeps their sum."""

    factor: float = argument(POSITIVE, default=2.0)
    scope = Scope.ELEMENT

    def slots(self, variable):
        return {"sum": Slot()}

    def step(self, step, g, p, s, h):
        return self.factor * step, {"sum": s.sum + step}


class NormClaimed(Scaled):
    def step(self, step, g, p, s, h):
        return step / (1 + ops.sqrt(ops.sum(ops.square(step)))), {"sum": s.sum}


class NormBesideSums(Transform):
    @sums()
    def size(self, step, g, p, s, h):
        return {"square": total(ops.square(step))}

    def step(self, step, g, p, s, h):
        return step / (1 + h.square + ops.sqrt(ops.sum(ops.square(step)))), {}


class NoSlots(Scaled):
    def step(self, step, g, p, s, h):
        return step


class Undeclared(Scaled):
    def step(self, step, g, p, s, h):
        return step, {"total": s.sum}


class OtherShape(Scaled):
    def step(self, step, g, p, s, h):
        return ops.sum(step), {"sum": s.sum}


class NoHook(Transform):
    pass


class InPlace(Scaled):
    def step(self, step, g, p, s, h):
        step *= 2
        return step, {"sum": s.sum}


class Counts(Scaled):
    """Keeps a number that no file has."""

    scope = Scope.VARIABLE

    def step(self, step, g, p, s, h):
        vars(self)["count"] = vars(self).get("count", 0) + 1
        return step * (1 + vars(self)["count"]), {"sum": s.sum + step}


FAULTS = {
    NormClaimed: r"`scope = Scope.ELEMENT` is wrong: `step` of `matrix`",
    NormBesideSums: r"`step` of `matrix` gives something else for the two halves",
    NoSlots: r"must return a tuple: what it changes",
    Undeclared: r"returns the new slot 'total', which is not declared",
    OtherShape: r"its result of `step` of `matrix` is float32 of shape \(\)",
    NoHook: r"has no hook for any variable",
}
if BACKEND == "torch":
    FAULTS[InPlace] = r"changes in place what it is given"
else:
    FAULTS[Counts] = r"differs between two runs from the same state"


@cache
def checks_of(name):
    return dict(transform_checks(getattr(transforms, name)))


# dynamo leaves the optimizer out of its trace, and takes ten seconds for the model around it.
OURS = [
    (name, check)
    for name in transforms.__all__
    for check in NAMES
    if not (BACKEND == "torch" and check == "compiled_fit" and name != "Lookahead")
]


@pytest.mark.parametrize(
    ("name", "check"), quick(OURS, lambda name, check: name == "Lookahead" and check not in SLOW)
)
def test_our_transforms_pass(name, check):
    checks_of(name)[check]()


@pytest.mark.slow
def test_a_transform_of_the_users_passes():
    reasons = check_transform(Scaled, factor=0.5)
    assert "hook_results" not in reasons


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_reported(fault):
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_transform(fault)


def test_a_sum_of_a_transform_is_of_a_step_over_a_variable():
    with pytest.raises(ValueError, match=r"`@sums\(\)` goes with a hook `step`\. Received: Whole"):

        class Whole(Scaled):
            @sums(over=Scope.MODEL)
            def size(self, step, g, p, s, h):
                return {"square": total(ops.square(step))}


def test_what_is_no_transform_is_refused():
    with pytest.raises(TypeError, match=r"a subclass of keras_optlab's `Transform`\. Received: "):
        check_transform(keras.optimizers.SGD)


def test_what_cannot_run_says_why():
    if BACKEND != "torch":
        with pytest.raises(NotApplicable, match="cannot be changed in place"):
            checks_of("Cautious")["pure_hooks"]()
