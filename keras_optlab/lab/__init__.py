"""The lab: find a learning rate, train in one call, compare algorithms on your own data."""

from keras_optlab.lab.comparison import compare
from keras_optlab.lab.learning_rate import OneCycleResult, find_learning_rate, fit_one_cycle
from keras_optlab.lab.learning_rate_range import LearningRateRange

# No submodule here may have one of these names: importing it would put the module in the place of
# the function.
__all__ = ["LearningRateRange", "OneCycleResult", "compare", "find_learning_rate", "fit_one_cycle"]
