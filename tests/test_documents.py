"""The code in docs/ and the examples in docstrings run as written.

The blocks of a page run in order in one process, unless a comment above a block says otherwise:

    <!-- needs: optuna -->                     runs only if the package is installed
    <!-- separate: KERAS_BACKEND=jax -->       runs alone, in a process with these variables
"""

import doctest
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
from selection import SLOW_ON_ONE

import keras_optlab
from keras_optlab import callbacks, lab, optimizers, schedules, testing, transforms

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"(?:<!-- (needs|separate): ([^\n]+) -->\n)?```python\n(.*?)```", re.DOTALL)

# Pages written by hand; those that the site generates have no blocks.
PAGES = sorted(path for path in DOCS.rglob("*.md") if "```python" in path.read_text())


@dataclass(frozen=True)
class Script:
    """Blocks that run in one process.

    Args:
        name: Name of the page, and what distinguishes the script from others of the page.
        code: The blocks.
        needs: Package that the script requires.
        variables: Environment variables that it needs.
    """

    name: str
    code: str
    needs: str | None = None
    variables: tuple[tuple[str, str], ...] = ()


def scripts(page: Path) -> Iterator[Script]:
    """Yield the scripts of a page."""
    name = page.relative_to(DOCS).with_suffix("").as_posix()
    blocks = BLOCK.findall(page.read_text())
    together = [(value, code) for kind, value, code in blocks if kind != "separate"]
    for need in dict.fromkeys(value for value, _ in together):
        code = [code for value, code in together if value in ("", need)]
        yield Script(f"{name}-{need}".rstrip("-"), "\n".join(code), need or None)
    separate = [(value, code) for kind, value, code in blocks if kind == "separate"]
    for number, (value, code) in enumerate(separate):
        variables = tuple(tuple(each.split("=", 1)) for each in value.split())
        backend = dict(variables)["KERAS_BACKEND"]
        yield Script(f"{name}-{backend}-{number}", code, backend, variables)


SCRIPTS = [script for page in PAGES for script in scripts(page)]


def marks_of(script):
    return pytest.mark.slow if script.name == "write_your_own" else SLOW_ON_ONE


def test_pages_with_code_are_found():
    assert {"get_started", "write_your_own", "recipes/devices-jax-1"} <= {
        script.name for script in SCRIPTS
    }


@pytest.mark.parametrize(
    "script",
    [pytest.param(each, id=each.name, marks=marks_of(each)) for each in SCRIPTS],
)
def test_code_blocks_run_one_after_another(script, tmp_path):
    if script.needs and importlib.util.find_spec(script.needs) is None:
        pytest.skip(f"{script.needs} is not installed")
    path = tmp_path / "page.py"
    path.write_text(script.code)
    done = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env=os.environ | dict(script.variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr


def public_objects() -> dict[str, object]:
    """Return the public objects and modules whose docstrings may have examples, by name."""
    modules = (keras_optlab, optimizers, transforms, schedules, callbacks, lab, testing)
    found = {module.__name__: module for module in modules}
    for module in modules:
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.ismodule(thing):
                found[f"{module.__name__}.{name}"] = thing
    return found


def examples(thing: object) -> list[doctest.Example]:
    """Return the examples in the docstrings of an object and, for a class, its public methods."""
    things = [thing]
    if inspect.isclass(thing):
        things += [each for name, each in inspect.getmembers(thing) if not name.startswith("_")]
    parser = doctest.DocTestParser()
    texts = [inspect.getdoc(each) or "" for each in things if callable(each) or each is thing]
    return [example for text in texts for example in parser.get_examples(text)]


EXAMPLES = {name: found for name, thing in public_objects().items() if (found := examples(thing))}
# Their examples train for many steps.
SLOW = ("keras_optlab.lab", "keras_optlab.testing")


def test_most_public_objects_have_examples():
    assert {f"keras_optlab.optimizers.{name}" for name in optimizers.__all__} <= set(EXAMPLES)


def small_training():
    """Return the compiled model and data that examples start with."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizers.SGD(0.01, momentum=0.9), loss="mse")
    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    return {"model": model, "x": x, "y": x.sum(axis=1, keepdims=True)}


# torch warns about `float(variable)`.
@pytest.mark.filterwarnings("ignore:Converting a tensor with requires_grad=True")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=SLOW_ON_ONE if name.startswith(SLOW) else ()) for name in EXAMPLES],
)
def test_docstring_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"keras": keras, "keras_optlab": keras_optlab, "np": np, **small_training()}
    test = doctest.DocTest(EXAMPLES[name], names, name, None, None, None)
    printed = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=printed.append, clear_globs=False)
    assert runner.failures == 0, "".join(printed)
