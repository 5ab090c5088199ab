"""The package as a whole: exports, cost of importing, version of Keras, docstrings."""

import doctest
import importlib
import importlib.metadata
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest
from packaging.requirements import Requirement

import keras_optlab
from keras_optlab.version import OLDEST_KERAS, check_keras


def test_public_names():
    names = {"ParameterGroup", "find_learning_rate", "fit_one_cycle", "from_keras", "optimizers"}
    assert names <= set(keras_optlab.__all__)
    assert all(hasattr(keras_optlab, name) for name in keras_optlab.__all__)
    assert keras_optlab.__version__ == importlib.metadata.version("keras-optlab")


@pytest.mark.slow
def test_importing_loads_no_plotting_and_one_backend_only():
    code = (
        "import sys, keras; before = set(sys.modules); import keras_optlab;"
        "backends = ('tensorflow', 'jax', 'torch');"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new & {'matplotlib', 'sklearn', 'rich', 'typer', *backends}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert set(eval(printed)) <= {keras.backend.backend()}


@pytest.fixture
def old_keras(tmp_path):
    """An environment where Keras is too old, and has nothing but a version."""
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "__init__.py").write_text('__version__ = "3.11.3"\n')
    paths = [str(tmp_path), str(Path(keras_optlab.__file__).parents[1])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


TOO_OLD = (
    "keras-optlab needs Keras >= 3.12. Received: keras 3.11.3. "
    "What to do: pip install --upgrade keras\n"
)


def test_an_old_keras_gives_an_error_with_advice(old_keras):
    done = subprocess.run(
        [sys.executable, "-c", "import keras_optlab"], capture_output=True, text=True, env=old_keras
    )
    assert done.returncode == 1
    assert done.stderr.endswith(f"ImportError: {TOO_OLD}")


def test_an_old_keras_is_one_line_in_the_command(old_keras):
    command = [sys.executable, "-m", "optlab", "parity", "--optimizers", "SGD"]
    done = subprocess.run(command, capture_output=True, text=True, env=old_keras)
    assert (done.returncode, done.stderr, done.stdout) == (2, f"optlab: {TOO_OLD}", "")


@pytest.mark.parametrize("version", ["3.12.0", "3.15.1", "3.16.0.dev202611", "4.0"])
def test_other_versions_are_taken(version):
    check_keras(version)


@pytest.mark.parametrize("version", ["3.9.2", "3.11.3", "2.15.0", "3.0rc1"])
def test_older_versions_are_not(version):
    with pytest.raises(ImportError, match=rf"Keras >= 3\.12\. Received: keras {version}"):
        check_keras(version)


def test_oldest_keras_matches_package_metadata():
    wanted = [Requirement(text) for text in importlib.metadata.requires("keras-optlab")]
    specifier = next(str(r.specifier) for r in wanted if r.name == "keras")
    assert specifier == f">={OLDEST_KERAS}"


def documented():
    for package in ("optimizers", "schedules", "callbacks"):
        module = getattr(keras_optlab, package)
        yield from (getattr(module, name) for name in module.__all__)
    yield from (keras_optlab.ParameterGroup, keras_optlab.from_keras, keras_optlab.layerwise_decay)
    yield from (keras_optlab.find_learning_rate, keras_optlab.fit_one_cycle)


# `test_documents.py` runs the examples.
@pytest.mark.parametrize("thing", list(documented()), ids=lambda thing: thing.__name__)
def test_public_docstrings_have_arguments_and_an_example(thing):
    text = inspect.getdoc(thing)
    assert "Args:" in text
    assert doctest.DocTestParser().get_examples(text)


def test_every_class_is_abstract_or_final():
    for info in pkgutil.walk_packages(keras_optlab.__path__, "keras_optlab."):
        # Modules that need a backend, which may not be installed, or that run a command.
        if "backends." in info.name or info.name.endswith(("_on_torch", "__main__")):
            continue
        module = importlib.import_module(info.name)
        for name, cls in vars(module).items():
            if inspect.isclass(cls) and cls.__module__ == info.name:
                has_heirs = bool(cls.__subclasses__())
                assert has_heirs != getattr(cls, "__final__", False), f"{info.name}.{name}"
