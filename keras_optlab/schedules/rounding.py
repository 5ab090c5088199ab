"""Whole periods in a quotient, where rounding must not lose or add one."""

from types import ModuleType
from typing import Any

import keras
import numpy as np


def _margin(quotient: Any) -> float:
    # A compiler may turn 3/3 into 3 * (1/3) and a logarithm is off by some units in the last place.
    # An integer step is farther than this from a period's end up to step 10^14 (float32: 10^5).
    return 16 * float(np.finfo(keras.backend.standardize_dtype(quotient.dtype)).eps)


def floor(quotient: Any, ops: ModuleType) -> Any:
    """The largest whole number that is not above a quotient >= 0, but for rounding."""
    return ops.floor(quotient * (1 + _margin(quotient)))


def ceil(quotient: Any, ops: ModuleType) -> Any:
    """The smallest whole number that is not below a quotient >= 0, but for rounding."""
    return ops.ceil(quotient * (1 - _margin(quotient)))
