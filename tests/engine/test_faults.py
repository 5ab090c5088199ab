"""Gradients with NaN or infinity, and others that training does not expect."""

import warnings

import keras
import numpy as np
import pytest
from keras import ops
from keras_versions import with_built_in
from selection import quick
from steps import compiled_step, lookup_gradient

from keras_optlab import ParameterGroup, optimizers, schedules

BACKEND = keras.backend.backend()
ALL = {
    **{name: (name, {}) for name in optimizers.__all__},
    "momentum": ("SGD", {"momentum": 0.9}),
    "AMSGrad": ("Adam", {"amsgrad": True}),
}


def make(name, **arguments):
    cls, own = ALL[name]
    return getattr(optimizers, cls)(**own, **arguments)


def values(variables):
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def assert_equal(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def tensors(gradients):
    return [ops.convert_to_tensor(gradient) for gradient in gradients]


SHAPES = ((3, 4), (4,), (300, 300))
START = [np.random.default_rng(0).normal(size=shape).astype("float32") for shape in SHAPES]
GRADIENTS = [
    [
        np.random.default_rng(10 * n + k).normal(size=s).astype("float32")
        for k, s in enumerate(SHAPES)
    ]
    for n in range(5)
]


def spoiled(number, bad):
    """Return gradients with one bad value in array `number`, neither first nor last."""
    gradients = [gradient.copy() for gradient in GRADIENTS[0]]
    gradients[number].reshape(-1)[gradients[number].size // 2] = bad
    return gradients


def variables():
    return [keras.Variable(value.copy(), name=f"w{n}") for n, value in enumerate(START)]


@pytest.mark.filterwarnings("ignore:Expected finite gradients")
@pytest.mark.parametrize(
    "name",
    quick(["Adam", "Nadam", "ScheduleFreeAdamW", "Lamb", "momentum"], ["ScheduleFreeAdamW"]),
)
def test_a_skipped_step_leaves_no_trace(name):
    plain, skipping = make(name), make(name, nonfinite="skip")
    trained = []
    for optimizer, steps in (
        (plain, GRADIENTS),
        (
            skipping,
            [GRADIENTS[0], spoiled(0, np.nan), *GRADIENTS[1:3], spoiled(2, np.inf), *GRADIENTS[3:]],
        ),
    ):
        weights = variables()
        optimizer.build(weights)
        step = compiled_step(optimizer, weights)
        for gradients in steps:
            step(tensors(gradients))
        trained.append(weights)
    assert_equal(values(trained[0]), values(trained[1]))
    assert_equal(values(plain.saved_variables), values(skipping.saved_variables))
    assert skipping.skipped_steps == 2 and plain.skipped_steps == 0


@pytest.mark.filterwarnings("ignore:Expected finite gradients")
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_any_bad_number_anywhere_is_found(number, bad):
    weights = variables()
    optimizer = optimizers.SGD(nonfinite="skip")
    optimizer.apply(tensors(spoiled(number, bad)), weights)
    assert_equal(values(weights), START)
    assert optimizer.skipped_steps == 1 and int(optimizer.iterations) == 0


def test_large_finite_numbers_are_not_taken_for_bad_ones():
    optimizer = optimizers.Adam(nonfinite="raise")
    weights = variables()
    optimizer.apply([ops.full(shape, 3e38) for shape in SHAPES], weights)
    assert int(optimizer.iterations) == 1


def test_nonfinite_gradients_are_applied_by_default():
    weights = variables()
    optimizers.SGD().apply(tensors(spoiled(0, np.nan)), weights)
    assert np.isnan(values(weights)[0]).sum() == 1


def test_raise_names_the_variable_and_changes_nothing():
    weights = variables()
    optimizer = optimizers.Adam(nonfinite="raise")
    with pytest.raises(ValueError, match=r"finite gradients\. Received: .* of `w1`"):
        optimizer.apply(tensors(spoiled(1, np.inf)), weights)
    assert_equal(values(weights), START)
    optimizer.apply(tensors(GRADIENTS[0]), weights)
    assert int(optimizer.iterations) == 1


@pytest.mark.skipif(BACKEND == "torch", reason="torch does not compile steps, so it raises at once")
def test_a_compiled_step_waits_until_the_fault_is_reported():
    weights = variables()
    optimizer = optimizers.Adam(nonfinite="raise")
    optimizer.build(weights)
    step = compiled_step(optimizer, weights)
    step(tensors(spoiled(2, np.nan)))
    step(tensors(GRADIENTS[0]))
    assert_equal(values(weights), START)
    with pytest.raises(ValueError, match="`w2`"):
        optimizer.report_faults()
    optimizer.report_faults()
    step(tensors(GRADIENTS[0]))
    assert int(optimizer.iterations) == 1


def batches_with_nan(task):
    x = task.x.copy()
    x[20] = np.nan
    return x


@pytest.mark.parametrize(
    "arguments",
    quick(
        [
            {"learning_rate": 1e-2},
            {"learning_rate": 1e-2, "use_ema": True, "ema_overwrite_frequency": 2},
            {"learning_rate": 1e-2, "gradient_accumulation_steps": 2},
            {"learning_rate": 1e-2, "global_clipnorm": 1.0},
            {"learning_rate": schedules.ExponentialDecay(1e-2, 2, 0.5)},
        ],
        lambda arguments: "gradient_accumulation_steps" in arguments,
    ),
    ids=["plain", "average", "accumulation", "clipping", "schedule"],
)
def test_fit_skips_a_bad_batch_and_warns_once(task, arguments):
    model = task.network(optimizers.Nadam(nonfinite="skip", **arguments))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = {"batch_size": 16, "shuffle": False, "verbose": 0, "epochs": 2}
        model.fit(batches_with_nan(task), task.y, **fitted)
    found = [str(warning.message) for warning in caught if "finite" in str(warning.message)]
    assert len(found) == 1 and "`network/first/kernel`" in found[0]
    assert model.optimizer.skipped_steps == 2
    expected = task.network(optimizers.Nadam(**arguments))
    rows = np.r_[0:16, 32:64]
    expected.fit(task.x[rows], task.y[rows], **fitted)
    for ours, wanted in zip(model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-6, atol=1e-7)


def test_fit_raises_with_the_path(task):
    model = task.network(optimizers.SGD(nonfinite="raise"))
    with pytest.raises(ValueError, match="`network/first/kernel`"):
        model.fit(batches_with_nan(task), task.y, batch_size=16, shuffle=False, verbose=0)


@pytest.mark.filterwarnings("ignore:Expected finite gradients")
def test_the_count_is_saved(task, tmp_path):
    model = task.network(optimizers.SGD(nonfinite="skip"))
    model.fit(batches_with_nan(task), task.y, batch_size=16, shuffle=False, verbose=0)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").optimizer.skipped_steps == 1


@pytest.mark.filterwarnings("ignore:Expected finite gradients")
def test_bad_rows_of_a_table_are_found():
    table = keras.Variable(np.ones((6, 3), "float32"), name="table")
    optimizer = optimizers.Adagrad(nonfinite="skip")
    bad = np.array([[1, 2, 3], [4, np.nan, 6]], "float32")
    optimizer.apply([lookup_gradient([1, 4], bad, (6, 3))], [table])
    assert_equal(values([table]), [np.ones((6, 3))])
    assert optimizer.skipped_steps == 1


# Finite gradients that formulas are not written for


def after_gradients_of(size, optimizer):
    weights = [keras.Variable(np.full((3, 4), 0.5, "float32"), name="w")]
    for sign in (1.0, 1.0, -1.0):
        optimizer.apply([ops.full((3, 4), sign * size)], weights)
    return values(weights)[0]


@pytest.mark.parametrize("size", [0.0, 1e-30], ids=str)
@pytest.mark.parametrize("name", ALL)
def test_tiny_gradients_give_no_nan(name, size):
    assert np.isfinite(after_gradients_of(size, make(name, learning_rate=1e-3))).all()


@pytest.mark.parametrize("name", with_built_in(ALL, lambda name: ALL[name][0]))
def test_huge_gradients_give_a_nan_only_where_the_built_in_does(name):
    """The square of 1e30 is infinite in float32; a moving average of it is infinity - infinity."""
    if (BACKEND, name) == ("torch", "Nadam"):
        pytest.skip("Keras implements Nadam differently on torch")
    ours = after_gradients_of(1e30, make(name, learning_rate=1e-3))
    cls, arguments = ALL[name]
    built_in = getattr(keras.optimizers, cls)(learning_rate=1e-3, **arguments)
    assert not (np.isnan(ours) & ~np.isnan(after_gradients_of(1e30, built_in))).any()


@pytest.mark.parametrize("name", ALL)
def test_huge_gradients_are_harmless_when_clipped(name):
    optimizer = make(name, learning_rate=1e-3, clipvalue=1.0)
    assert np.isfinite(after_gradients_of(1e30, optimizer)).all()


@pytest.mark.parametrize("name", ALL)
def test_zero_gradients_change_weights_only_by_decay(name):
    weights = [keras.Variable(np.full((3, 4), 0.5, "float32"), name="w")]
    decaying = ("AdamW", "Muon", "NAdamW", "SOAP", "ScheduleFreeAdamW")
    arguments = {"weight_decay": 0.0} if name in decaying else {}
    optimizer = make(name, learning_rate=0.1, **arguments)
    for _ in range(20):
        optimizer.apply([ops.zeros((3, 4))], weights)
    if name != "Ftrl":  # which computes weights from its sums alone: 0 without a gradient
        np.testing.assert_allclose(values(weights)[0], 0.5, rtol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_variables_without_gradient_or_elements_and_scalars(name):
    weights = [
        keras.Variable(np.ones((0, 4), "float32"), name="empty"),
        keras.Variable(np.float32(0.5), name="scalar"),
        keras.Variable(np.ones((2, 2), "float32"), name="untouched"),
        keras.Variable(np.ones((2, 2), "float32"), name="matrix"),
    ]
    optimizer = make(name, learning_rate=1e-2)
    optimizer.build(weights)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gradients do not exist")
        gradients = [ops.zeros((0, 4)), ops.convert_to_tensor(1.0), None, ops.ones((2, 2))]
        for _ in range(2):
            optimizer.apply(gradients, weights)
    empty, scalar, untouched, matrix = values(weights)
    assert empty.shape == (0, 4) and np.isfinite(scalar) and np.isfinite(matrix).all()
    np.testing.assert_array_equal(untouched, np.ones((2, 2)))
    if name != "Ftrl":
        assert scalar < 0.5 and (matrix < 1).all()


def test_all_none_is_refused_and_an_empty_list_does_nothing():
    weights = variables()
    optimizer = optimizers.Adam(nonfinite="skip")
    optimizer.build(weights)
    optimizer.apply([], weights)
    assert int(optimizer.iterations) == 0
    with pytest.raises(ValueError, match="No gradients provided"):
        optimizer.apply([None, None, None], weights)


def test_a_variable_added_after_build_is_refused():
    weights = variables()
    optimizer = optimizers.Adam(groups=[ParameterGroup("w0", learning_rate_multiplier=0.5)])
    optimizer.build(weights[:2])
    with pytest.raises(ValueError, match=r"(?i)unknown variable"):
        optimizer.apply(tensors(GRADIENTS[0]), weights)
    assert_equal(values(weights), START)
