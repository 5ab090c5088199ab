"""The package as a whole: what it exports, what importing it costs, that its examples run."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_optlab


def test_public_names():
    assert {"ParameterGroup", "from_keras", "optimizers", "schedules", "callbacks"} <= set(
        keras_optlab.__all__
    )
    assert keras_optlab.__version__ == importlib.metadata.version("keras-optlab")


def test_importing_brings_in_no_plotting_no_data_and_no_backend_but_the_chosen():
    code = (
        "import sys, keras; before = set(sys.modules); import keras_optlab;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new & {'matplotlib', 'sklearn', 'rich', 'tensorflow', 'jax', 'torch'}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert set(eval(printed)) <= {keras.backend.backend()}


def documented():
    for package in ("optimizers", "schedules", "callbacks"):
        module = getattr(keras_optlab, package)
        yield from (getattr(module, name) for name in module.__all__)
    yield from (keras_optlab.ParameterGroup, keras_optlab.from_keras, keras_optlab.layerwise_decay)


@pytest.mark.parametrize("thing", documented(), ids=lambda thing: thing.__name__)
def test_every_public_docstring_has_arguments_and_an_example_that_runs(thing):
    text = inspect.getdoc(thing)
    assert "Args:" in text
    model = keras.Sequential(
        [
            keras.layers.Input((3,)),
            keras.layers.Dense(3, name="backbone"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse")
    generator = np.random.default_rng(0)
    data = {"x": generator.normal(size=(64, 3)), "y": generator.normal(size=(64, 1))}
    names = {"keras": keras, "np": np, "keras_optlab": keras_optlab, "model": model, **data}
    example = doctest.DocTestParser().get_doctest(text, names, thing.__name__, None, None)
    assert example.examples
    output = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(example, out=output.append)
    assert not runner.failures, "".join(output)


def test_every_class_is_abstract_or_final():
    for info in pkgutil.walk_packages(keras_optlab.__path__, "keras_optlab."):
        if "engine.backend." in info.name or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, cls in vars(module).items():
            if inspect.isclass(cls) and cls.__module__ == info.name:
                has_heirs = bool(cls.__subclasses__())
                assert has_heirs != getattr(cls, "__final__", False), f"{info.name}.{name}"
