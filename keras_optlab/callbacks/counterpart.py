"""Which optimizer of this package does what another one does."""

from typing import Any

from keras_optlab import optimizers
from keras_optlab.engine.optimizer import Optimizer


def counterpart(optimizer: Any) -> type[Optimizer] | None:
    """The class here that an optimizer is of, or that has the name of its class or an ancestor."""
    if isinstance(optimizer, Optimizer):
        return type(optimizer)
    names = (ancestor.__name__ for ancestor in type(optimizer).__mro__)
    name = next((name for name in names if name in optimizers.__all__), None)
    return getattr(optimizers, name) if name else None


def suggestion(optimizer: Any) -> str:
    """Words for an error: what to use instead."""
    found = counterpart(optimizer)
    return f"keras_optlab.optimizers.{found.__name__}" if found else "an optimizer of keras_optlab"
