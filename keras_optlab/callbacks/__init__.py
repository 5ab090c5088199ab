"""Callbacks that steer or observe an optimizer during `fit`."""

from keras_optlab.callbacks.backup_and_restore import BackupAndRestore
from keras_optlab.callbacks.one_cycle import OneCycle
from keras_optlab.callbacks.performance_scheduling import PerformanceScheduling
from keras_optlab.callbacks.recorder import Recorder

__all__ = ["BackupAndRestore", "OneCycle", "PerformanceScheduling", "Recorder"]
