"""`repr(optimizer)` and `slots_by_name` describe an optimizer."""

import keras
import numpy as np

from keras_optlab import ParameterGroup, optimizers
from keras_optlab.transforms import Lookahead


def built(optimizer):
    optimizer.build([keras.Variable(np.zeros((8, 4), "float32"), name="kernel")])
    return optimizer


def test_the_arguments_that_differ_from_their_defaults():
    assert repr(optimizers.Adam()) == "<Adam(), not built>"
    optimizer = optimizers.SGD(0.1, momentum=0.9, weight_decay=1e-4, nonfinite="skip")
    expected = "SGD(learning_rate=0.1, momentum=0.9, weight_decay=0.0001, nonfinite='skip')"
    assert repr(optimizer) == f"<{expected}, not built>"


def test_groups_transforms_and_schedules():
    optimizer = optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(0.1, 10),
        groups=[ParameterGroup("bias", weight_decay=0.0)],
        transforms=[Lookahead(period=3)],
    )
    shown = repr(optimizer)
    assert "learning_rate=<keras.src.optimizers.schedules" in shown
    assert "groups=[ParameterGroup('bias', weight_decay=0.0)]" in shown
    assert "transforms=[Lookahead(period=3)]" in shown


def test_the_size_of_the_state_once_built():
    # Two slots of 128 bytes; 32 for the learning rate, step count, three hyperparameters, and one
    # minus each of the two decay rates.
    small = built(optimizers.Adam())
    rest = sum(np.dtype(v.dtype).itemsize for v in small.variables if not tuple(v.shape))
    assert repr(small) == f"<Adam(), 1 variable, {256 + rest} bytes of state>"
    half = built(optimizers.Adam(slot_dtype="bfloat16"))
    assert f"1 variable, {128 + rest} bytes of state" in repr(half)


def test_slots_by_name():
    optimizer = built(optimizers.Adam(transforms=[Lookahead()]))
    (slots,) = optimizer.slots_by_name.values()
    assert list(slots) == ["momentum", "velocity", "lookahead.slow_weights"]
    assert optimizers.Adam().slots_by_name == {}
