"""Start processes that train on several devices, while the test process trains on one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from device_training import OneDevice, Results

HELPERS = Path(__file__).parents[1] / "helpers"
# Only keeps workers from waiting for each other forever.
TIME_LIMIT = 900


class Worker:
    """A script of `tests/helpers`, run in a separate process.

    Args:
        script: Name of the script.
        arguments: Arguments of the script, starting with the file that it writes.
        environment: Environment variables in addition to those of the tests.
    """

    def __init__(self, script: str, *arguments: object, **environment: str) -> None:
        settings = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HELPERS.parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, str(HELPERS / script), *map(str, arguments)],
            env={**os.environ, **settings, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self) -> None:
        """Wait for the script; fail with its output if it fails."""
        try:
            output, _ = self.process.communicate(timeout=TIME_LIMIT)
        finally:
            self.process.kill()
        assert self.process.returncode == 0, output[-4000:]


@pytest.fixture(scope="session")
def one_device() -> OneDevice:
    return OneDevice()


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Yield a function that starts a worker and returns a function that waits for its results."""
    workers = []

    def start_worker(script: str, *arguments: object, **environment: str):
        path = tmp_path_factory.mktemp("results") / "results.npz"
        worker = Worker(script, path, *arguments, **environment)
        workers.append(worker)

        def results() -> dict[str, list]:
            worker.finish()
            return Results.load(path)

        return results

    yield start_worker
    for worker in workers:
        worker.process.kill()
        worker.process.wait()
