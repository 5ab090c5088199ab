"""Runs on one core, on several processes of this machine, or on a Dask cluster."""

import contextlib
import importlib.util
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np

from keras_optlab.lab.errors import InputError
from keras_optlab.lab.training import Examiner, Task
from keras_optlab.lab.tuning import Outcome, Work, work_on
from keras_optlab.lab.versions import versions

# So often in a row may workers die before any run is finished.
PATIENCE = 3
DASK_TIMEOUT = 10
ARRAYS = ("x_train", "y_train", "x_validation", "y_validation")


@final
@dataclass(frozen=True)
class Farm:
    """Where runs are trained."""

    jobs: int = 1  # processes of this machine
    dask: str | None = None  # address of a Dask scheduler, whose workers train instead

    def train(self, task: Task, runs: Sequence[Work]) -> Iterator[Outcome]:
        """Do all runs and searches, and give each result as soon as it is there, in any order."""
        if self.jobs == 1 and self.dask is None:
            examiner = Examiner(task)
            yield from (work_on(task, run, examiner) for run in runs)
            return
        self.require_packages()
        waiting = dict.fromkeys(runs)
        failures = 0
        while waiting:
            try:
                for result in self.in_parallel(task, list(waiting)):
                    del waiting[result.run]
                    failures = 0
                    yield result
            except ImportError as error:
                raise InputError(f"a worker cannot import what it needs: {error}") from error
            except BrokenExecutor as error:
                # A worker was killed, and joblib ended the others with it. What is finished is
                # finished; the rest begins anew.
                failures += 1
                if failures == PATIENCE:
                    raise InputError(
                        f"worker processes were killed {PATIENCE} times in a row before any run "
                        f"was finished: is there memory enough for --jobs {self.jobs}?"
                    ) from error

    def require_packages(self) -> None:
        """Check that what runs go through is there."""
        require("joblib", "lab")
        if self.dask:
            require("distributed", "dask")

    def in_parallel(self, task: Task, runs: Sequence[Work]) -> Iterator[Outcome]:
        """Have the workers do runs and searches."""
        import joblib

        arrays = {name: getattr(task.dataset, name) for name in ARRAYS}
        if task.model is not None and not isinstance(task.model, str):
            task = replace(task, model=joblib.wrap_non_picklable_objects(task.model))
        pickled = pickle.dumps(
            replace(task, dataset=replace(task.dataset, **dict.fromkeys(ARRAYS)))
        )
        work = joblib.delayed(worker_function())
        here = {"folder": os.getcwd(), "versions": versions()}
        calls = (work(pickle.dumps(run), pickled, arrays, here) for run in runs)
        with self.backend(arrays):
            # One run at a time, so that a worker that is killed loses no more.
            how: dict[str, Any] = {"batch_size": 1, "return_as": "generator_unordered"}
            results: Any = joblib.Parallel(n_jobs=self.jobs, **how)(calls)
            yield from results

    @contextlib.contextmanager
    def backend(self, arrays: dict[str, np.ndarray]) -> Iterator[None]:
        """Joblib's back-end."""
        import joblib

        if self.dask is None:
            with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
                yield
            return
        from dask.distributed import Client

        try:
            client = Client(self.dask, timeout=DASK_TIMEOUT, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(f"no Dask scheduler answers at {self.dask}: {error}") from None
        with client:
            if not client.ncores():
                raise InputError(f"the Dask cluster at {self.dask} has no workers")
            # Each worker has the arrays from the start: one that is killed takes nothing along.
            with joblib.parallel_config(backend="dask", client=client, scatter=[arrays]):
                yield


def require(module: str, extra: str) -> None:
    """Check that a package is there."""
    if not importlib.util.find_spec(module):
        raise InputError(f'{module} not installed: pip install "keras-optlab[{extra}]"')


def worker_function() -> Callable[[bytes, bytes, dict[str, np.ndarray], dict[str, Any]], Any]:
    """What a worker calls.

    A function within a function goes to the worker as code, not as a name in this package, whose
    import would import Keras: the backend is chosen before that, and before the task is unpickled.
    """

    def work(run: bytes, task: bytes, arrays: dict, origin: dict) -> Any:
        import os
        import sys

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        if "keras" not in sys.modules:
            os.environ["KERAS_BACKEND"] = origin["versions"]["backend"]
        if origin["folder"] not in sys.path:
            sys.path.insert(0, origin["folder"])
        from keras_optlab.lab.worker import work_off

        return work_off(run, task, arrays, origin["versions"])

    return work
