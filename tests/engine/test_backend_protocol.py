"""A backend overrides only what the protocol defines, and is the only one imported."""

import inspect
import sys

import keras
import pytest

from keras_optlab.backends import backend
from keras_optlab.backends.protocol import Backend

BACKEND = keras.backend.backend()
METHODS = [name for name, _ in inspect.getmembers(Backend, inspect.isfunction) if name[0] != "_"]
OVERRIDDEN = [name for name in vars(type(backend)) if not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_the_protocol_documents_each_method(name):
    assert inspect.getdoc(getattr(Backend, name))


def what_it_does(function):
    return function.__code__.co_code, function.__code__.co_names


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_a_backend_overrides_what_the_protocol_has(name):
    expected, found = getattr(Backend, name), getattr(type(backend), name)
    if not callable(expected):
        assert found != expected, "as by default"
        return
    assert list(inspect.signature(found).parameters) == list(inspect.signature(expected).parameters)
    abstract = getattr(expected, "__isabstractmethod__", False)
    assert abstract or what_it_does(found) != what_it_does(expected), "as by default"


def test_no_other_backend_is_imported():
    package = "keras_optlab.backends."
    modules = {name.removeprefix(package) for name in sys.modules if name.startswith(package)}
    assert {name.partition("_")[0] for name in modules} <= {"block", "protocol", "xla", BACKEND}
