"""Floor and ceiling of a quotient, where rounding errors must not lose or add a period."""

from types import ModuleType
from typing import Any

import keras
import numpy as np


def _margin(quotient: Any) -> float:
    # A compiler may turn 3/3 into 3 * (1/3), and a logarithm may be off by a few ulps.
    # Up to step 10^14 (float32: 10^5), an integer step is farther than this from the next period.
    return 16 * float(np.finfo(keras.backend.standardize_dtype(quotient.dtype)).eps)


def floor(quotient: Any, ops: ModuleType) -> Any:
    """Return the floor of a quotient >= 0, up to rounding errors."""
    return ops.floor(quotient * (1 + _margin(quotient)))


def ceil(quotient: Any, ops: ModuleType) -> Any:
    """Return the ceiling of a quotient >= 0, up to rounding errors."""
    return ops.ceil(quotient * (1 - _margin(quotient)))
