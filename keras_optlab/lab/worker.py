"""What a worker process does with a run, once its backend is chosen."""

import pickle
import threading
from dataclasses import replace

from keras_optlab.lab.errors import InputError
from keras_optlab.lab.training import Examiner
from keras_optlab.lab.tuning import Outcome, work_on
from keras_optlab.lab.versions import versions

# Keras has one random state a process, and a Dask worker may have several threads.
ONE_AT_A_TIME = threading.Lock()
# What must be the same here as where the comparison was started.
SAME = ("keras-optlab", "keras", "backend")

# The last comparison's examiner: making one takes as long as a short run.
_examiners: dict[bytes, Examiner] = {}


def work_off(run: bytes, pickled: bytes, arrays: dict, origin: dict[str, str]) -> Outcome:
    """Do a pickled run or search of a pickled task, whose arrays come by themselves.

    It takes the same versions and backend as where the comparison was started.
    """
    here = versions()
    for name in SAME:
        if here[name] != origin[name]:
            raise InputError(
                f"a worker has {name} {here[name]}, not {origin[name]}: start it anew, in the same "
                "environment"
            )
    with ONE_AT_A_TIME:
        task = pickle.loads(pickled)
        task = replace(task, dataset=replace(task.dataset, **arrays))
        if pickled not in _examiners:
            _examiners.clear()
            _examiners[pickled] = Examiner(task)
        return work_on(task, pickle.loads(run), _examiners[pickled])
