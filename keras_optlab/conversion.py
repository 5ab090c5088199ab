"""Conversion of built-in optimizers to ours, including their state."""

import inspect

import keras
import numpy as np

from keras_optlab import optimizers
from keras_optlab.arguments.declaration import Section
from keras_optlab.engine.exclusions import Exclusions
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.keras_glue.hooks import built_in_parts


def built_in(ours: type[Optimizer]) -> type[keras.optimizers.Optimizer] | None:
    """Return the Keras class that computes the same as one of ours, or None if there is none.

    It has the same name and accepts every argument that ours takes over from Keras. Keras 3.12 has
    a `Muon` with another step size and no `rms_rate`, and Keras 3.13 has no `ScheduleFreeAdamW`.
    """
    theirs = getattr(keras.optimizers, ours.__name__, None)
    known = inspect.signature(theirs).parameters if theirs else {}
    shared = [
        name
        for name, argument in ours.declared_arguments.items()
        if argument.section is not Section.KEYWORD_ONLY
    ]
    return theirs if all(name in known for name in shared) else None


def from_keras(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Convert a built-in optimizer to this package's, with its settings and state.

    Training continues where it stopped: step count, slots, learning rate or schedule, moving
    averages, accumulated gradients and `exclude_from_weight_decay` are carried over. For a
    `LossScaleOptimizer`, the inner optimizer is converted and wrapped in a new
    `LossScaleOptimizer` with the same scale.

    Args:
        optimizer: Instance of a built-in optimizer, built or not.

    Returns:
        Our optimizer of the same name, built if the given one is.

    Raises:
        TypeError: If this package has no such optimizer.
        ValueError: If it is the `Muon` of Keras 3.12, which is a different algorithm.

    Example:

    >>> model.compile(keras_optlab.from_keras(model.optimizer), loss="mse")
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        config = optimizer.get_config()
        del config["inner_optimizer"]
        wrapped = from_keras(optimizer.inner_optimizer)
        converted = keras.optimizers.LossScaleOptimizer(wrapped, **config)
        own = len(optimizer.variables) - len(optimizer.inner_optimizer.variables)
        if optimizer.built:
            converted.build(built_in_parts(optimizer).variables)
        for new, old in zip(converted.variables[:own], optimizer.variables[:own], strict=True):
            new.assign(old)
        return converted
    ours = {name: getattr(optimizers, name) for name in optimizers.__all__}
    name = next(
        (
            ancestor.__name__
            for ancestor in type(optimizer).__mro__
            if ancestor is getattr(keras.optimizers, ancestor.__name__, None)
        ),
        None,
    )
    if name not in ours:
        convertible = sorted(name for name, cls in ours.items() if built_in(cls))
        raise TypeError(
            "`from_keras` converts these optimizers of keras.optimizers: "
            f"{', '.join(convertible)}. Received: optimizer={optimizer!r}."
        )
    if built_in(ours[name]) is None:
        raise ValueError(
            f"`{name}` in Keras {keras.__version__} is a different algorithm from `{name}` in this "
            f"package, so it cannot be converted. Received: optimizer={optimizer!r}. Create a "
            f"keras_optlab.optimizers.{name} with the arguments you want."
        )
    parts = built_in_parts(optimizer)
    converted = ours[name].from_config(optimizer.get_config())
    converted.engine.exclusions = Exclusions(parts.excluded, parts.excluded_pattern)
    if optimizer.built:
        converted.build(parts.variables)
    state = [np.array(keras.ops.convert_to_numpy(variable)) for variable in optimizer.variables]
    converted.engine.saved_state.assign(state)
    return converted
