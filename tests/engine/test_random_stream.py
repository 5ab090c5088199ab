"""Random numbers of a formula: the same wherever it runs and after a resume, yet random."""

import pickle
import zlib
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats
from selection import EXHAUSTIVE, quick
from steps import BACKEND, train

from keras_optlab import optimizers
from keras_optlab.engine.random_stream import hand_in, key_of_step
from keras_optlab.optimizers.base import (
    NON_NEGATIVE,
    Optimizer,
    Scope,
    Slot,
    hyperparameter,
    learning_rate,
    sums,
    when,
)
from keras_optlab.testing import check_optimizer, check_transform, optimizer_checks
from keras_optlab.transforms.base import Transform

# It compiles with dynamo, which takes ten seconds.
SLOW = ("compiled_fit",) if BACKEND == "torch" else ()


class AnnealedNoise(Optimizer):
    """Gradient descent with noise that fades away (Neelakantan et al., 2015)."""

    learning_rate: float = learning_rate(0.1)
    variance: float = hyperparameter(0.3, NON_NEGATIVE)
    draws = True

    def slots(self, variable):
        return {}

    def derive(self, h):
        return {"deviation": ops.sqrt(h.variance) / h.t**0.275}

    def step(self, g, p, s, h):
        return h.learning_rate * (g + h.deviation * h.random.normal()), {}


class Uniform(Optimizer):
    """Writes its draws into the variables."""

    learning_rate: float = learning_rate(0.1)
    draws = True

    def slots(self, variable):
        return {}

    def step(self, g, p, s, h):
        return p - h.random.uniform(), {}


class Normal(Uniform):
    def step(self, g, p, s, h):
        return p - h.random.normal(), {}


class InAllHooks(AnnealedNoise):
    """Draws in a pass, in periodic work and twice in the step."""

    def slots(self, variable):
        return {"measured": Slot(), "now_and_then": Slot(), "first": Slot(), "second": Slot()}

    @sums()
    def measure(self, g, p, s, h):
        return {"total": ops.sum(g * h.random.uniform())}, {"measured": h.random.uniform()}

    @when(lambda h: ops.equal(h.t, 2.0))
    def now_and_then(self, g, p, s, h):
        return {"now_and_then": h.random.uniform()}

    def step(self, g, p, s, h):
        step = h.learning_rate * (g + h.total * h.random.normal(()) + s.measured + s.now_and_then)
        return step, {"first": h.random.uniform(), "second": h.random.uniform()}


class NoisyGradient(Transform):
    draws = True

    def slots(self, variable):
        return {"seen": Slot()}

    def gradient(self, g, p, s, h):
        g = g + h.random.normal()
        return g, {"seen": g}


class Measuring(Optimizer):
    """Measures the gradient's norm in an extra pass, for which transforms run again."""

    learning_rate: float = learning_rate(0.1)

    def slots(self, variable):
        return {"measured": Slot(), "stepped": Slot()}

    @sums()
    def measure(self, g, p, s, h):
        return {"norm": ops.sqrt(ops.sum(ops.square(g)))}, {"measured": g * 1.0}

    def step(self, g, p, s, h):
        return h.learning_rate * g / (1.0 + h.norm), {"stepped": g * 1.0}


# The same numbers in NumPy


def scrambled(bits):
    """The hash "lowbias32"."""
    bits = np.asarray(bits, "uint32").copy()
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
        bits ^= bits >> np.uint32(shift)
        bits *= np.uint32(factor)
    return bits


def plus(bits, number):
    return (np.asarray(bits, "uint64") + np.uint64(int(number) % 2**32)).astype("uint32")


def numpy_uniform(seed, step, variable, hook, draw, shape):
    key = np.array([0x243F6A88, 0x13198A2E], "uint32")
    salt = (zlib.crc32(hook.encode()) - 2**31) % 2**32
    for number in (seed, step, variable, salt, draw):
        key = scrambled(plus(key, number))
    index = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    bits = scrambled(plus(scrambled(plus(index, key[0])), key[1]))
    return (bits & np.uint32(0xFFFFFF)) / 2.0**24


def numpy_normal(*counters, shape):
    first, second = (numpy_uniform(*counters, draw, shape) for draw in (0, 1))
    return np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * np.pi * second)


def test_the_first_numbers_of_a_seed():
    expected = [0.11818093061447144, 0.8469268679618835, 0.09422844648361206, 0.6912434697151184]
    assert numpy_uniform(1, 1, 0, "step", 0, (4,)).tolist() == expected
    assert ops.convert_to_numpy(stream().uniform()[:4]).tolist() == expected
    expected = [-0.2372192321, 1.7969674861, 0.4346052665, -0.9403981044]
    np.testing.assert_allclose(ops.convert_to_numpy(stream().normal()[:4]), expected, atol=2e-6)


# Small variables of one shape, which may share a call, others, and one that is compiled alone.
SHAPES = [(7,)] * 9 + [(), (0, 3), (3, 5), (3, 5), (300, 250)]


def written(optimizer, how, steps=2, dtype="float32"):
    """Return the weights after some steps with random seed 1."""
    optimizer.extra_state.restore({"random_seed": np.float32(1.0)})
    start = [np.zeros(shape, dtype) for shape in SHAPES]
    if how != "eager":
        return train(optimizer, start, [start] * steps, jit_compile=how == "XLA")
    variables = [keras.Variable(value, dtype=dtype) for value in start]
    for _ in range(steps):
        optimizer.apply([ops.convert_to_tensor(value) for value in start], variables)
    return [ops.convert_to_numpy(variable) for variable in variables]


CONTEXTS = {
    "tensorflow": ["eager", "compiled", "XLA"],
    "jax": ["eager", "compiled"],
    "torch": ["eager"],
}[BACKEND]


@pytest.mark.parametrize("jit_compile", ["auto", False])
@pytest.mark.parametrize("how", quick(CONTEXTS, ["eager"]))
def test_numbers_are_those_of_numpy_in_all_contexts(how, jit_compile):
    found = written(Uniform(jit_compile=jit_compile), how)
    for n, (shape, value) in enumerate(zip(SHAPES, found, strict=True)):
        np.testing.assert_array_equal(value, numpy_uniform(1, 2, n, "step", 0, shape))
    found = written(Normal(jit_compile=jit_compile), how)
    for n, (shape, value) in enumerate(zip(SHAPES, found, strict=True)):
        expected = numpy_normal(1, 2, n, "step", shape=shape)
        np.testing.assert_allclose(value, expected, rtol=0, atol=3e-6)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason='other backends compile with "auto", see above')
def test_numbers_are_those_of_numpy_in_a_compiled_formula():
    found = written(Uniform(jit_compile=True), "eager")
    for n, (shape, value) in enumerate(zip(SHAPES, found, strict=True)):
        np.testing.assert_array_equal(value, numpy_uniform(1, 2, n, "step", 0, shape))


def test_float64_variables_get_the_same_numbers_in_float64(float64):
    for n, value in enumerate(written(Normal(), "eager", dtype="float64")):
        assert value.dtype == "float64"
        expected = numpy_normal(1, 2, n, "step", shape=SHAPES[n])
        np.testing.assert_allclose(value, expected, rtol=0, atol=3e-6)


@pytest.mark.parametrize("how", quick(quick(CONTEXTS, ["eager", "compiled"], EXHAUSTIVE), []))
def test_each_hook_and_each_draw_has_its_own_numbers(how):
    optimizer = InAllHooks()
    written(optimizer, how)
    for n, shape in enumerate(SHAPES):
        slots = {
            name: ops.convert_to_numpy(x) for name, x in optimizer.engine.plans[n].slots.items()
        }
        drawn = {
            # In the step, `normal` comes first and takes two draws.
            "first": ("step", 2),
            "second": ("step", 3),
            "measured": ("measure", 1),
            "now_and_then": ("now_and_then", 0),
        }
        for name, (hook, draw) in drawn.items():
            expected = numpy_uniform(1, 2, n, hook, draw, shape)
            np.testing.assert_array_equal(slots[name], expected)


@pytest.mark.slow
def test_a_hook_that_is_run_again_gets_the_same_numbers():
    optimizer = Measuring(transforms=[NoisyGradient()])
    written(optimizer, CONTEXTS[-1])
    for n, shape in enumerate(SHAPES):
        slots = {
            name: ops.convert_to_numpy(x) for name, x in optimizer.engine.plans[n].slots.items()
        }
        expected = numpy_normal(1, 2, n, "noisy_gradient.gradient", shape=shape)
        for name in ("measured", "stepped", "noisy_gradient.seen"):
            np.testing.assert_allclose(slots[name], expected, rtol=0, atol=3e-6)


def test_steps_beyond_float32_integers_differ():
    optimizer, variable = Uniform(), keras.Variable(np.zeros(3, "float32"))
    optimizer.build([variable])
    optimizer.iterations.assign(2**25)
    found = []
    for _ in range(2):
        optimizer.apply([np.zeros(3, "float32")], [variable])
        found.append(ops.convert_to_numpy(variable).tolist())
    assert found[0] != found[1]


# Quality

MANY = (200_000,)


def stream(seed=1, step=1, variable=0, hook="step", shape=MANY):
    key = key_of_step(ops.convert_to_tensor(float(seed)), ops.convert_to_tensor(step))
    slots = {"stream_number": ops.convert_to_tensor(float(variable))}
    h = SimpleNamespace(shape=shape, stream_key=key)
    hand_in(SimpleNamespace(**slots), h, "float32")
    return h.random.of_hook(hook)


@pytest.mark.parametrize("seed", [0, 1, 2**24 - 1])
@pytest.mark.parametrize("distribution", ["uniform", "normal"])
def test_numbers_are_distributed_as_they_should_be(distribution, seed):
    reference = {"uniform": stats.uniform, "normal": stats.norm}[distribution]
    x = ops.convert_to_numpy(getattr(stream(seed), distribution)()).astype("float64")
    assert stats.kstest(x, reference.cdf).pvalue > 1e-3
    # Within four standard deviations of these estimates.
    fourth = {"uniform": 1 / 80, "normal": 3.0}[distribution]
    error = 4 / np.sqrt(x.size)
    assert abs(x.mean() - reference.mean()) < error * reference.std()
    assert abs(x.var() - reference.var()) < error * np.sqrt(fourth - reference.var() ** 2)
    if distribution == "uniform":
        assert 0 <= x.min() < 1e-4 < 1 - 1e-4 < x.max() < 1


def draws_of(streams, draws=1):
    return [ops.convert_to_numpy(each.normal()) for each in streams for _ in range(draws)]


@pytest.mark.parametrize("what", ["seed", "step", "variable", "hook", "draw", "element"])
def test_numbers_next_to_each_other_are_not_correlated(what):
    if what == "draw":
        rows = draws_of([stream()], 8)
    elif what == "hook":
        rows = draws_of([stream(hook=name) for name in ("step", "measure", "a", "b")])
    elif what == "element":
        rows = [np.roll(draws_of([stream()])[0], shift) for shift in range(8)]
    else:
        rows = draws_of([stream(**{what: number}) for number in range(8)])
    for shift in (0, 1):
        rolled = np.array([np.roll(row, shift * 3 * n) for n, row in enumerate(rows)])
        for numbers in (rolled, rolled**2):
            correlations = np.corrcoef(numbers) - np.eye(len(rows))
            assert np.max(np.abs(correlations)) < 5 / np.sqrt(MANY[0])


# The seed


def test_two_variables_of_one_shape_get_different_noise():
    start = [np.ones((4, 5), "float32")] * 2
    first, second = train(AnnealedNoise(), start, [start])
    assert np.all(first != second)


def test_the_seed_is_fixed_by_keras():
    start = [np.ones((4, 5), "float32")]
    found = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(seed)
        found.append(train(AnnealedNoise(), start, [start] * 3)[0])
    np.testing.assert_array_equal(found[0], found[1])
    assert np.all(found[0] != found[2])


def test_a_seed_is_kept_only_where_something_draws():
    for optimizer, is_kept in (
        (optimizers.SGD(), False),
        (optimizers.SGD(transforms=[NoisyGradient()]), True),
        (AnnealedNoise(), True),
    ):
        optimizer.build([keras.Variable([1.0])])
        assert ("random_seed" in optimizer.extra_state.variables) == is_kept


def model(optimizer):
    network = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(3)]
    )
    network.compile(optimizer=optimizer, loss="mse")
    return network


def fit(network, steps):
    x = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
    network.fit(x, x[:, ::-1], batch_size=4, epochs=steps, shuffle=False, verbose=0)
    return network.get_weights()


MAKE = {
    "algorithm": AnnealedNoise,
    "transform": partial(optimizers.Adam, 1e-2, transforms=[NoisyGradient()]),
}


@pytest.mark.parametrize("name", quick(MAKE, []))
def test_training_resumed_from_a_file_has_the_same_numbers(name, tmp_path):
    make = MAKE[name]
    keras.utils.set_random_seed(1)
    straight = fit(model(make()), 5)
    keras.utils.set_random_seed(1)
    stopped = model(make())
    fit(stopped, 2)
    stopped.save(tmp_path / "model.keras")
    stopped.save_weights(tmp_path / "model.weights.h5")
    keras.utils.set_random_seed(2)
    resumed = keras.saving.load_model(tmp_path / "model.keras")
    for found, expected in zip(fit(resumed, 3), straight, strict=True):
        np.testing.assert_array_equal(found, expected)
    resumed = model(make())
    resumed.optimizer.build(resumed.trainable_variables)
    resumed.load_weights(tmp_path / "model.weights.h5")
    for found, expected in zip(fit(resumed, 3), straight, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)
def test_a_pickled_optimizer_goes_on_with_the_same_numbers(make):
    start = [np.ones((4, 5), "float32"), np.ones((5,), "float32")]

    def steps(optimizer, variables, count):
        for _ in range(count):
            optimizer.apply([ops.convert_to_tensor(value) for value in start], variables)
        return [np.array(ops.convert_to_numpy(variable)) for variable in variables]

    optimizer, variables = make(), [keras.Variable(value) for value in start]
    halfway = steps(optimizer, variables, 2)
    copy, copies = pickle.loads(pickle.dumps(optimizer)), map(keras.Variable, halfway)
    for found, expected in zip(
        steps(copy, list(copies), 3), steps(optimizer, variables, 3), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


# Class declarations, and the test kit


@pytest.mark.parametrize("base", [Optimizer, Transform], ids=lambda base: base.__name__)
def test_a_formula_that_draws_cannot_be_elementwise(base):
    with pytest.raises(
        ValueError, match=r"Expected `scope = Scope.VARIABLE` in Own.*Received: .*Remove `scope`"
    ):
        type("Own", (base,), {"draws": True, "scope": Scope.ELEMENT})


def test_a_class_that_is_elementwise_cannot_be_made_to_draw():
    with pytest.raises(ValueError, match="if a base class sets another"):
        type("NoisySGD", (optimizers.SGD,), {"draws": True})


NAMES = [name for name, _ in optimizer_checks(AnnealedNoise) if name not in SLOW]


IN_A_TRACE = {"tensorflow": "xla", "jax": "jit", "torch": "many_variables"}[BACKEND]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cls", "name"),
    quick(
        [(cls, name) for cls in (AnnealedNoise, InAllHooks) for name in NAMES],
        lambda cls, name: name in (IN_A_TRACE, "saved_state", "repeatable"),
        EXHAUSTIVE,
    ),
)
def test_the_kit_passes_formulas_that_use_the_stream(cls, name):
    dict(optimizer_checks(cls))[name]()


@pytest.mark.slow
def test_the_kit_passes_a_transform_that_draws_from_the_stream():
    check_transform(NoisyGradient)


class OtherNumbers(AnnealedNoise):
    def step(self, g, p, s, h):
        step, new_slots = super().step(g, p, s, h)
        return step + keras.random.normal(h.shape, dtype="float32"), new_slots


class OtherSeed(AnnealedNoise):
    """Forgets its seed when it is saved."""

    def build(self, variables):
        super().build(variables)
        self.extra_state.variables.pop("random_seed", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (OtherNumbers, "draw from `h.random`"),
        (OtherSeed, "saved after 3 steps.*state that is not saved.*draw it from `h.random`"),
    ],
)
def test_the_kit_finds_other_numbers_after_a_resume(cls, message):
    with pytest.raises(AssertionError, match=message):
        check_optimizer(cls)
