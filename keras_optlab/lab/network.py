"""Models that comparisons train: a small network, or what a user's function builds."""

import math
import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_optlab.keras_glue.hooks import replace_global_seed_generator
from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.data import Dataset
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.user_code import call, load_function

HIDDEN_UNITS = 32
# How many times to build a model in search of two in a row that are equal.
BUILDS = 11

# None for the small network, a function that builds a model, or `module:function`.
ModelSource = str | Callable[[], keras.Model] | None


def build(source: ModelSource, dataset: Dataset, seed: int) -> keras.Model:
    """Build a new model; the same seed gives the same initial weights.

    Keras draws the seeds of initializers and dropout from one random generator that all threads of
    a process share, and other threads of a Dask worker or a notebook may use it meanwhile. A user's
    model is therefore built until two in a row are equal.
    """
    if source is None:
        return small_network(dataset, seed)
    function = load_function(source, "--model") if isinstance(source, str) else source
    model, state = None, []
    for _ in range(BUILDS):
        before, state_before = model, state
        set_seed(seed)
        model = call(lambda: built(function(), dataset), "the function that builds the model")
        # Everything a model starts with: weights, and the seeds of dropout.
        state = [to_numpy(variable) for variable in model.variables]
        if model is before:
            raise InputError(
                "the function that builds the model must build a new one on every call. "
                "Received: the same model twice"
            )
        if len(state) == len(state_before) and all(map(np.array_equal, state, state_before)):
            return model
    raise InputError(
        "the function that builds the model gives different initial weights each time, even with "
        "the same random seed: its initializers must take their seeds from Keras"
    )


def built(model: Any, dataset: Dataset) -> keras.Model:
    """Return a user's model, built, after checking that it has weights to train."""
    if not isinstance(model, keras.Model):
        raise TypeError(f"it must return a keras.Model. Received: {type(model).__name__}")
    if not model.built:
        model(keras.ops.convert_to_tensor(dataset.x_train[:1]))
    if not model.trainable_variables:
        raise ValueError("the model has no weights to train")
    return model


def set_seed(seed: int) -> None:
    """Act as `keras.utils.set_random_seed`, but import TensorFlow only if it is the backend."""
    if keras.backend.backend() == "tensorflow":
        keras.utils.set_random_seed(seed)
        return
    random.seed(seed)
    np.random.seed(seed)
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(seed)
    # Keras makes a new one when needed, seeded by Python's generator.
    replace_global_seed_generator(None)


def small_network(dataset: Dataset, seed: int) -> keras.Model:
    """Build a network with one hidden layer, which outputs class logits or predicts the targets.

    For time series, with features of shape (rows, time, channels), the layer is recurrent.
    """
    initializers, layers = keras.initializers, keras.layers
    shape, targets = dataset.x_train.shape[1:], dataset.y_train.shape[1:]
    outputs = math.prod(targets) if dataset.is_regression else len(dataset.classes)
    glorot: list[Any] = [initializers.GlorotUniform(seed=seed + number) for number in (0, 1)]
    recurrent: Any = initializers.Orthogonal(seed=seed + 2)
    model = keras.Sequential([keras.Input(shape)])
    if len(shape) == 2:
        gru: Any = {"kernel_initializer": glorot[0], "recurrent_initializer": recurrent}
        model.add(layers.GRU(HIDDEN_UNITS, **gru))
    else:
        if len(shape) > 2:
            model.add(layers.Flatten())
        model.add(layers.Dense(HIDDEN_UNITS, "tanh", kernel_initializer=glorot[0]))
    model.add(layers.Dense(outputs, kernel_initializer=glorot[1]))
    if len(targets) > 1:
        model.add(layers.Reshape(targets))
    return model


def describe(source: ModelSource, model: keras.Model, dataset: Dataset) -> str:
    """Return a description of the model, in words."""
    if source is None:
        layer = "GRU layer" if dataset.x_train.ndim == 3 else "hidden layer"
        return f"A network with one {layer} of {HIDDEN_UNITS} units"
    name = source if isinstance(source, str) else getattr(source, "__qualname__", None)
    count: Any = model.count_params()
    return f"The model of {name or type(source).__name__}, with {count:,} weights"
