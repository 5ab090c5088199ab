"""Training of bfloat16 and float16 variables tracks that of float32 ones."""

import keras
import numpy as np
import pytest
from keras import ops
from selection import quick
from sklearn.datasets import load_digits
from steps import compiled_step

from keras_optlab import optimizers
from keras_optlab.engine import rounding

DTYPES = ("float32", "bfloat16", "float16")
ARGUMENTS = {
    **{name: (name, {}) for name in optimizers.__all__},
    "momentum": ("SGD", {"momentum": 0.9}),
    "AMSGrad": ("Adam", {"amsgrad": True}),
}


def as_float32(variable):
    return np.array(ops.convert_to_numpy(ops.cast(variable, "float32")))


def quadratic(optimizer, steps=300):
    """Return the final mean squared distance from a noisy quadratic's minimum, for each dtype.

    One optimizer trains a variable of each dtype, each on gradients at its current value.
    """
    random = np.random.default_rng(0)
    start, minimum = random.normal(size=(2, 128))
    variables = [keras.Variable(start, dtype=dtype, name=dtype) for dtype in DTYPES]
    optimizer.build(variables)
    step = compiled_step(optimizer, variables)
    for _ in range(steps):
        noise = random.normal(size=128) * 0.1
        gradients = [(as_float32(variable) - minimum + noise) for variable in variables]
        pairs = zip(gradients, DTYPES, strict=True)
        step([ops.convert_to_tensor(gradient, dtype) for gradient, dtype in pairs])
    optimizer.finalize_variable_values(variables)
    return [float(np.mean(np.square(as_float32(v) - minimum))) for v in variables]


@pytest.mark.parametrize("name", quick(ARGUMENTS, ["Adam", "ScheduleFreeAdamW"]))
def test_runs_track_float32(name):
    cls, arguments = ARGUMENTS[name]
    full, *half = quadratic(getattr(optimizers, cls)(learning_rate=3e-3, **arguments))
    for distance in half:
        assert abs(distance - full) <= 0.1 * full + 0.002


@pytest.mark.parametrize("name", quick(["SGD", "Adam", "Lamb"], ["Adam"]))
def test_runs_track_float32_with_stochastic_rounding(name):
    keras.utils.set_random_seed(5)
    full, *half = quadratic(getattr(optimizers, name)(3e-3, rounding="stochastic"))
    for distance in half:
        assert abs(distance - full) <= 0.1 * full + 0.002


def test_nearest_rounding_loses_what_the_others_keep():
    full, half, _ = quadratic(optimizers.Adam(3e-3, rounding="nearest"), steps=100)
    assert half > full + 0.1


@pytest.mark.parametrize(
    "name", quick(["Adam", "SGD", "AdamW", "momentum", "Nadam"], ["Adam", "momentum"])
)
def test_a_bfloat16_run_is_the_float32_run_on_the_same_gradients(name):
    """Variable and compensation together hold all bits of a float32 weight."""
    cls, arguments = ARGUMENTS[name]
    random = np.random.default_rng(3)
    start = random.normal(size=64).astype("float32")
    start = as_float32(ops.cast(start, "bfloat16"))
    gradients = as_float32(ops.cast(random.normal(size=(50, 64)), "bfloat16"))
    results = []
    for dtype in ("float32", "bfloat16"):
        optimizer = getattr(optimizers, cls)(1e-4, **arguments)
        variable = keras.Variable(start, dtype=dtype, name="w")
        for gradient in gradients:
            optimizer.apply([ops.convert_to_tensor(gradient, dtype)], [variable])
        results.append(variable)
    np.testing.assert_array_equal(
        as_float32(ops.cast(results[0], "bfloat16")), as_float32(results[1])
    )


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_compensation_restores_the_number(dtype):
    # float16 ends at 65504; below 6e-5, both it and its remainder are evenly spaced.
    exponents = (-30, 30) if dtype == "bfloat16" else (-6, 4)
    random = np.random.default_rng(1)
    sizes = 10.0 ** random.uniform(*exponents, size=10_000)
    numbers = (random.choice([-1, 1], size=10_000) * sizes).astype("float32")
    rounded, missing = rounding.compensated(ops.convert_to_tensor(numbers), dtype)
    assert keras.backend.standardize_dtype(rounded.dtype) == dtype
    restored = as_float32(rounding.restored(rounded, missing))
    if dtype == "bfloat16":
        np.testing.assert_array_equal(restored, numbers)
    else:
        np.testing.assert_allclose(restored, numbers, rtol=2.0**-22, atol=2.0**-36)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_compensation_leaves_special_numbers_alone(dtype):
    numbers = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], "float32")
    pair = rounding.compensated(ops.convert_to_tensor(numbers), dtype)
    np.testing.assert_array_equal(as_float32(rounding.restored(*pair)), numbers)


def test_a_weight_that_is_set_is_not_made_nan_by_compensation():
    variable = keras.Variable(np.full(4, 0.3), dtype="bfloat16", name="w")
    optimizer = optimizers.SGD(1e-4)
    for gradient in (1.0, -1.0, 0.3):
        optimizer.apply([ops.full((4,), gradient, dtype="bfloat16")], [variable])
    variable.assign([0.0, np.inf, 1.0, -0.0])
    optimizer.apply([ops.zeros((4,), dtype="bfloat16")], [variable])
    np.testing.assert_array_equal(as_float32(variable), [0.0, np.inf, 1.0, 0.0])


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("number", [1.001, -3.14159, 4.1e-5, 2.2e-7, 60_001.0])
def test_stochastic_rounding_is_unbiased(dtype, number):
    value = np.full(40_000, number, "float32")
    salt = np.random.default_rng(0).normal(size=value.shape).astype("float32")
    rounded = as_float32(
        rounding.stochastic(ops.convert_to_tensor(value), dtype, 7, ops.convert_to_tensor(salt))
    ).astype("float64")
    neighbours = np.unique(rounded)
    assert len(neighbours) == 2 and neighbours[0] < value[0] < neighbours[1]
    deviation = np.diff(neighbours)[0] / 2 / np.sqrt(value.size)
    assert abs(rounded.mean() - float(value[0])) < 4 * deviation


def stochastic_run(seed):
    keras.utils.set_random_seed(seed)
    variable = keras.Variable(np.linspace(0.5, 1.5, 256), dtype="bfloat16", name="w")
    optimizer = optimizers.SGD(1e-3, rounding="stochastic")
    for gradient in np.random.default_rng(0).normal(size=(5, 256)):
        optimizer.apply([ops.convert_to_tensor(gradient, "bfloat16")], [variable])
    return as_float32(variable)


def test_stochastic_rounding_follows_the_random_seed():
    first, again, other = stochastic_run(1), stochastic_run(1), stochastic_run(2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize(
    ("mode", "bytes_more"), [("compensated", 2), ("stochastic", 0), ("nearest", 0)]
)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_memory_is_what_the_docs_say(mode, bytes_more, dtype):
    optimizer = optimizers.Adam(rounding=mode)
    optimizer.build([keras.Variable(np.ones(8), dtype=dtype, name="w")])
    sizes = {"float32": 4, "float16": 2, "bfloat16": 2, "int16": 2}
    state = [*optimizer.saved_variables, *optimizer.extra_state.variables.values()]
    whole = {id(variable): variable for variable in state if tuple(variable.shape) == (8,)}
    found = sum(sizes[keras.backend.standardize_dtype(v.dtype)] for v in whole.values())
    assert found == 4 + 4 + bytes_more


def test_float32_variables_need_no_more_state():
    optimizer = optimizers.Adam()
    optimizer.build([keras.Variable(np.ones(8), dtype="float32", name="w")])
    assert not any(tuple(v.shape) == (8,) for v in optimizer.extra_state.variables.values())


def test_averages_of_half_precision_variables_move():
    """Keras' average, kept in bfloat16, stalls long before it gets there."""
    variable = keras.Variable(np.zeros(4), dtype="bfloat16", name="w")
    optimizer = optimizers.SGD(0.0, use_ema=True, ema_momentum=0.99)
    gradient = ops.zeros((4,), dtype="bfloat16")
    optimizer.apply([gradient], [variable])
    variable.assign(np.ones(4))
    for _ in range(300):
        optimizer.apply([gradient], [variable])
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(as_float32(variable), 1 - 0.99**300, rtol=2.0**-8)


@pytest.mark.parametrize("policy", quick(["bfloat16", "float16"], ["bfloat16"]))
def test_a_file_carries_the_compensation(policy, tmp_path):
    """Training resumes bit for bit; with a fresh compensation it would not."""

    def model():
        keras.utils.set_random_seed(0)
        layers = [keras.Input((4,)), keras.layers.Dense(3, dtype=policy)]
        network = keras.Sequential(layers)
        network.compile(optimizers.Adam(1e-4), "mse")
        return network

    x, y = np.random.default_rng(0).normal(size=(2, 32, 4))
    fit = {"batch_size": 8, "shuffle": False, "verbose": 0}
    straight, stopped = model(), model()
    straight.fit(x, y[:, :3], epochs=6, **fit)
    stopped.fit(x, y[:, :3], epochs=3, **fit)
    stopped.save_weights(tmp_path / "half.weights.h5")
    resumed = model()
    resumed.optimizer.build(resumed.trainable_variables)
    resumed.load_weights(tmp_path / "half.weights.h5")
    resumed.fit(x, y[:, :3], epochs=3, **fit)
    for left, right in zip(straight.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(np.asarray(left, "float32"), np.asarray(right, "float32"))


def test_the_state_of_a_built_in_loads_without_compensation(tmp_path):
    def model(optimizer):
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, dtype="bfloat16")])
        network.compile(optimizer, "mse")
        return network

    x, y = np.random.default_rng(0).normal(size=(2, 32, 4))
    theirs = model(keras.optimizers.SGD(1e-2, momentum=0.9))
    theirs.fit(x, y[:, :3], verbose=0)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours = model(optimizers.SGD(1e-2, momentum=0.9))
    ours.optimizer.build(ours.trainable_variables)
    ours.load_weights(tmp_path / "theirs.weights.h5")
    assert int(ours.optimizer.iterations) == 1
    before = [np.asarray(weight, "float32") for weight in ours.get_weights()]
    ours.fit(x, y[:, :3], verbose=0)
    assert all((b != a).any() for b, a in zip(before, ours.get_weights(), strict=True))


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype("float32"), y[order]


def accuracy(digits, optimizer, policy):
    x, y = digits
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((64,)),
        keras.layers.Dense(64, "relu", dtype=policy),
        keras.layers.Dense(10, dtype=policy),
        keras.layers.Activation("softmax", dtype="float32"),
    ]
    model = keras.Sequential(layers)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.fit(x[:1400], y[:1400], batch_size=35, epochs=12, shuffle=False, verbose=0)
    return np.mean(model.predict(x[1400:], verbose=0).argmax(1) == y[1400:])


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda: optimizers.Adam(2e-3),
        lambda: optimizers.AdamW(2e-3),
        lambda: optimizers.SGD(0.1, momentum=0.9),
        lambda: optimizers.Nadam(2e-3),
        lambda: optimizers.Lion(5e-4),
    ],
    ids=["Adam", "AdamW", "momentum", "Nadam", "Lion"],
)
def test_a_bfloat16_network_reaches_the_accuracy_of_float32(digits, make):
    full, half = (accuracy(digits, make(), policy) for policy in ("float32", "bfloat16"))
    assert full > 0.9
    assert half >= full - 0.01


@pytest.mark.parametrize("policy", quick(["mixed_float16", "mixed_bfloat16"], ["mixed_float16"]))
@pytest.mark.parametrize("name", quick(["SGD", "Adam", "Adafactor"], ["Adam"]))
def test_mixed_precision_gives_the_numbers_of_the_built_in(task, name, policy):
    """Variables are float32 there; float16 also needs a `LossScaleOptimizer`."""
    results = []
    for namespace in (keras.optimizers, optimizers):
        keras.utils.set_random_seed(3)
        layers = [keras.Input((4,)), keras.layers.Dense(2, dtype=policy, name="only")]
        model = keras.Sequential(layers)
        model.compile(getattr(namespace, name)(1e-2), "mse")
        if policy == "mixed_float16":
            inner = getattr(namespace, name)(1e-2)
            model.compile(keras.optimizers.LossScaleOptimizer(inner), "mse")
        results.append(task.fit(model, epochs=3))
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("mode", ["compensated", "stochastic"])
def test_large_half_precision_matrices_take_the_fast_paths(mode):
    """Blocks, XLA calls and plain operations round alike."""
    start = np.random.default_rng(0).normal(size=(600, 500)).astype("float32")
    gradient = np.random.default_rng(1).normal(size=(600, 500)).astype("float32")
    runs = []
    for jit_compile in ("auto", False):
        keras.utils.set_random_seed(0)
        optimizer = optimizers.Adam(1e-4, rounding=mode, jit_compile=jit_compile)
        runs.append(as_float32(half_step(start, gradient, optimizer)))
    # Where the last bit of a float32 differs, so does the hash, and rounding may pick the other
    # neighbour: off by 2^-7 of the weight, or of its value before a step of 1e-4 took it near 0.
    tolerances = {"compensated": (2.0**-8, 0.0), "stochastic": (2.0**-6, 2.0**-6 * 1e-4)}
    rtol, atol = tolerances[mode]
    np.testing.assert_allclose(runs[0], runs[1], rtol=rtol, atol=atol)
    assert np.mean(runs[0] != runs[1]) < 1e-3


def half_step(start, gradient, optimizer):
    variable = keras.Variable(start, dtype="bfloat16", name="w")
    optimizer.build([variable])
    step = compiled_step(optimizer, [variable])
    for _ in range(3):
        step([ops.convert_to_tensor(gradient, "bfloat16")])
    return variable
