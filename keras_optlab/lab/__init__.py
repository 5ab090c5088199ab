"""The lab: find a learning rate, train in one call, compare algorithms on your data."""

from keras_optlab.lab.comparison import compare
from keras_optlab.lab.learning_rate import OneCycleResult, find_learning_rate, fit_one_cycle
from keras_optlab.lab.learning_rate_range import LearningRateRange

# No submodule may share one of these names: importing it would replace the function by the module.
__all__ = ["LearningRateRange", "OneCycleResult", "compare", "find_learning_rate", "fit_one_cycle"]
