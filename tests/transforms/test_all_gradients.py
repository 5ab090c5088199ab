"""A transform that sees all gradients of a step can do what Keras' `global_clipnorm` does."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_optlab import ParameterGroup, optimizers
from keras_optlab.transforms.base import POSITIVE, Transform, argument, maximum

SLOW = pytest.mark.slow
MODES = {
    "tensorflow": [False, pytest.param(True, marks=SLOW)],
    "jax": [pytest.param(False, marks=SLOW), True],
    "torch": [False],
}


class Limited(Transform):
    """Scales all gradients down to a joint norm of at most `limit`."""

    limit: float = argument(POSITIVE, default=0.05)

    def derive(self, h):
        return {"limit": self.limit * h.t / h.t}

    def all_gradients(self, gs, h):
        norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in gs))
        return [g * (h.limit / maximum(norm, h.limit)) for g in gs]


class TooFew(Limited):
    def all_gradients(self, gs, h):
        return gs[1:]


class OfOtherShape(Limited):
    def all_gradients(self, gs, h):
        return [ops.sum(g) for g in gs]


def trained(optimizer, embeds=False, **compiled):
    """Return the weights before and after some steps of `fit`."""
    random = np.random.default_rng(0)
    # No row appears twice in a batch: Keras on TensorFlow would take the norm before summing.
    rows = np.concatenate([random.permutation(40)[:24] for _ in range(6)]).reshape(48, 3)
    x = rows if embeds else random.normal(size=(48, 4))
    y = 5 * random.normal(size=(48, 1))
    keras.utils.set_random_seed(1)
    first = [layers.Embedding(40, 8), layers.Flatten()] if embeds else [layers.Dense(8)]
    model = keras.Sequential([*first, layers.Dense(1)])
    model.build((None, *x.shape[1:]))
    before = model.get_weights()
    model.compile(optimizer, "mse", **compiled)
    model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return before, model.get_weights()


def assert_same_way(ours, theirs):
    for start, a, b in zip(ours[0], ours[1], theirs[1], strict=True):
        distance = np.abs(b - start).max()
        assert distance > 0
        assert np.abs(a - b).max() <= 1e-5 * distance


@pytest.mark.parametrize("jit_compile", MODES[keras.backend.backend()])
@pytest.mark.parametrize("arguments", [{}, {"gradient_accumulation_steps": 2}])
def test_it_clips_as_the_built_in_does(arguments, jit_compile):
    ours = optimizers.Adam(0.01, transforms=[Limited()], **arguments)
    theirs = keras.optimizers.Adam(0.01, global_clipnorm=0.05, **arguments)
    assert_same_way(
        trained(ours, jit_compile=jit_compile), trained(theirs, jit_compile=jit_compile)
    )
    # Variables are updated as without the transform, for example by torch's kernels.
    assert not ours.engine.plans[0].formula.transforms


def test_it_sees_the_rows_that_are_looked_up():
    ours = optimizers.SGD(1.0, transforms=[Limited()], lazy=True)
    theirs = keras.optimizers.SGD(1.0, global_clipnorm=0.05)
    assert_same_way(trained(ours, embeds=True), trained(theirs, embeds=True))


def test_its_arguments_come_after_clipping_in_a_file_and_a_copy():
    ours = optimizers.SGD(0.1, clipvalue=0.01, transforms=[Limited(0.02)])
    copied = optimizers.SGD.from_config(ours.get_config())
    assert list(copied.transforms) == [Limited(0.02)]
    variable = keras.Variable(np.zeros(4, "float32"))
    for optimizer in (ours, copied):
        variable.assign(np.zeros(4))
        optimizer.apply([ops.convert_to_tensor(np.array([9.0, 0, 0, 0], "float32"))], [variable])
        # Clipped to 0.01, which is below the limit.
        np.testing.assert_allclose(ops.convert_to_numpy(variable), [-0.001, 0, 0, 0], rtol=1e-6)


def test_half_precision_does_not_overflow():
    variable = keras.Variable(np.zeros(2), dtype="float16")
    optimizer = optimizers.SGD(1.0, transforms=[Limited(1.0)])
    gradient = ops.convert_to_tensor(np.array([3000.0, 4000.0], "float16"))
    optimizer.apply([gradient], [variable])
    expected = np.array([-0.6, -0.8], "float16")
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), expected)


def test_groups_do_not_reach_it():
    variables = [keras.Variable(np.zeros(1, "float32"), name=name) for name in ("a", "b")]
    group = ParameterGroup("b", learning_rate_multiplier=0.5)
    optimizer = optimizers.SGD(1.0, groups=[group], transforms=[Limited(1.0)])
    optimizer.apply([ops.ones(1) * 3, ops.ones(1) * 4], variables)
    found = [float(ops.convert_to_numpy(variable)[0]) for variable in variables]
    np.testing.assert_allclose(found, [-0.6, -0.4], rtol=1e-6)


@pytest.mark.parametrize("cls", [TooFew, OfOtherShape])
def test_other_gradients_than_it_gets_are_refused(cls):
    variables = [keras.Variable(np.zeros(3, "float32")) for _ in range(2)]
    optimizer = optimizers.SGD(0.1, transforms=[cls()])
    with pytest.raises(ValueError, match=r"`all_gradients` must return a list with one gradient"):
        optimizer.apply([ops.ones(3)] * 2, variables)
