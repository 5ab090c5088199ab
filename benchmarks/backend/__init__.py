"""The parts that differ between TensorFlow, JAX and torch: a module each, with the same names."""

from importlib import import_module

import keras

_module = import_module(f"{__name__}.{keras.backend.backend()}")

NAME = keras.backend.backend()
# The ways to run a step, the default first, with the arguments that our optimizers need for each.
MODES = _module.MODES
# Another library of optimizers for this backend, or None.
RIVAL = _module.RIVAL
# How an optimizer refuses a sparse gradient: the exceptions, and a word that their message has.
SPARSE_REFUSAL = _module.SPARSE_REFUSAL
STREAM_NAME = _module.STREAM_NAME
Memory = _module.Memory
Step = _module.Step
compiled = _module.compiled
fresh_start = _module.fresh_start
gpu = _module.gpu
held = _module.held
rival = _module.rival
stream = _module.stream
