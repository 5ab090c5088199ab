"""ScheduleFreeAdamW in float32 against the authors' package, from which Keras differs."""

import keras
import numpy as np
from keras_versions import needs_built_in
from recordings import key, recorded
from training import flat, problem, train

from keras_optlab import optimizers


def authors(**arguments):
    """Return the weights at the authors' training point, concatenated."""
    return recorded("optimizers", f"schedulefree in float32, {key(**arguments)}")


def test_ours_is_the_authors_to_rounding():
    start, gradients = problem(steps=50, dtype="float32")
    ends = np.cumsum([begin.size for begin in start])[:-1]
    for ours, theirs, begin in zip(
        train(optimizers.ScheduleFreeAdamW(), start, gradients),
        np.split(authors(steps=50, warmup_steps=0), ends),
        start,
        strict=True,
    ):
        theirs = theirs.reshape(begin.shape)
        allowed = 2e-6 * np.max(np.abs(theirs - begin)) + 8 * np.spacing(np.abs(theirs))
        assert np.all(np.abs(ours - theirs) <= allowed)


@needs_built_in("ScheduleFreeAdamW")
def test_the_built_in_is_the_authors_on_jax_alone():
    start, gradients = problem(steps=30, dtype="float32")
    built_in = train(keras.optimizers.ScheduleFreeAdamW(), start, gradients)
    difference = np.max(np.abs(flat(built_in) - authors(steps=30, warmup_steps=0)))
    if keras.backend.backend() == "jax":
        assert difference < 1e-5
    else:
        assert difference > 1e-3


@needs_built_in("ScheduleFreeAdamW")
def test_the_built_in_averages_differently_during_warmup():
    start, gradients = problem(steps=30, dtype="float32")
    built_in = train(keras.optimizers.ScheduleFreeAdamW(warmup_steps=10), start, gradients)
    ours = train(optimizers.ScheduleFreeAdamW(warmup_steps=10), start, gradients)
    expected = authors(steps=30, warmup_steps=10)
    assert np.max(np.abs(flat(ours) - expected)) < 1e-6
    assert np.max(np.abs(flat(built_in) - expected)) > 1e-4
