"""The lab: find a learning rate, train in one call, compare algorithms on your own data."""

from keras_optlab.lab.comparison import compare
from keras_optlab.lab.learning_rate_range import LearningRateRange
from keras_optlab.lab.one_cycle_training import OneCycleResult, fit_one_cycle
from keras_optlab.lab.range_test import find_learning_rate

# No submodule here may have one of these names: importing it would put the module in the place of
# the function.
__all__ = ["LearningRateRange", "OneCycleResult", "compare", "find_learning_rate", "fit_one_cycle"]
