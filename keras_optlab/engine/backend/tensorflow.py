"""TensorFlow: a step reads any variable it is given, gradients of embeddings are IndexedSlices."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# A tf.function captures variables by reference, wherever they are kept.
STEP_SEES_ONLY_ITS_VARIABLES = False

# Whether `keras.ops.cast(0.9, "float64")` is 0.9 rounded to float32, as it is for most
# hyperparameters of the built-ins.
CAST_ROUNDS_PYTHON_NUMBERS = True

# Keras' Nadam takes 1 - beta after beta was rounded to float32 (0.99900001), except on torch:
# 6e-6 of a step.
NADAM_ROUNDS_BETAS_FIRST = True


def dense(gradient: Any) -> Any:
    """The gradient as an ordinary tensor; rows that occur more than once are summed."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.convert_to_tensor(gradient)
    return gradient


def no_gradient() -> AbstractContextManager:
    """A context in which operations are not recorded for differentiation."""
    return nullcontext()


def outside_trace() -> AbstractContextManager:
    """A context in which variables are made and assigned at once, also while tracing."""
    return tf.init_scope()


def to_host(tensor: Any) -> np.ndarray | None:
    """The value as numpy, or None inside a graph, where there is none yet."""
    if not tf.executing_eagerly():
        return None
    return keras.ops.convert_to_numpy(tensor)


def decayed(parameter: Any, weight_decay: Any, learning_rate: Any) -> Any:
    """The parameter after decoupled weight decay, in the arithmetic of the built-ins."""
    return parameter - parameter * weight_decay * learning_rate


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element."""
    # The first argument decides the dtype of a Python number.
    return tf.maximum(x, y) if tf.is_tensor(x) else tf.maximum(y, x)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element."""
    return tf.minimum(x, y) if tf.is_tensor(x) else tf.minimum(y, x)
