"""What differs between TensorFlow, JAX and torch: one module each, with the same names in it."""

from importlib import import_module

import keras

_module = import_module(f"{__name__}.{keras.backend.backend()}")

NAME = keras.backend.backend()
# How a step can be run, the usual way first, and the arguments that ours takes for it.
MODES = _module.MODES
# A library with optimizers of its own, None where there is none.
RIVAL = _module.RIVAL
# What an optimizer raises that cannot take a sparse gradient: the exceptions, and a word of theirs.
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
