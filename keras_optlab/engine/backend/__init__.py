"""What differs between TensorFlow, JAX and torch: one module each, with the same names in it."""

from importlib import import_module

import keras

if keras.backend.backend() not in ("tensorflow", "jax", "torch"):
    raise ImportError(
        "keras-optlab trains on the TensorFlow, JAX and torch backends of Keras. "
        f"Received: KERAS_BACKEND={keras.backend.backend()!r}. Set KERAS_BACKEND to "
        "'tensorflow', 'jax' or 'torch' before importing Keras."
    )

_module = import_module(f"{__name__}.{keras.backend.backend()}")

CAST_ROUNDS_PYTHON_NUMBERS = _module.CAST_ROUNDS_PYTHON_NUMBERS
LOOKUPS_ARE_SUMMED = _module.LOOKUPS_ARE_SUMMED
NADAM_ROUNDS_BETAS_FIRST = _module.NADAM_ROUNDS_BETAS_FIRST
STEP_SEES_ONLY_ITS_VARIABLES = _module.STEP_SEES_ONLY_ITS_VARIABLES
as_written = _module.as_written
bits_of = _module.bits_of
checkpointed = _module.checkpointed
conditionally = _module.conditionally
decayed = _module.decayed
dense = _module.dense
float_of = _module.float_of
has_replicas = _module.has_replicas
is_sparse = _module.is_sparse
known_as = _module.known_as
lookups = _module.lookups
lookups_from = _module.lookups_from
# `keras.ops.maximum` and `minimum` give float32 for float64 tensors on torch.
maximum = _module.maximum
minimum = _module.minimum
no_gradient = _module.no_gradient
once_if = _module.once_if
outside_trace = _module.outside_trace
prepare = _module.prepare
random_state = _module.random_state
read_rows = _module.read_rows
run = _module.run
set_random_state = _module.set_random_state
shared = _module.shared
sum_along = _module.sum_along
sum_over_replicas = _module.sum_over_replicas
to_host = _module.to_host
total = _module.total
write_rows = _module.write_rows
