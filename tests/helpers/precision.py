"""Double precision for tests."""

import contextlib

import keras
import pytest


@contextlib.contextmanager
def double_precision():
    """Enable float64 on JAX within a context; the other backends always have it."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    if not hasattr(jax, "enable_x64"):
        pytest.skip("JAX before 0.8 supports float64 only with JAX_ENABLE_X64=1")
    with jax.enable_x64(True):
        yield
