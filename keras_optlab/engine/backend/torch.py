"""torch: steps run eagerly, and must not be recorded for differentiation."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
import torch

# Steps run eagerly and read variables wherever they are kept.
STEP_SEES_ONLY_ITS_VARIABLES = False

# Whether `keras.ops.cast(0.9, "float64")` is 0.9 rounded to float32, as it is for most
# hyperparameters of the built-ins.
CAST_ROUNDS_PYTHON_NUMBERS = False

# Keras' Nadam takes 1 - beta after beta was rounded to float32 (0.99900001), except on torch:
# 6e-6 of a step.
NADAM_ROUNDS_BETAS_FIRST = False


def dense(gradient: Any) -> Any:
    """The gradient as an ordinary tensor; rows that occur more than once are summed."""
    is_sparse = isinstance(gradient, torch.Tensor) and gradient.is_sparse
    return gradient.to_dense() if is_sparse else gradient


def no_gradient() -> AbstractContextManager:
    """A context in which operations are not recorded for differentiation."""
    return torch.no_grad()


def outside_trace() -> AbstractContextManager:
    """A context in which variables are made and assigned at once, also while tracing."""
    return nullcontext()


def to_host(tensor: Any) -> np.ndarray | None:
    """The value as numpy; torch always has one."""
    return keras.ops.convert_to_numpy(tensor)


def decayed(parameter: Any, weight_decay: Any, learning_rate: Any) -> Any:
    """The parameter after decoupled weight decay, in the arithmetic of the built-ins."""
    # Keras takes the factor in float32 here, also for float64 variables: 3e-8 of a weight a step.
    factor = 1 - weight_decay.to(torch.float32) * learning_rate.to(torch.float32)
    return parameter * factor.to(parameter.dtype)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element."""
    return torch.maximum(torch.as_tensor(x), torch.as_tensor(y))


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element."""
    return torch.minimum(torch.as_tensor(x), torch.as_tensor(y))
