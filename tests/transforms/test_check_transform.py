"""`check_transform` passes our transforms and a user's, and reports planted faults."""

from functools import cache

import keras
import numpy as np
import pytest
from keras import ops
from selection import EXHAUSTIVE, SLOW_ON_ONE, quick

from keras_optlab import optimizers, transforms
from keras_optlab.testing import NotApplicable, check_transform, transform_checks
from keras_optlab.transforms.base import (
    POSITIVE,
    Integer,
    Scope,
    Slot,
    Transform,
    argument,
    sums,
    total,
    when,
)

BACKEND = keras.backend.backend()
# Checks that take seconds each.
SLOW = ("compiled_fit", "large_variables", "many_variables", "set_while_compiled", "xla", "jit")
NAMES = [name for name, _ in transform_checks(transforms.Cautious)]


class Scaled(Transform):
    """Multiplies steps by a factor, and keeps the sum of the steps it gets."""

    factor: float = argument(POSITIVE, default=2.0)
    scope = Scope.ELEMENT

    def slots(self, variable):
        return {"sum": Slot()}

    def step(self, step, g, p, s, h):
        return self.factor * step, {"sum": s.sum + step}


class KeptSum(Scaled):
    """Adds a tenth of the sum of steps, which is refreshed every `period` steps."""

    period: int = argument(Integer(1), default=3)

    def slots(self, variable):
        return {"sum": Slot(), "kept": Slot()}

    def derive(self, h):
        return {"is_due": ops.equal(ops.mod(h.age, self.period), 0)}

    def step(self, step, g, p, s, h):
        return step + 0.1 * s.kept, {"sum": s.sum + step}

    @when(lambda h: h.is_due)
    def keep(self, step, g, p, s, h):
        return {"kept": s.sum}


class StepNormClaimed(Scaled):
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
    """Keeps a count that is not saved."""

    scope = Scope.VARIABLE

    def step(self, step, g, p, s, h):
        vars(self)["count"] = vars(self).get("count", 0) + 1
        return step * (1 + vars(self)["count"]), {"sum": s.sum + step}


class Normalized(Transform):
    """Scales all gradients by one factor, to a joint norm of `norm`."""

    norm: float = argument(POSITIVE, default=1.0)

    def all_gradients(self, gs, h):
        found = ops.sqrt(sum(ops.sum(ops.square(g)) for g in gs))
        return [g * (self.norm / (found + 1e-12)) for g in gs]


class LosesOne(Normalized):
    def all_gradients(self, gs, h):
        return super().all_gradients(gs, h)[1:]


class HalfGradients(Normalized):
    def all_gradients(self, gs, h):
        return [ops.cast(g, "float16") for g in gs]


class AllInPlace(Normalized):
    def all_gradients(self, gs, h):
        return [g.mul_(0.5) for g in gs]


FAULTS = {
    StepNormClaimed: r"`scope = Scope.ELEMENT` is wrong: `step` of `matrix`",
    NormBesideSums: r"`step` of `matrix` gives other results for the two halves",
    NoSlots: r"must return a tuple: the new step",
    Undeclared: r"returns the new slot 'total', which is not declared",
    OtherShape: r"the result of `step` of `matrix` is float32 of shape \(\)",
    NoHook: r"has no hook for any variable",
    LosesOne: r"`all_gradients` must return a list of 5 gradients",
    HalfGradients: r"`all_gradients` returns float16 of shape",
}
if BACKEND == "torch":
    FAULTS[InPlace] = r"modifies its inputs in place"
    FAULTS[AllInPlace] = r"`all_gradients` modifies gradient 0 in place"
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


# One that acts on the step, and one that acts on the parameter.
KINDS = ("Cautious", "Lookahead")


@pytest.mark.parametrize(
    ("name", "check"),
    quick(
        quick(OURS, KINDS, EXHAUSTIVE),
        lambda name, check: name == "Lookahead" and check not in SLOW,
        SLOW_ON_ONE,
    ),
)
def test_our_transforms_pass(name, check):
    checks_of(name)[check]()


@pytest.mark.slow
@pytest.mark.parametrize("cls", [Scaled, KeptSum])
def test_a_user_transform_passes(cls):
    reasons = check_transform(cls, factor=0.5)
    assert "hook_results" not in reasons


@pytest.mark.slow
def test_one_that_sees_all_gradients_passes():
    reasons = check_transform(Normalized)
    assert "hook_of_all_gradients" not in reasons
    assert "no hook for variables" in reasons["hook_results"]


@pytest.mark.parametrize("jit_compile", ["auto", True])
@pytest.mark.parametrize("shape", [(600, 500), (4,)])
def test_periodic_work_is_done_when_it_is_due(shape, jit_compile):
    variables = [keras.Variable(np.zeros(shape, "float32")) for _ in range(2)]
    optimizer = optimizers.SGD(0.5, transforms=[KeptSum()], jit_compile=jit_compile)
    optimizer.build(variables)
    weight = total_of_steps = kept = 0.0
    for t in range(1, 8):
        optimizer.apply([ops.ones(shape)] * 2, variables)
        weight -= 0.5 + 0.1 * kept
        total_of_steps += 0.5
        kept = total_of_steps if t % 3 == 0 else kept
        for variable in variables:
            np.testing.assert_allclose(ops.convert_to_numpy(variable), weight, rtol=1e-5)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_reported(fault):
    with pytest.raises(AssertionError, match=FAULTS[fault]):
        check_transform(fault)


def test_a_sum_of_a_transform_is_of_a_step_over_a_variable():
    with pytest.raises(ValueError, match=r"`@sums\(\)` needs a `step` hook.*\. Received: Whole"):

        class Whole(Scaled):
            @sums(over=Scope.MODEL)
            def size(self, step, g, p, s, h):
                return {"square": total(ops.square(step))}


def test_anything_but_a_transform_is_refused():
    with pytest.raises(TypeError, match=r"a subclass of keras_optlab's `Transform`\. Received: "):
        check_transform(keras.optimizers.SGD)


def test_skipped_checks_say_why():
    if BACKEND != "torch":
        with pytest.raises(NotApplicable, match="cannot be modified in place"):
            checks_of("Cautious")["pure_hooks"]()
