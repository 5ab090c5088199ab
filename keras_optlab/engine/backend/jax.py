"""JAX: a compiled step knows nothing but what is passed in, gradients may be sparse (BCOO)."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp
from jax.experimental.sparse import JAXSparse

# Whatever is not in `optimizer.variables` becomes a constant of the trace.
STEP_SEES_ONLY_ITS_VARIABLES = True

# Whether `keras.ops.cast(0.9, "float64")` is 0.9 rounded to float32, as it is for most
# hyperparameters of the built-ins.
CAST_ROUNDS_PYTHON_NUMBERS = False

# Keras' Nadam takes 1 - beta after beta was rounded to float32 (0.99900001), except on torch:
# 6e-6 of a step.
NADAM_ROUNDS_BETAS_FIRST = True


def dense(gradient: Any) -> Any:
    """The gradient as an ordinary array; rows that occur more than once are summed."""
    return gradient.todense() if isinstance(gradient, JAXSparse) else gradient


def no_gradient() -> AbstractContextManager:
    """A context in which operations are not recorded for differentiation."""
    return nullcontext()


def outside_trace() -> AbstractContextManager:
    """A context in which variables are made and assigned at once, also while tracing."""
    return nullcontext()


def to_host(tensor: Any) -> np.ndarray | None:
    """The value as numpy, or None inside a trace, where there is none yet."""
    value = tensor.value if isinstance(tensor, keras.Variable) else tensor
    return None if isinstance(value, jax.core.Tracer) else np.asarray(value)


def decayed(parameter: Any, weight_decay: Any, learning_rate: Any) -> Any:
    """The parameter after decoupled weight decay, in the arithmetic of the built-ins."""
    return parameter - parameter * weight_decay * learning_rate


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element."""
    return jnp.maximum(x, y)


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element."""
    return jnp.minimum(x, y)
