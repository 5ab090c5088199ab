"""Setup shared by all tests: backend settings and a small training task."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests run in one process per core; torch's threads would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import keras
import pytest
from precision import double_precision
from training_task import Task

from keras_optlab.lab.network import set_seed

# Draw the same examples each time, so that a test fails at the commit that breaks it;
# `--hypothesis-profile=default` draws new ones.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")

# Tests share JAX's compiled programs through a temporary cache, which is deleted at the end.
COMPILED = tempfile.TemporaryDirectory()
if keras.backend.backend() == "jax":
    import jax

    jax.config.update("jax_compilation_cache_dir", COMPILED.name)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


TESTS = Path(__file__).parent
# User-facing tests, which CI runs on all backends, slow ones included.
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
    """Mark the tests in `GATE` before `-m` selects."""
    for item in items:
        is_here = item.path.is_relative_to(TESTS)
        if is_here and item.path.relative_to(TESTS).as_posix().startswith(GATE):
            item.add_marker(pytest.mark.gate)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Seed each test identically, whatever its order and process."""
    set_seed(0)


@pytest.fixture
def task() -> Task:
    return Task()


@pytest.fixture
def float64():
    """Use float64 throughout, including the optimizer's variables."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    with double_precision():
        yield
    keras.config.set_floatx(before)
