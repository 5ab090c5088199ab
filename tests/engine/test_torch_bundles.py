"""torch: small variables are updated as one vector, with no visible difference."""

import copy

import keras
import numpy as np
import pytest

from keras_optlab import optimizers

if keras.backend.backend() != "torch":
    pytest.skip("bundles exist only on torch", allow_module_level=True)

import torch

SHAPES = [(6, 5), (7,), (), (6, 5), (3, 2, 4)]


def start():
    random = np.random.default_rng(2)
    return [keras.Variable(random.normal(size=s).astype("float32"), name="w") for s in SHAPES]


def gradients(step):
    random = np.random.default_rng(100 + step)
    return [torch.as_tensor(random.normal(size=shape), dtype=torch.float32) for shape in SHAPES]


def numbers(variables):
    return [keras.ops.convert_to_numpy(variable).copy() for variable in variables]


def after_steps(optimizer, variables, steps=4, change=None):
    """Return the weights after some steps, with an optional change before the third."""
    optimizer.build(variables)
    for step in range(steps):
        if step == 2 and change:
            change(optimizer, variables)
        optimizer.apply(gradients(step), variables)
    return numbers(variables)


def assert_as_built_in(ours, theirs):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def slots_of(optimizer):
    # Slots follow the step count and the learning rate; our hyperparameters come after the slots.
    slots = optimizer.variables[2 : 2 + len(SHAPES)]
    return [variable.value for variable in slots]


def test_slots_are_stored_one_after_another():
    optimizer = optimizers.RMSprop()
    optimizer.build(start())
    storages = {slot.untyped_storage().data_ptr() for slot in slots_of(optimizer)}
    assert len(storages) == 1
    assert [tuple(slot.shape) for slot in slots_of(optimizer)] == SHAPES


def move_a_slot(optimizer, variables):
    slots_of(optimizer)[1].data = slots_of(optimizer)[1].detach().clone()


def move_a_weight(optimizer, variables):
    variables[0].value.data = variables[0].value.detach().clone()


def assign_a_slot(optimizer, variables):
    optimizer.variables[2].assign(np.full(SHAPES[0], 0.5, "float32"))


@pytest.mark.parametrize("change", [None, move_a_slot, move_a_weight, assign_a_slot])
def test_what_is_changed_in_between_counts(change):
    ours = after_steps(optimizers.RMSprop(0.01), start(), change=change)
    theirs = after_steps(keras.optimizers.RMSprop(0.01), start(), change=change)
    assert_as_built_in(ours, theirs)


def assert_takes_steps_as_the_built_in(ours, theirs):
    """Assert that steps of ours on `ours(step)` match those of the built-in on `theirs(step)`."""
    weights = []
    for cls, given in ((optimizers.RMSprop, ours), (keras.optimizers.RMSprop, theirs)):
        variables = start()
        optimizer = cls(0.01)
        optimizer.build(variables)
        for step in range(4):
            optimizer.apply(given(step), variables)
        weights.append(numbers(variables))
    assert_as_built_in(*weights)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_variables_without_a_gradient_keep_values_and_slots():
    def given(step):
        first, second, *others = gradients(step)
        return [first, None if step % 2 else second, *others]

    assert_takes_steps_as_the_built_in(given, given)


def test_the_order_of_the_variables_does_not_matter():
    variables = start()
    optimizer = optimizers.RMSprop(0.01)
    optimizer.build(variables)
    for step in range(4):
        optimizer.apply(gradients(step)[::-1], variables[::-1])
    expected = after_steps(keras.optimizers.RMSprop(0.01), start())
    assert_as_built_in(numbers(variables), expected)


def test_stateless_apply_leaves_variables_alone():
    variables = start()
    optimizer = optimizers.RMSprop(0.01)
    optimizer.build(variables)
    before = numbers([*variables, *optimizer.variables])
    new, _ = optimizer.stateless_apply(
        [variable.value.detach().clone() for variable in optimizer.variables],
        gradients(0),
        [variable.value.detach().clone() for variable in variables],
    )
    for old, now in zip(before, numbers([*variables, *optimizer.variables]), strict=True):
        np.testing.assert_array_equal(old, now)
    expected = after_steps(keras.optimizers.RMSprop(0.01), start(), steps=1)
    assert_as_built_in([value.detach().numpy() for value in new], expected)


def test_a_copy_has_separate_slots():
    optimizer = optimizers.RMSprop(0.01)
    after_steps(optimizer, start(), steps=2)
    before = numbers(optimizer.variables)
    twin = copy.deepcopy(optimizer)
    after_steps(twin, start(), steps=1)
    for old, now in zip(before, numbers(optimizer.variables), strict=True):
        np.testing.assert_array_equal(old, now)


def test_a_gradient_of_another_dtype_is_taken_as_it_is():
    def given(step):
        first, second, *others = gradients(step)
        return [first, second.double(), *others]

    assert_takes_steps_as_the_built_in(given, gradients)


def test_a_gradient_of_another_shape_is_refused():
    variables = start()
    optimizer = optimizers.RMSprop(0.01)
    optimizer.build(variables)
    given = gradients(0)
    given[0] = given[0][0]
    before = numbers(variables)
    with pytest.raises(RuntimeError):
        optimizer.apply(given, variables)
    for old, now in zip(before, numbers(variables), strict=True):
        np.testing.assert_array_equal(old, now)
