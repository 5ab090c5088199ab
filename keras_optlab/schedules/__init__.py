"""Schedules: a learning rate, or any other hyperparameter, as a function of the step."""

from keras_optlab.schedules.cosine import CosineDecay, CosineDecayRestarts
from keras_optlab.schedules.exponential import ExponentialDecay
from keras_optlab.schedules.inverse_time import InverseTimeDecay
from keras_optlab.schedules.one_cycle import OneCycleLearningRate, OneCycleMomentum
from keras_optlab.schedules.piecewise import PiecewiseConstantDecay
from keras_optlab.schedules.polynomial import PolynomialDecay
from keras_optlab.schedules.power import PowerDecay
from keras_optlab.schedules.sequence import Sequence
from keras_optlab.schedules.warmup import LinearWarmup

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LinearWarmup",
    "OneCycleLearningRate",
    "OneCycleMomentum",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "PowerDecay",
    "Sequence",
]
