"""A pytest plugin for Keras' own tests, loaded in each process that runs or schedules them.

It replaces Keras' `conftest.py`, which the wheel lacks, swaps in our classes, and writes the
outcome of each test to a JSON file.
"""

import contextlib
import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest

# Environment variables, which reach the workers of pytest-xdist too.
OUTCOMES_FILE = "KERAS_SUITE_OUTCOMES"
BUILT_INS = "KERAS_SUITE_BUILT_INS"

MARKERS = ("requires_trainable_backend", "multi_device")


def pytest_configure(config: pytest.Config) -> None:
    """Prepare the process for Keras' tests."""
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker}: a marker of Keras' tests")
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcomes(Path(os.environ[OUTCOMES_FILE])))
    # With pytest-xdist, the main process runs no tests.
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        _prepare()


def _prepare() -> None:
    with contextlib.suppress(ImportError):
        # torch crashes if TensorFlow is imported first.
        import torch  # noqa: F401
    # Some tests import a function from the `conftest.py` at the root of Keras' repository.
    stand_in = types.ModuleType("conftest")
    stand_in.skip_if_backend = skip_if_backend
    sys.modules["conftest"] = stand_in
    if not os.environ.get(BUILT_INS):
        from keras_suite.swap import swap

        swap()


def skip_if_backend(backend: str, reason: str) -> pytest.MarkDecorator:
    """Return a mark that skips a test on `backend`, as in Keras' `conftest.py`."""
    import keras

    return pytest.mark.skipif(keras.backend.backend() == backend, reason=reason)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need several devices if there is only one."""
    if any("multi_device" in item.keywords for item in items) and not _has_several_devices():
        skip = pytest.mark.skip(reason="needs several devices")
        for item in items:
            if "multi_device" in item.keywords:
                item.add_marker(skip)


def _has_several_devices() -> bool:
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return jax.device_count() > 1
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.device_count() > 1
    return False


class Outcomes:
    """Collects the outcome of each test and writes them to a file at the end.

    The file maps the name of each test to a dict: its `outcome` ("passed", "failed" or "skipped"),
    and for a failure also the result of `describe`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record one phase of a test; a failure in any phase fails the test."""
        before = self.found.get(report.nodeid, {}).get("outcome")
        if report.failed:
            if before != "failed":
                self.found[report.nodeid] = {"outcome": "failed", **describe(report.longrepr)}
        elif before is None or (before == "passed" and report.skipped):
            self.found[report.nodeid] = {"outcome": report.outcome}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a file that could not be collected."""
        if report.failed:
            self.found[report.nodeid] = {"outcome": "failed", **describe(report.longrepr)}

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        self.path.write_text(json.dumps(self.found, indent=1, sort_keys=True))


def describe(failure: Any) -> dict[str, str]:
    """Return an error in one line, and the last line of this package in its traceback.

    Args:
        failure: The `longrepr` of a report.
    """
    crash = getattr(failure, "reprcrash", None)
    lines = [line.strip() for line in (crash.message if crash else str(failure)).splitlines()]
    if not crash:
        # For a file that cannot be imported, pytest marks the lines of the error.
        lines = [line[2:].strip() for line in lines if line.startswith("E ")] or lines
    lines = [line for line in lines if line] or ["no message"]
    # Errors of NumPy and TensorFlow say what they are about in the second line.
    error = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
    described = {"error": error}
    entries = getattr(getattr(failure, "reprtraceback", None), "reprentries", [])
    places = [entry.reprfileloc for entry in entries if getattr(entry, "reprfileloc", None)]
    ours = [place for place in places if "keras_optlab/" in place.path]
    if ours:
        described["at"] = f"{ours[-1].path.rpartition('keras_optlab/')[2]}:{ours[-1].lineno}"
    return described
