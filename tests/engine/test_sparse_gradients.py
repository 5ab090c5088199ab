"""Gradients of embedding tables touch only the rows looked up, where requested or exact."""

import keras
import numpy as np
import pytest
from keras_versions import OF_KERAS
from selection import quick
from steps import BACKEND, compiled_step, lookup_gradient

from keras_optlab import ParameterGroup, optimizers

SHAPE = (12, 3)
# Rows are looked up more than once, row 0 in one step and not in the next, and out of order.
STEPS = [[5, 2, 5, 0], [7, 2, 2, 2], [11, 3, 7, 5]]
# Arguments that run more of a formula than its defaults do.
ARGUMENTS = {
    "SGD": {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
    "RMSprop": {"centered": True, "momentum": 0.5, "epsilon": 1e-3},
    "Adadelta": {"learning_rate": 1.0},
    "Adam": {"amsgrad": True},
}
# Their formulas may depend on the whole table.
REFUSES = [
    name
    for name in optimizers.__all__
    if getattr(optimizers, name).not_lazy or not getattr(optimizers, name).scope.is_within_rows
]
LAZY = {name: ARGUMENTS.get(name, {}) for name in optimizers.__all__ if name not in REFUSES}


def lookups():
    random = np.random.default_rng(1)
    start = np.asarray(random.normal(size=SHAPE), "float32")
    return start, [np.asarray(random.normal(size=(4, 3)), "float32") for _ in STEPS]


def dense(rows, values):
    gradient = np.zeros(SHAPE, "float32")
    np.add.at(gradient, rows, values)
    return gradient


def train(optimizer, sparse, jit_compile=False):
    """Return the table and slots after each of three steps."""
    start, values = lookups()
    table = keras.Variable(start.copy(), name="table")
    optimizer.build([table])
    step = compiled_step(optimizer, [table], jit_compile)
    seen = []
    for rows, value in zip(STEPS, values, strict=True):
        whole = keras.ops.convert_to_tensor(dense(rows, value))
        step([lookup_gradient(rows, value, SHAPE) if sparse else whole])
        slots = [v for v in optimizer.variables if tuple(v.shape) == SHAPE]
        seen.append([np.array(keras.ops.convert_to_numpy(v)) for v in [table, *slots]])
    return seen


def assert_same(ours, theirs, tolerance=3e-7):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", quick(optimizers.__all__))
def test_without_lazy_sparse_gradients_equal_dense_ones(name):
    arguments = {} if name == "SGD" else LAZY.get(name, {})
    cls = getattr(optimizers, name)
    ours, expected = train(cls(**arguments), True), train(cls(**arguments), False)
    assert_same(ours[-1], expected[-1])


@pytest.mark.parametrize("name", ["SGD", "Adagrad", "Adam"])
def test_without_lazy_it_equals_the_built_in_on_dense_gradients(name):
    ours = train(getattr(optimizers, name)(0.1), True)[-1][0]
    assert_same([ours], [train(getattr(keras.optimizers, name)(0.1), False)[-1][0]])


def row_by_row(name, arguments):
    """Run the dense algorithm on each row alone, in the steps that look the row up.

    Scalars that count steps advance in every step, so each row's optimizer gets the step set.
    """
    start, values = lookups()
    expected = start.copy()
    for row in range(SHAPE[0]):
        weight = keras.Variable(start[row : row + 1].copy())
        optimizer = getattr(keras.optimizers, name)(**arguments)
        optimizer.build([weight])
        for number, (rows, value) in enumerate(zip(STEPS, values, strict=True)):
            optimizer.iterations.assign(number)
            if row in rows:
                gradient = dense(rows, value)[row : row + 1]
                optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
            elif name == "Nadam":
                product = optimizer.variables[-1]
                shrunk = 0.9 * (1 - 0.5 * 0.96 ** (number + 1))
                product.assign(product * shrunk)
        expected[row] = keras.ops.convert_to_numpy(weight)[0]
    return expected


# The built-in is the reference; `check_optimizer` covers the algorithms that Keras lacks.
@pytest.mark.parametrize("name", quick([name for name in LAZY if name in OF_KERAS]))
def test_lazy_is_the_algorithm_on_the_rows_looked_up(name):
    if name == "Nadam" and BACKEND == "tensorflow":
        pytest.skip("on TensorFlow, Keras' Nadam keeps its momentum product outside its variables")
    ours = train(getattr(optimizers, name)(**LAZY[name], lazy=True), True)
    assert_same([ours[-1][0]], [row_by_row(name, LAZY[name])], 2e-6)


@pytest.mark.parametrize("name", quick(LAZY))
def test_lazy_leaves_rows_and_slots_that_were_not_looked_up(name):
    seen = train(getattr(optimizers, name)(**LAZY[name], lazy=True), True)
    for rows, before, after in zip(STEPS[1:], seen, seen[1:], strict=False):
        others = [row for row in range(SHAPE[0]) if row not in rows]
        for old, new in zip(before, after, strict=True):
            assert np.array_equal(old[others], new[others])
        # The rows that were looked up did change.
        assert not np.array_equal(before[0][rows], after[0][rows])


def test_lazy_differs_from_dense_by_momentum_of_other_rows():
    dense_run = train(optimizers.Adam(0.1), True)[-1][0]
    lazy_run = train(optimizers.Adam(0.1, lazy=True), True)[-1][0]
    assert np.max(np.abs(dense_run - lazy_run)) > 0.01


@pytest.mark.parametrize("name", REFUSES)
def test_lazy_is_refused_with_the_reason_where_it_makes_no_sense(name):
    with pytest.raises(ValueError, match=r"does not support `lazy`: .*Received: lazy=True"):
        getattr(optimizers, name)(lazy=True)


def test_lazy_and_gradient_accumulation_exclude_each_other():
    with pytest.raises(ValueError, match=r"`lazy` and `gradient_accumulation_steps`.*Received"):
        optimizers.Adam(lazy=True, gradient_accumulation_steps=2)


def test_weight_decay_reaches_all_rows_unless_lazy():
    decay = {"learning_rate": 0.1, "weight_decay": 0.5}
    start, _ = lookups()
    untouched = [row for row in range(SHAPE[0]) if row not in STEPS[0]]
    lazy = train(optimizers.SGD(**decay, lazy=True), True)[0][0]
    everywhere = train(optimizers.SGD(**decay), True)[0][0]
    assert np.array_equal(lazy[untouched], start[untouched])
    np.testing.assert_allclose(everywhere[untouched], start[untouched] * 0.95, rtol=1e-6)
    np.testing.assert_allclose(lazy[STEPS[0]], everywhere[STEPS[0]], rtol=1e-6)


@pytest.mark.parametrize(
    "clipping", [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.1}]
)
def test_clipping_sees_repeated_rows_summed(clipping):
    ours = train(optimizers.SGD(0.1, **clipping), True)[-1]
    assert_same(ours, train(optimizers.SGD(0.1, **clipping), False)[-1])


def test_the_average_of_weights_takes_in_all_rows():
    ema = {"use_ema": True, "ema_momentum": 0.5}
    assert_same(
        train(optimizers.SGD(0.1, **ema), True)[-1], train(optimizers.SGD(0.1, **ema), False)[-1]
    )


@pytest.mark.parametrize("extra", [{"loss_scale_factor": 4.0}, {"gradient_accumulation_steps": 3}])
def test_scaled_and_accumulated_gradients(extra):
    ours = train(optimizers.Adagrad(0.1, **extra), True)[-1]
    assert_same(ours, train(optimizers.Adagrad(0.1, **extra), False)[-1])


def test_groups_apply_to_tables():
    groups = [ParameterGroup("table", learning_rate_multiplier=0.5)]
    half = train(optimizers.Adagrad(0.2, groups=groups), True)[-1]
    assert_same(half, train(optimizers.Adagrad(0.1), True)[-1])
    frozen = [ParameterGroup("table", learning_rate_multiplier=0.0)]
    still = train(optimizers.Adagrad(0.2, groups=frozen), True)[-1][0]
    assert np.array_equal(still, lookups()[0])


@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA is optional only on TensorFlow")
@pytest.mark.parametrize("lazy", [True, False])
def test_a_step_that_xla_compiles_gives_the_same(lazy):
    ours = train(optimizers.Adam(0.1, lazy=lazy), True, jit_compile=True)[-1]
    assert_same(ours, train(optimizers.Adam(0.1, lazy=lazy), True)[-1], 1e-6)


def test_no_lookup_at_all_changes_nothing():
    start, _ = lookups()
    table = keras.Variable(start.copy(), name="table")
    optimizer = optimizers.Adagrad(0.1)
    optimizer.build([table])
    nothing = lookup_gradient(np.zeros(0, "int64"), np.zeros((0, 3), "float32"), SHAPE)
    compiled_step(optimizer, [table])([nothing])
    assert np.array_equal(keras.ops.convert_to_numpy(table), start)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="Keras' Embedding is sparse on TensorFlow only")
def test_an_embedding_in_fit_keeps_rows_that_no_batch_holds():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Embedding(50, 4)])
    model.compile(optimizers.Adam(0.1, lazy=True), "mse", jit_compile=False)
    before = model.get_weights()[0]
    x = np.array([[1, 2], [2, 3], [3, 3], [1, 1]])
    model.fit(x, np.zeros((4, 2, 4)), batch_size=2, epochs=2, verbose=0)
    changed = np.any(model.get_weights()[0] != before, axis=1)
    assert np.flatnonzero(changed).tolist() == [1, 2, 3]
