"""Training of runs in this process, in several local processes, or on a Dask cluster."""

import contextlib
import importlib.util
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor
from dataclasses import dataclass, replace
from typing import Any, final

from keras_optlab.lab.errors import InputError
from keras_optlab.lab.training import Examiner, Task
from keras_optlab.lab.tuning import Outcome, Work, work_on
from keras_optlab.lab.versions import versions

# Give up when workers die this many times in a row without finishing a run.
PATIENCE = 3
DASK_TIMEOUT = 10
ARRAYS = ("x_train", "y_train", "x_validation", "y_validation")
# What a worker must have in common with the process that started the comparison.
SAME = ("keras-optlab", "keras", "backend")

# Keras has one random state per process, and a Dask worker may have several threads.
_one_at_a_time = threading.Lock()
# The last task's examiner, kept because making one takes as long as a short run.
_examiners: dict[bytes, Examiner] = {}


@final
@dataclass(frozen=True)
class Farm:
    """Where runs are trained."""

    jobs: int = 1  # processes on this machine
    dask: str | None = None  # address of a Dask scheduler, whose workers train instead

    def __post_init__(self) -> None:
        if self.dask is not None and self.jobs != 1:
            raise InputError("jobs is for this machine, dask for a cluster: choose one")

    def train(self, task: Task, runs: Sequence[Work]) -> Iterator[Outcome]:
        """Do all runs and searches, and yield each result as it finishes, in any order."""
        if self.jobs == 1 and self.dask is None:
            examiner = Examiner(task)
            yield from (work_on(task, run, examiner) for run in runs)
            return
        require("joblib", "lab")
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
                # A worker was killed, and joblib ended the others with it. Finished runs are kept;
                # the rest start over.
                failures += 1
                if failures == PATIENCE:
                    raise InputError(
                        f"worker processes were killed {PATIENCE} times in a row before any run "
                        f"finished: is there enough memory for --jobs {self.jobs}?"
                    ) from error

    def in_parallel(self, task: Task, runs: Sequence[Work]) -> Iterator[Outcome]:
        """Let workers do runs and searches."""
        import joblib

        arrays = {name: getattr(task.dataset, name) for name in ARRAYS}
        if callable(task.model):
            task = replace(task, model=joblib.wrap_non_picklable_objects(task.model))
        without = replace(task.dataset, **dict.fromkeys(ARRAYS))
        pickled = pickle.dumps(replace(task, dataset=without))
        work, here = joblib.delayed(worker_function()), {"folder": os.getcwd(), **versions()}
        calls = (work(pickle.dumps(run), pickled, arrays, here) for run in runs)
        with contextlib.ExitStack() as stack:
            where: dict[str, Any] = {"backend": "loky", "inner_max_num_threads": 1}
            if self.dask is not None:
                client = stack.enter_context(dask_client(self.dask))
                # Every worker gets the arrays up front, so they survive a killed worker.
                where = {"backend": "dask", "client": client, "scatter": [arrays]}
            stack.enter_context(joblib.parallel_config(**where))
            # One run at a time, so that a killed worker loses no more than that.
            how: dict[str, Any] = {"batch_size": 1, "return_as": "generator_unordered"}
            results: Any = joblib.Parallel(n_jobs=self.jobs, **how)(calls)
            yield from results


@contextlib.contextmanager
def dask_client(address: str) -> Iterator[Any]:
    """Connect to a Dask cluster, which must have workers."""
    require("distributed", "dask")
    from dask.distributed import Client

    try:
        client = Client(address, timeout=DASK_TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        if not client.ncores():
            raise InputError(f"the Dask cluster at {address} has no workers")
        yield client


def require(module: str, extra: str) -> None:
    """Check that a package is installed."""
    if not importlib.util.find_spec(module):
        raise InputError(f'{module} not installed: pip install "keras-optlab[{extra}]"')


def worker_function() -> Callable[[bytes, bytes, dict, dict[str, str]], Outcome]:
    """Return the function that workers call.

    A nested function is sent to the worker as code, not as a name in this package, whose import
    would import Keras. The backend must be chosen before that, and before the task is unpickled.
    """

    def work(run: bytes, task: bytes, arrays: dict, origin: dict[str, str]) -> Any:
        import os
        import sys

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        if "keras" not in sys.modules:
            os.environ["KERAS_BACKEND"] = origin["backend"]
        if origin["folder"] not in sys.path:
            sys.path.insert(0, origin["folder"])
        from keras_optlab.lab.farm import work_off

        return work_off(run, task, arrays, origin)

    return work


def work_off(run: bytes, pickled: bytes, arrays: dict, origin: dict[str, str]) -> Outcome:
    """Do a pickled run or search in a worker; the pickled task and its arrays come separately."""
    here = versions()
    for name in SAME:
        if here[name] != origin[name]:
            raise InputError(
                f"a worker has {name} {here[name]}, not {origin[name]}: restart it in the same "
                "environment as this process"
            )
    with _one_at_a_time:
        task = pickle.loads(pickled)
        task = replace(task, dataset=replace(task.dataset, **arrays))
        if pickled not in _examiners:
            _examiners.clear()
            _examiners[pickled] = Examiner(task)
        return work_on(task, pickle.loads(run), _examiners[pickled])
