"""ScheduleFreeAdamW in float32 against the authors' package, where Keras goes another way."""

import keras
import numpy as np
import schedulefree
import torch
from keras_versions import needs_built_in
from training import largest_difference, problem, train

from keras_optlab import optimizers


def authors(start, gradients, **arguments):
    """The weights at the authors' training point."""
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    optimizer = schedulefree.AdamWScheduleFree(
        parameters, lr=0.0025, betas=(0.9, 0.999), **arguments
    )
    optimizer.train()
    for gradient in gradients:
        for parameter, g in zip(parameters, gradient, strict=True):
            parameter.grad = torch.tensor(g)
        optimizer.step()
    return [parameter.detach().numpy() for parameter in parameters]


def test_ours_is_the_authors_to_rounding():
    start, gradients = problem(steps=50, dtype="float32")
    for ours, theirs, begin in zip(
        train(optimizers.ScheduleFreeAdamW(), start, gradients),
        authors(start, gradients),
        start,
        strict=True,
    ):
        allowed = 2e-6 * np.max(np.abs(theirs - begin)) + 8 * np.spacing(np.abs(theirs))
        assert np.all(np.abs(ours - theirs) <= allowed)


@needs_built_in("ScheduleFreeAdamW")
def test_the_built_in_is_the_authors_on_jax_alone():
    start, gradients = problem(steps=30, dtype="float32")
    built_in = train(keras.optimizers.ScheduleFreeAdamW(), start, gradients)
    difference = largest_difference(built_in, authors(start, gradients))
    if keras.backend.backend() == "jax":
        assert difference < 1e-5
    else:
        assert difference > 1e-3


@needs_built_in("ScheduleFreeAdamW")
def test_the_built_in_averages_otherwise_during_warmup_on_every_backend():
    start, gradients = problem(steps=30, dtype="float32")
    built_in = train(keras.optimizers.ScheduleFreeAdamW(warmup_steps=10), start, gradients)
    ours = train(optimizers.ScheduleFreeAdamW(warmup_steps=10), start, gradients)
    expected = authors(start, gradients, warmup_steps=10)
    assert largest_difference(ours, expected) < 1e-6
    assert largest_difference(built_in, expected) > 1e-4
