"""The test kit reports each planted fault with the right message, and passes correct classes."""

import doctest
import inspect
import re
from functools import cache

import keras
import numpy as np
import pytest
from keras import ops
from selection import EXHAUSTIVE, KINDS, REPRESENTATIVE, quick

import keras_optlab
from keras_optlab import ParameterGroup, optimizers
from keras_optlab.arguments.domain import FRACTION, Domain
from keras_optlab.arguments.hyperparameter import hyperparameter, learning_rate
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.scope import Scope
from keras_optlab.engine.slots import Scalar, Slot
from keras_optlab.testing import NotApplicable, check_optimizer, optimizer_checks

BACKEND = keras.backend.backend()
NAMES = [name for name, _ in optimizer_checks(optimizers.SGD)]
# Compiled by dynamo, which takes ten seconds each time; `tests/contexts` covers it too.
SLOW = ("compiled_fit",) if BACKEND == "torch" else ()


class Healthy(Optimizer):
    """Gradient descent with momentum."""

    learning_rate: float = learning_rate(0.1)
    momentum: float = hyperparameter(0.9, FRACTION)
    scope = Scope.ELEMENT

    def slots(self, variable):
        return {"momentum": Slot()}

    def step(self, g, p, s, h):
        v = h.momentum * s.momentum + g
        return h.learning_rate * v, {"momentum": v}


class Counting(Healthy):
    """A correct class with everything: a scalar, a number per step, the whole variable."""

    scope = Scope.VARIABLE

    def scalars(self):
        return {"count": Scalar(0.0)}

    def derive(self, h):
        return {"rate": h.learning_rate / (h.count + 1)}

    def advance(self, state, sums, h):
        return {"count": state.count + 1}

    def step(self, g, p, s, h):
        v = h.momentum * s.momentum + g / (1 + ops.sqrt(ops.sum(ops.square(g))))
        return h.rate * v, {"momentum": v}


# One class for each fault. `FAULTS` has the check that finds it, and its message.


class NormClaimed(Healthy):
    def step(self, g, p, s, h):
        return super().step(g / (1 + ops.sqrt(ops.sum(ops.square(g)))), p, s, h)


class RowsNormalized(Healthy):
    """Uses the norm of each row, which is the same if only some rows of a table are updated."""

    scope = Scope.ROW

    def step(self, g, p, s, h):
        if len(g.shape):
            squares = ops.sum(ops.square(g), axis=tuple(range(1, len(g.shape))), keepdims=True)
            g = g / (1 + ops.sqrt(squares))
        return super().step(g, p, s, h)


class NormClaimedOfRows(NormClaimed):
    scope = Scope.ROW


class MeanInSlot(Healthy):
    def step(self, g, p, s, h):
        step, _ = super().step(g, p, s, h)
        return step, {"momentum": 0.5 * s.momentum + 0.5 * ops.mean(g) * ops.ones_like(g)}


class MatrixProductClaimed(Healthy):
    def step(self, g, p, s, h):
        if len(g.shape) == 2:
            g = g @ (ops.transpose(g) @ g)
        return super().step(g, p, s, h)


class ShapeClaimed(Healthy):
    def step(self, g, p, s, h):
        return super().step(g / np.sqrt(1 + np.prod(g.shape)), p, s, h)


class SmallSlotClaimed(Healthy):
    def slots(self, variable):
        return {"momentum": Slot(), "largest": Slot(shape=())}

    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return step, {**new_slots, "largest": s.largest + 1}


class SlotInPlace(Healthy):
    def step(self, g, p, s, h):
        s.momentum.mul_(h.momentum).add_(g)
        return h.learning_rate * s.momentum, {"momentum": s.momentum}


class GradientInPlace(Healthy):
    def step(self, g, p, s, h):
        g += 0.1 * p
        return super().step(g, p, s, h)


class HalfStep(Healthy):
    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return ops.cast(step, "float16"), new_slots


class HalfSlot(Healthy):
    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return step, {"momentum": ops.cast(new_slots["momentum"], "bfloat16")}


class Float32Always(Healthy):
    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return ops.cast(step, "float32"), new_slots


class StepOfOneNumber(Healthy):
    scope = Scope.VARIABLE

    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return ops.sum(step), new_slots


class UnknownSlot(Healthy):
    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return step, {**new_slots, "velocity": g}


class ForgottenSlot(Healthy):
    def step(self, g, p, s, h):
        return super().step(g, p, s, h)[0], {}


class NewParameterAlone(Healthy):
    def step(self, g, p, s, h):
        return p - h.learning_rate * g


class NeverMoves(Healthy):
    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return 0 * step, new_slots


class MatricesOnly(Healthy):
    scope = Scope.VARIABLE

    def step(self, g, p, s, h):
        return super().step(g * (ops.shape(g)[0] / ops.shape(g)[-1]), p, s, h)


class ZeroByZero(Healthy):
    scope = Scope.VARIABLE

    def step(self, g, p, s, h):
        return super().step(g / ops.sqrt(ops.sum(ops.square(g))), p, s, h)


class RandomNumbers(Healthy):
    def step(self, g, p, s, h):
        return super().step(g * (1 + np.random.rand()), p, s, h)


class KerasRandomNumbers(Healthy):
    def step(self, g, p, s, h):
        noise = keras.random.normal(tuple(g.shape), dtype=keras.backend.standardize_dtype(g.dtype))
        return super().step(g + noise, p, s, h)


class OwnGenerator(Healthy):
    def build(self, variables):
        vars(self)["generator"] = np.random.default_rng(0)
        super().build(variables)

    def step(self, g, p, s, h):
        return super().step(g * (1 + self.generator.random()), p, s, h)


class CountsInPython(Healthy):
    def apply(self, grads, trainable_variables=None):
        vars(self)["count"] = vars(self).get("count", 0) + 1
        super().apply([g / self.count for g in grads], trainable_variables)


class UnregisteredVariable(Healthy):
    def apply(self, grads, trainable_variables=None):
        if "count" not in vars(self):
            vars(self)["count"] = keras.Variable(0.0, trainable=False)
        self.count.assign(self.count + 1)
        count = ops.convert_to_tensor(self.count)
        super().apply([g / count for g in grads], trainable_variables)


class LosesMomentum(Healthy):
    def get_config(self):
        return {name: value for name, value in super().get_config().items() if name != "momentum"}


class UndeclaredArgument(Healthy):
    def __init__(self, damping=0.5, **kwargs):
        super().__init__(**kwargs)
        vars(self)["damping"] = damping


class HiddenArgument(Healthy):
    def __init__(self, **kwargs):
        damping = kwargs.pop("damping", 1.0)
        super().__init__(**kwargs)
        vars(self)["damping"] = damping

    def step(self, g, p, s, h):
        return super().step(g * self.damping, p, s, h)


class Anything(Domain):
    def describe(self):
        return "anything"

    def normalize(self, value):
        return value


class TakesAnything(Healthy):
    momentum: float = hyperparameter(0.9, Anything())


class ReadsOnce(Healthy):
    def build(self, variables):
        vars(self)["held"] = self.momentum
        super().build(variables)

    def step(self, g, p, s, h):
        v = self.held * s.momentum + g
        return h.learning_rate * v, {"momentum": v}


class BranchOnSum(Healthy):
    scope = Scope.VARIABLE

    def step(self, g, p, s, h):
        return super().step(g if float(ops.sum(g)) > 0 else 2 * g, p, s, h)


class BranchOnStepCount(Healthy):
    def step(self, g, p, s, h):
        return super().step(g if float(h.t) > 3 else 2 * g, p, s, h)


class OtherInTraces(Healthy):
    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return 1.1 * step if is_traced(g) else step, new_slots


def is_traced(tensor):
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.is_symbolic_tensor(tensor)
    if BACKEND == "jax":
        import jax

        return isinstance(tensor, jax.core.Tracer)
    # A long vector is several variables joined, or a block of a large one.
    return len(tensor.shape) == 1 and tensor.shape[0] > 24


class NeedsStaticShape(Healthy):
    def apply(self, grads, trainable_variables=None):
        grads = [g / (1 + sum(d + 0 for d in g.shape)) for g in grads]
        super().apply(grads, trainable_variables)


class ClaimsRest(Healthy):
    def rests_at_zero(self):
        return True


class LazyMovesAll(Healthy):
    def apply(self, grads, trainable_variables=None):
        super().apply(grads, trainable_variables)
        for variable in trainable_variables or self.built_on if self.lazy else ():
            variable.assign(variable * 0.5)


IN_PLACE = r"modifies {} in place, for `\w+`.*compute a new tensor"
CLAIM = r"`scope = Scope.ELEMENT` is wrong: {}.*`scope = Scope.VARIABLE`"
CLAIM_OF_ROWS = r"`scope = Scope.ROW` is wrong: the step of `matrix`.*by rows"
NOT_SAVED = r"saved after 3 steps.*state that is not saved.*`Slot`.*`Scalar`"
# The check that finds each class, and what its message must say.
FAULTS = {
    NormClaimed: ("claimed_scope", CLAIM.format("the step of `matrix`")),
    NormClaimedOfRows: ("claimed_scope", CLAIM_OF_ROWS),
    MeanInSlot: ("claimed_scope", CLAIM.format("the slot `momentum` of")),
    MatrixProductClaimed: ("claimed_scope", CLAIM.format("the step of `matrix`")),
    ShapeClaimed: ("claimed_scope", CLAIM.format(".*`g.shape` or `h.shape`")),
    SmallSlotClaimed: ("claimed_scope", CLAIM.format("the slot `largest`.* has shape \\(\\)")),
    HalfStep: ("plain_steps", "the step of `matrix` is float16, .*computes in float32"),
    HalfSlot: ("plain_steps", "the new slot `momentum` .* is bfloat16, .*in float32"),
    Float32Always: ("float64_variables", "the step of `matrix` is float32, .*in float64"),
    StepOfOneNumber: ("plain_steps", r"the step .* has shape \(\), expected \(6, 4\)"),
    UnknownSlot: ("plain_steps", "returns the new slot 'velocity', which is not declared"),
    ForgottenSlot: ("written_slots", "the slot 'momentum' is never written"),
    NewParameterAlone: ("plain_steps", "`step` must return a tuple"),
    NeverMoves: ("plain_steps", "no variable moves in 6 steps"),
    MatricesOnly: ("plain_steps", r"raises IndexError: .*`scalar`, a variable of shape \(\)"),
    ZeroByZero: ("zero_gradients", r"zero gradients, `matrix` contains a NaN.*`ops.where\(x > 0"),
    RandomNumbers: ("repeatable", "draws random numbers.*`h.t` or a `Scalar`"),
    KerasRandomNumbers: ("repeatable", "draws random numbers.*`h.t` or a `Scalar`"),
    OwnGenerator: ("saved_state", NOT_SAVED),
    CountsInPython: ("saved_state", NOT_SAVED),
    UnregisteredVariable: ("saved_state", NOT_SAVED),
    LosesMomentum: (
        "configuration",
        "not preserve `momentum`: expected .*, got 0.9. Leave `get_c",
    ),
    UndeclaredArgument: ("configuration", "takes `damping`, which is not declared"),
    TakesAnything: ("refused_values", "`momentum=nan` is accepted.*with a domain"),
    ReadsOnce: ("set_while_compiled", "setting `momentum` to .* instead of reading `h.momentum`"),
    BranchOnStepCount: (
        {"torch": "eager", "tensorflow": "graph", "jax": "jit"}[BACKEND],
        r"a step fails .*write `ops.where\(x > 0, a, b\)`",
    ),
    ClaimsRest: ("sparse_gradients|resting_rows", "a zero gradient changes nothing"),
    LazyMovesAll: ("lazy_rows", "with `lazy=True`, rows that are not looked up change in the weig"),
}
if BACKEND == "torch":
    FAULTS[SlotInPlace] = ("pure_step", IN_PLACE.format("the slot `momentum`"))
    FAULTS[GradientInPlace] = ("pure_step", IN_PLACE.format("the gradient `g`"))
else:
    # On torch, a formula that needs the whole variable runs eagerly.
    FAULTS[BranchOnSum] = FAULTS[BranchOnStepCount]
if BACKEND == "tensorflow":
    FAULTS[NeedsStaticShape] = ("unknown_shapes", "unknown static shape: .*Use `h.shape`")


@pytest.mark.parametrize("cls", FAULTS, ids=lambda cls: cls.__name__)
def test_a_planted_fault_is_reported(cls):
    check, message = FAULTS[cls]
    with pytest.raises(AssertionError, match=re.compile(message, re.DOTALL)) as caught:
        check_optimizer(cls)
    assert str(caught.value).startswith(f"{cls.__name__}(): ")
    found = re.search(r"Found by the check `(\w+)`", caught.value.__notes__[-1]).group(1)
    assert found in check.split("|")


def test_an_argument_that_no_configuration_has_is_reported():
    with pytest.raises(AssertionError, match=r"HiddenArgument\(damping=0.5\): .*declare it"):
        check_optimizer(HiddenArgument, damping=0.5)


# Checks that find these faults too, but run after another check that reports them.
ALSO = {
    "copied_state": (OwnGenerator, "by pickle or `copy.deepcopy`, trains to different weights"),
    "resting_rows": (ClaimsRest, "zero gradient changes nothing, but it changes the weights"),
    "sparse_gradients": (
        ClaimsRest,
        "a sparse gradient gives other weights than the equivalent",
    ),
}


@pytest.mark.parametrize("name", ALSO)
def test_a_check_reports_a_fault_by_itself(name):
    cls, message = ALSO[name]
    with pytest.raises(AssertionError, match=message):
        dict(optimizer_checks(cls))[name]()


CONTEXTS = {
    "tensorflow": ["graph", "xla", "unknown_shapes", "many_variables"],
    "jax": ["jit"],
    "torch": ["eager", "many_variables"],
}[BACKEND]


@pytest.mark.parametrize("name", [*CONTEXTS, "large_variables"])
def test_each_context_is_compared_with_the_plain_formula(name):
    with pytest.raises(AssertionError, match=r"from those of the plain formula: `.*` is off by"):
        dict(optimizer_checks(OtherInTraces))[name]()


@pytest.mark.skipif(BACKEND == "torch", reason="dynamo does not compile the optimizer")
def test_fit_is_compared_with_the_plain_formula():
    with pytest.raises(AssertionError, match="`fit` with `jit_compile=True` gives other weights"):
        dict(optimizer_checks(OtherInTraces))["compiled_fit"]()


@pytest.mark.parametrize("name", quick(NAMES, lambda name: name not in SLOW))
@pytest.mark.parametrize("cls", quick([Healthy, Counting, RowsNormalized], [Counting], EXHAUSTIVE))
def test_a_user_class_passes(cls, name):
    dict(optimizer_checks(cls))[name]()


# After one gradient, the factor of a matrix's longer axis has a null space. Its basis is arbitrary:
# rounding decides it.
ARGUMENTS = {"SOAP": {"largest_axis": 4}}


@cache
def checks_of(optimizer):
    """Return the checks of one of our classes; they share the results of the plain formula."""
    return dict(optimizer_checks(getattr(optimizers, optimizer), **ARGUMENTS.get(optimizer, {})))


# dynamo leaves the optimizer out of its trace, and takes ten seconds for the model around it.
OURS = [
    (optimizer, name)
    for optimizer in optimizers.__all__
    for name in NAMES
    if not (BACKEND == "torch" and name == "compiled_fit" and optimizer not in REPRESENTATIVE)
]


@pytest.mark.parametrize(
    ("optimizer", "name"),
    quick(
        quick(OURS, lambda optimizer, _: optimizer in KINDS, EXHAUSTIVE),
        lambda optimizer, name: optimizer == "Lamb" and name not in SLOW,
    ),
)
def test_our_classes_pass(optimizer, name):
    checks_of(optimizer)[name]()


GROUPS = [
    ParameterGroup("matrix", learning_rate_multiplier=0.5, beta_1=0.8),
    ParameterGroup("table", learning_rate_multiplier=0.0),
]
CONFIGURATIONS = {
    "decay": ("AdamW", {"weight_decay": 0.1}),
    "L2": ("Adam", {"weight_decay": 0.1, "decoupled_weight_decay": False, "amsgrad": True}),
    "clipping": ("SGD", {"momentum": 0.9, "nesterov": True, "global_clipnorm": 0.5}),
    "average": ("Lamb", {"use_ema": True, "ema_overwrite_frequency": 2, "weight_decay": 0.1}),
    "accumulation": ("RMSprop", {"gradient_accumulation_steps": 2, "momentum": 0.5}),
    "skip": ("Adagrad", {"nonfinite": "skip"}),
    "half": ("Adam", {"slot_dtype": "bfloat16"}),
    "groups": ("Adam", {"groups": GROUPS}),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("configuration", quick(CONFIGURATIONS, [], EXHAUSTIVE))
def test_our_classes_pass_with_arguments(configuration, name):
    optimizer, arguments = CONFIGURATIONS[configuration]
    dict(optimizer_checks(getattr(optimizers, optimizer), **arguments))[name]()


def test_skipped_checks_say_why():
    checks = dict(optimizer_checks(Counting))
    with pytest.raises(NotApplicable, match="its scope is VARIABLE, which claims nothing"):
        checks["claimed_scope"]()
    with pytest.raises(NotApplicable, match="it does not support `lazy=True`"):
        checks["lazy_rows"]()
    other = {"tensorflow": "jit", "jax": "xla", "torch": "graph"}[BACKEND]
    with pytest.raises(NotApplicable, match=r"only on (JAX|TensorFlow), and the backend is"):
        checks[other]()


@pytest.mark.skipif(bool(SLOW), reason="slow on torch, where the checks are tested one by one")
@pytest.mark.slow
def test_the_whole_kit_returns_skipped_checks():
    reasons = check_optimizer(Healthy, momentum=0.5)
    assert reasons["resting_rows"] == "`rests_at_zero` is not defined or returns False"
    expected = {"tensorflow": {"jit"}, "jax": {"graph", "xla", "unknown_shapes"}}[BACKEND]
    assert set(reasons) == {"pure_step", "resting_rows"} | expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "function", [optimizer_checks, *([] if SLOW else [check_optimizer])], ids=lambda f: f.__name__
)
def test_examples_run(function):
    names = {"keras_optlab": keras_optlab}
    text = inspect.getdoc(function)
    example = doctest.DocTestParser().get_doctest(text, names, function.__name__, None, None)
    output = []
    assert doctest.DocTestRunner().run(example, out=output.append).failed == 0, "".join(output)


def test_schedules_are_not_set():
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    checks = dict(optimizer_checks(optimizers.SGD, learning_rate=schedule))
    with pytest.raises(NotApplicable, match="none of its hyperparameters is a number"):
        checks["set_while_compiled"]()


@pytest.mark.parametrize("thing", [keras.optimizers.SGD, Healthy(), "adam"])
def test_only_subclasses_of_our_optimizer_can_be_checked(thing):
    with pytest.raises(TypeError, match="`cls` must be a subclass of keras_optlab's"):
        optimizer_checks(thing)
