"""Counterparts in this package of other optimizers."""

from typing import Any

from keras_optlab import optimizers
from keras_optlab.engine.optimizer import Optimizer


def counterpart(optimizer: Any) -> type[Optimizer] | None:
    """Return an optimizer's class if it is ours, else our class named like it or an ancestor."""
    if isinstance(optimizer, Optimizer):
        return type(optimizer)
    names = (ancestor.__name__ for ancestor in type(optimizer).__mro__)
    name = next((name for name in names if name in optimizers.__all__), None)
    return getattr(optimizers, name) if name else None


def suggestion(optimizer: Any) -> str:
    """Return the optimizer that an error message should suggest."""
    found = counterpart(optimizer)
    return f"keras_optlab.optimizers.{found.__name__}" if found else "an optimizer of keras_optlab"
