"""The recorded numbers of other libraries match what they compute."""

import importlib

import keras
import pytest
import recordings


def test_all_that_is_recorded_is_small():
    files = sorted(recordings.FOLDER.iterdir())
    assert [file.stem for file in files] == list(recordings.NAMES)
    assert sum(file.stat().st_size for file in files) < 300_000


def test_missing_records_are_named():
    with pytest.raises(KeyError, match=r"SGD is not recorded. Run `python tests/record.py`"):
        recordings.recorded("optimizers", "SGD")


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="one backend is enough")
@pytest.mark.parametrize("name", recordings.NAMES)
def test_the_libraries_compute_the_recorded_numbers(name):
    for oracle in ("jax", "optax", "schedulefree", "torch"):
        pytest.importorskip(oracle, reason=f"{oracle} is not installed (extra `oracles`)")
    importlib.import_module("record").check(name)
