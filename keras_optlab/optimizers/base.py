"""Building blocks for optimizers; the contract is in the docstring of `Optimizer`."""

from keras_optlab.arguments.declaration import Section
from keras_optlab.arguments.domain import (
    DECAY_RATE,
    FINITE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Choice,
    Domain,
    Instance,
    Integer,
    Listing,
    Name,
    Optional,
    Pattern,
    Real,
    Text,
)
from keras_optlab.arguments.hyperparameter import (
    LearningRateSchedule,
    hyperparameter,
    learning_rate,
    option,
)
from keras_optlab.arguments.schedule import arithmetic
from keras_optlab.engine.algorithm import Algorithm, Values
from keras_optlab.engine.functions import maximum, minimum, sum_along, total
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.engine.passes import sums, when
from keras_optlab.engine.scope import Scope
from keras_optlab.engine.slots import Scalar, Slot

__all__ = [
    "DECAY_RATE",
    "FINITE",
    "FRACTION",
    "NON_NEGATIVE",
    "POSITIVE",
    "Algorithm",
    "Boolean",
    "Choice",
    "Domain",
    "Instance",
    "Integer",
    "LearningRateSchedule",
    "Listing",
    "Name",
    "Optimizer",
    "Optional",
    "Pattern",
    "Real",
    "Scalar",
    "Scope",
    "Section",
    "Slot",
    "Text",
    "Values",
    "arithmetic",
    "hyperparameter",
    "learning_rate",
    "maximum",
    "minimum",
    "option",
    "path_of",
    "sum_along",
    "sums",
    "total",
    "when",
]
