"""Checks of the constructor: its configuration, and the values it rejects."""

import inspect
import math

import keras
import numpy as np

from keras_optlab.testing.problem import Problem, first_line


def configuration(problem: Problem) -> None:
    """Check that `get_config` holds all arguments, and that `from_config` restores them."""
    _check_constructor(problem)
    changes = [{}] + [{name: values[0]} for name, values in problem.other_values.items()]
    for change in changes:
        optimizer = problem.optimizer(**change)
        if problem.cls.__name__ not in repr(optimizer):
            raise problem.fault(
                f"its `repr` does not contain the class name. Received: {optimizer!r}. Do not "
                "override `__repr__`."
            )
        clones = {
            "`from_config(get_config())`": _through_config,
            "`keras.saving`": _through_keras,
        }
        for how, clone in clones.items():
            try:
                other = clone(optimizer)
            except Exception as error:
                raise problem.fault(
                    f"it cannot be recreated with {how}: {first_line(error)}. Declare each "
                    "argument in the class (`hyperparameter`, `option`) and leave the rest to the "
                    "base class."
                ) from error
            ours, theirs = optimizer.configuration(), other.configuration()
            lost = [name for name in ours if not _same(ours[name], theirs.get(name))]
            if lost:
                raise problem.fault(
                    f"{how} does not preserve `{lost[0]}`: expected {ours[lost[0]]!r}, got "
                    f"{theirs.get(lost[0])!r}. Leave `get_config` and `from_config` to the base "
                    "class."
                )


def _check_constructor(problem: Problem) -> None:
    taken = inspect.signature(problem.cls.__init__).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    for parameter in list(taken)[1:]:
        if parameter.kind in named and parameter.name not in problem.cls.declared_arguments:
            raise problem.fault(
                f"`__init__` takes `{parameter.name}`, which is not declared, so saved files do "
                "not contain it. Declare it in the class: "
                f"`{parameter.name}: float = hyperparameter(...)` for a number in the formula, "
                "`option(...)` for anything else."
            )


def _through_config(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    return type(optimizer).from_config(optimizer.get_config())


def _through_keras(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    cls = type(optimizer)
    serialized = keras.saving.serialize_keras_object(optimizer)
    custom_objects = {keras.saving.get_registered_name(cls): cls}
    return keras.saving.deserialize_keras_object(serialized, custom_objects=custom_objects)


def _same(one: object, other: object) -> bool:
    try:
        return bool(np.all(one == other))
    except (TypeError, ValueError):
        return one is other


def refused_values(problem: Problem) -> None:
    """Check that hyperparameters reject what is not a number, with an error that names them."""
    for name in ("learning_rate", *problem.cls.hyperparameters()):
        for value in (math.nan, "a string", [0.1]):
            try:
                problem.optimizer(**{name: value})
            except (TypeError, ValueError) as error:
                if name in str(error):
                    continue
                raise problem.fault(
                    f"the error for `{name}={value!r}` does not name `{name}`: "
                    f"{first_line(error)}. Let the domain in its declaration reject the value."
                ) from error
            raise problem.fault(
                f"`{name}={value!r}` is accepted. Declare `{name}` with a domain that rejects it, "
                "as in `hyperparameter(0.9, DECAY_RATE)`."
            )
