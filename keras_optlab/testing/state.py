"""Checks that all state is kept where it is saved: in slots, `Scalar`s and arguments."""

import copy
import pickle
import sys
import tempfile
from pathlib import Path
from typing import Any

import keras

from keras_optlab.testing.internals import run_plainly
from keras_optlab.testing.problem import Problem, arrays, first_line, take_steps

STATE = (
    "The formula reads state that is not saved: an attribute, a variable created by hand, or a "
    "random generator. Keep it in a `Slot` (one per variable) or a `Scalar`, compute it from "
    "`h.t`, or draw it from `h.random`."
)


def saved_state(problem: Problem) -> None:
    """Check that training resumes from a saved model as if it had not been interrupted."""
    half = problem.steps // 2
    stopped = problem.model(run_plainly(problem.optimizer()))
    take_steps(stopped.optimizer, stopped.trainable_variables, problem.gradients[:half])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        name = keras.saving.get_registered_name(problem.cls)
        try:
            stopped.save(path)
            resumed: Any = keras.saving.load_model(path, custom_objects={name: problem.cls})
        except Exception as error:
            raise problem.fault(
                f"a model compiled with it cannot be saved and loaded: {first_line(error)}. Leave "
                "`__init__`, `get_config`, `save_own_variables` and their counterparts to the base "
                "class."
            ) from error
    variables = resumed.trainable_variables
    take_steps(run_plainly(resumed.optimizer), variables, problem.gradients[half:])
    difference = problem.difference(arrays(variables))
    if difference:
        raise problem.fault(
            f"training saved after {half} steps and resumed ends with different weights than "
            f"uninterrupted training: {difference}. {STATE}"
        )


def copied_state(problem: Problem) -> None:
    """Check that a pickled (or deep-copied) optimizer continues training like the original."""
    half = problem.steps // 2
    optimizer, variables = problem.built()
    take_steps(run_plainly(optimizer), variables, problem.gradients[:half])
    try:
        resumed = _copied(optimizer)
    except Exception as error:
        raise problem.fault(
            f"it cannot be pickled or copied: {first_line(error)}. Pass only picklable functions "
            "and objects to the constructor."
        ) from error
    copies = problem.variables()
    for variable, value in zip(copies, arrays(variables), strict=True):
        variable.assign(value)
    take_steps(run_plainly(resumed), copies, problem.gradients[half:])
    difference = problem.difference(arrays(copies))
    if difference:
        raise problem.fault(
            f"a copy made after {half} steps, by pickle or `copy.deepcopy`, trains to different "
            f"weights than the original: {difference}. {STATE}"
        )


def _copied(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    cls = type(optimizer)
    module = sys.modules.get(cls.__module__)
    if getattr(module, cls.__qualname__, None) is cls:
        return pickle.loads(pickle.dumps(optimizer))
    # Pickle finds only classes at the top level of a module.
    return copy.deepcopy(optimizer)
