"""What all tests share: settings of the backends, and a small training task."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests run in as many processes as there are cores; torch's threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import keras
import pytest
from precision import double_precision
from training_task import Task

from keras_optlab.lab.network import set_seed

# The same examples each time, so that a test fails at the commit that breaks it;
# `--hypothesis-profile=default` draws others.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

# JAX compiles only once what several tests have in common; nothing is left behind.
COMPILED = tempfile.TemporaryDirectory()
if keras.backend.backend() == "jax":
    import jax

    jax.config.update("jax_compilation_cache_dir", COMPILED.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


TESTS = Path(__file__).parent
# What users meet, which CI runs on all backends, slow or not.
GATE = (
    "contexts/",
    "devices/",
    "everyday/",
    "optimizers/test_authors_numbers.py",
    "optimizers/test_digits.py",
    "test_check_optimizer.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of `GATE`, before `-m` selects."""
    for item in items:
        is_here = item.path.is_relative_to(TESTS)
        if is_here and item.path.relative_to(TESTS).as_posix().startswith(GATE):
            item.add_marker(pytest.mark.gate)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Begin each test with the same random numbers, in whatever order and process it runs."""
    set_seed(0)


@pytest.fixture
def task() -> Task:
    return Task()


@pytest.fixture
def float64():
    """Float64 throughout, the optimizer's variables included."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    with double_precision():
        yield
    keras.config.set_floatx(before)
