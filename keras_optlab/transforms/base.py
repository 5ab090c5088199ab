"""Building blocks for transforms; the contract is in the docstring of `Transform`."""

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import (
    DECAY_RATE,
    FINITE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Choice,
    Integer,
    Optional,
    Real,
)
from keras_optlab.engine.algorithm import Values
from keras_optlab.engine.functions import maximum, minimum, sum_along, total
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.passes import sums, when
from keras_optlab.engine.scope import Scope
from keras_optlab.engine.slots import Slot
from keras_optlab.engine.transform import Transform

__all__ = [
    "DECAY_RATE",
    "FINITE",
    "FRACTION",
    "NON_NEGATIVE",
    "POSITIVE",
    "Boolean",
    "Choice",
    "Integer",
    "Optional",
    "Real",
    "Scope",
    "Slot",
    "Transform",
    "Values",
    "argument",
    "maximum",
    "minimum",
    "path_of",
    "sum_along",
    "sums",
    "total",
    "when",
]
