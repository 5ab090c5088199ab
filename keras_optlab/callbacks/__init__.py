"""Callbacks: what steers an optimizer while `fit` goes on."""

from keras_optlab.callbacks.one_cycle import OneCycle
from keras_optlab.callbacks.performance_scheduling import PerformanceScheduling

__all__ = ["OneCycle", "PerformanceScheduling"]
