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
        pytest.skip("JAX before 0.8 has float64 only where JAX_ENABLE_X64=1 is set")
    with jax.enable_x64(True):
        yield
