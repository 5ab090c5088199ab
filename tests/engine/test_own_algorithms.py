"""A custom optimizer class runs its formula, whatever its name and wherever it runs."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_optlab.arguments.domain import FRACTION
from keras_optlab.arguments.hyperparameter import hyperparameter, learning_rate
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.passes import when
from keras_optlab.engine.scope import Scope
from keras_optlab.engine.slots import Slot

# Small variables of one shape, which are joined or stacked, and one that is cut into blocks.
SHAPES = [(7,)] * 12 + [(3, 5)] * 2 + [(1200, 600)]


def named(name):
    """Return a class called `name`, whose step is three times that of SGD with momentum."""

    class Own(Optimizer):
        learning_rate: float = learning_rate(0.5)
        momentum: float = hyperparameter(0.9, FRACTION)
        scope = Scope.ELEMENT

        def slots(self, variable):
            return {"momentum": Slot(), "velocity": Slot(), "accumulator": Slot()}

        def step(self, g, p, s, h):
            v = h.momentum * s.momentum + 3 * h.learning_rate * g
            kept = {"velocity": s.velocity, "accumulator": s.accumulator}
            return v, {"momentum": v, **kept}

    Own.__name__ = Own.__qualname__ = name
    Own.step.__qualname__ = f"{name}.step"
    return Own


class Normalized(Optimizer):
    """Gradient descent along the normalized gradient; declares no scope."""

    learning_rate: float = learning_rate(0.5)

    def slots(self, variable):
        return {}

    def step(self, g, p, s, h):
        return h.learning_rate * g / ops.sqrt(ops.sum(ops.square(g))), {}


def run(optimizer, steps=2):
    """Return the start, the gradients, and the weights after steps with the same gradients."""
    generator = np.random.default_rng(0)
    start = [generator.normal(size=shape).astype("float32") for shape in SHAPES]
    gradients = [generator.normal(size=shape).astype("float32") for shape in SHAPES]
    variables = [keras.Variable(value.copy()) for value in start]
    for _ in range(steps):
        optimizer.apply([ops.convert_to_tensor(g) for g in gradients], variables)
    return start, gradients, [ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize("name", ["SGD", "Adam", "Adagrad"])
def test_a_user_class_keeps_its_formula(name):
    start, gradients, found = run(named(name)())
    for w, g, end in zip(start, gradients, found, strict=True):
        # v is 1.5 g after one step and (0.9 + 1) 1.5 g after two.
        np.testing.assert_allclose(end, w - 1.5 * g - 2.85 * g, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("jit_compile", ["auto", False])
def test_a_formula_with_a_norm_gets_the_whole_variable(jit_compile):
    start, gradients, found = run(Normalized(jit_compile=jit_compile))
    for w, g, end in zip(start, gradients, found, strict=True):
        step = g.astype("float64") / np.linalg.norm(g.astype("float64"))
        np.testing.assert_allclose(end, w - step, rtol=2e-6, atol=2e-6)


def test_lazy_is_refused_with_variable_scope():
    with pytest.raises(
        ValueError, match=r"Normalized does not support `lazy`: .*Received: lazy=True"
    ):
        Normalized(lazy=True)


def test_state_of_a_user_class_is_not_taken_for_ours(tmp_path):
    from keras_optlab import optimizers

    saved = named("Lion")(0.1)
    saved.build([keras.Variable(np.zeros(3, "float32"))])
    contents = {}
    saved.extra_state.save_own_variables(contents)
    ours = optimizers.Lion()
    ours.build([keras.Variable(np.zeros(3, "float32"))])
    with pytest.raises(ValueError, match=r"`Lion.update`\. Received: .*`custom>Lion.update`"):
        ours.extra_state.load_own_variables(contents)


class Kept(Optimizer):
    """Stores its momentum every third step: elementwise, with a branch."""

    learning_rate: float = learning_rate(0.5)
    scope = Scope.ELEMENT

    def slots(self, variable):
        return {"momentum": Slot(), "kept": Slot()}

    def derive(self, h):
        return {"is_due": ops.equal(ops.mod(h.t, 3.0), 0)}

    def step(self, g, p, s, h):
        return h.learning_rate * (g + s.kept), {"momentum": s.momentum + g}

    @when(lambda h: h.is_due)
    def keep_momentum(self, g, p, s, h):
        return {"kept": s.momentum}


@pytest.mark.parametrize("jit_compile", ["auto", True])
@pytest.mark.parametrize("shape", [(600, 500), (4,)])
def test_an_elementwise_formula_may_have_periodic_work(shape, jit_compile):
    variables = [keras.Variable(np.zeros(shape, "float32")) for _ in range(2)]
    optimizer = Kept(jit_compile=jit_compile)
    optimizer.build(variables)
    for _ in range(4):
        optimizer.apply([ops.ones(shape)] * 2, variables)
    # Four gradients of 1, and in the fourth step also the momentum kept after the third.
    for variable in variables:
        np.testing.assert_allclose(ops.convert_to_numpy(variable), -0.5 * (4 + 3), rtol=1e-6)


def test_periodic_work_takes_the_whole_table():
    with pytest.raises(ValueError, match="does not support `lazy`: it has periodic work"):
        Kept(lazy=True)


def test_a_marked_method_may_not_hide_an_inherited_one():
    with pytest.raises(TypeError, match=r"needs a name .* Hiding\.keep\. Give it"):

        class Hiding(Kept):
            @when(lambda h: h.is_due)
            def keep(self, g, p, s, h):
                return {}
