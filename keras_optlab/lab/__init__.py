"""The lab: find a learning rate, train in one call; and what the `optlab` command does."""

import importlib
from typing import Any

# Where each public name is defined. They are imported when they are first asked for, since the
# `optlab` command imports this package before it has chosen Keras' backend. No submodule here may
# have one of these names: importing it would put the module in the place of the function.
_DEFINED_IN = {
    "LearningRateRange": "range_test",
    "compare": "comparison",
    "find_learning_rate": "range_test",
    "fit_one_cycle": "one_cycle_training",
}

__all__ = sorted(_DEFINED_IN)


def __getattr__(name: str) -> Any:
    if name not in _DEFINED_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_DEFINED_IN[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
