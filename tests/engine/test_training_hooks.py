"""Importing the package changes nothing in Keras; hooks come with the optimizers that need them."""

import subprocess
import sys

import pytest

REPLACED = """
import keras
def now():
    owners = {
        "callback lists": (keras.callbacks.CallbackList, "__init__"),
        "loading": (keras.Model, "load_weights"),
        "loading by function": (keras.saving, "load_weights"),
        "state trees": (keras.Model, "get_state_tree"),
        "set state trees": (keras.Model, "set_state_tree"),
        "fit": (keras.Model, "fit"),
    }
    return {name: getattr(*place) for name, place in owners.items()}
before = now()
def replaced():
    return sorted(name for name, function in now().items() if function is not before[name])
import keras_optlab
from keras_optlab import callbacks, optimizers
from keras_optlab.loops import training_hooks
"""
LOADING = ["loading", "loading by function", "set state trees", "state trees"]


def printed(program, folder, name="program.py"):
    """Return the lines that a program prints in a new process."""
    (folder / name).write_text(program)
    done = subprocess.run(
        [sys.executable, name], capture_output=True, text=True, check=False, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_hooks_are_installed_when_an_optimizer_needs_them(tmp_path):
    program = REPLACED + (
        "print(replaced())\n"
        "optimizers.Adam()\nprint(replaced())\n"
        "optimizers.Adam(nonfinite='skip')\nprint(replaced())\n"
        "training_hooks.remove()\nprint(replaced())\n"
        "optimizers.ScheduleFreeAdamW()\nprint(replaced())\n"
        "training_hooks.remove()\n"
        "callbacks.OneCycle(0.1)\nprint(replaced())\n"
        "training_hooks.remove()\nprint(replaced())\n"
        "callbacks.OneCycle(0.1)\nprint(replaced())\n"
    )
    with_lists = sorted(["callback lists", *LOADING])
    expected = ["[]", str(LOADING), str(with_lists), "[]", str(with_lists)]
    expected += ["['fit']", "[]", "['fit']"]
    assert printed(program, tmp_path) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["optlab.py", "keras_optlab_study.py"])
def test_scripts_may_be_named_like_the_command_or_package(tmp_path, name):
    program = "import keras_optlab\nprint(keras_optlab.optimizers.Adam().name)\n"
    assert printed(program, tmp_path, name) == ["adam"]


@pytest.mark.slow
def test_hooks_leave_models_with_built_ins_alone(tmp_path):
    """After ours, `fit` with a built-in has the same callbacks as before."""
    program = REPLACED + (
        "import numpy as np\n"
        "model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])\n"
        "kept = optimizers.ScheduleFreeAdamW()\n"
        "model.compile('adam', 'mse')\n"
        "class Count(keras.callbacks.Callback):\n"
        "    pass\n"
        "made = keras.callbacks.CallbackList([Count()], model=model)\n"
        "print([type(each).__name__ for each in made.callbacks])\n"
        "model.compile(kept, 'mse')\n"
        "made = keras.callbacks.CallbackList([Count()], model=model)\n"
        "print([type(each).__name__ for each in made.callbacks])\n"
    )
    assert printed(program, tmp_path) == ["['Count']", "['PointSwitch', 'Count']"]
