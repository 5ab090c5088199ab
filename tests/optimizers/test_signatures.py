"""Constructors have Keras' names, order and defaults; our arguments follow, by keyword only."""

import inspect
import re

import keras
import pytest
from keras_versions import OF_KERAS, with_built_in

from keras_optlab import optimizers

EXTRAS = {"decoupled_weight_decay", "groups", "settable", "jit_compile", "lazy", "slot_dtype"}
EXTRAS |= {"rounding", "nonfinite", "transforms"}
# Arguments of single algorithms.
FORMS = {
    "Lamb": {"decay_in_direction"},
    "Muon": {"form"},
    "ScheduleFreeAdamW": {"polynomial_power", "rate_power"},
    "SGD": {"learning_rate_in_velocity"},
    "Adagrad": {"epsilon_inside_root"},
    "RMSprop": {"epsilon_inside_root"},
    "Adam": {"bias_correction"},
    "AdamW": {"bias_correction"},
}


def arguments(cls):
    return [p for p in inspect.signature(cls).parameters.values() if p.kind != p.VAR_KEYWORD]


def unnumbered(name):
    return re.sub(r"_\d+$", "", name)


def by_keyword(cls):
    return [p for p in arguments(cls) if p.kind == p.KEYWORD_ONLY]


@pytest.mark.parametrize("name", with_built_in(optimizers.__all__))
def test_arguments_are_those_of_keras_in_order_with_its_defaults(name):
    ours, theirs = getattr(optimizers, name), getattr(keras.optimizers, name)
    positional = {p.name: p.default for p in arguments(ours) if p.kind != p.KEYWORD_ONLY}
    expected = {p.name: p.default for p in arguments(theirs)}
    # Before 3.15, Keras has a string here; now it derives the name from that of the class.
    if expected["name"] is None:
        assert unnumbered(ours().name) == unnumbered(theirs().name)
    assert list(positional.items()) == list({**expected, "name": None}.items())


@pytest.mark.parametrize("name", OF_KERAS)
def test_arguments_keras_lacks_are_keyword_only(name):
    found = {p.name for p in by_keyword(getattr(optimizers, name))}
    assert found == EXTRAS | FORMS.get(name, set())


@pytest.mark.parametrize("name", optimizers.__all__)
def test_every_class_is_final_registered_and_documented(name):
    cls = getattr(optimizers, name)
    assert cls.__final__
    assert keras.saving.get_registered_name(cls) == f"keras_optlab>{name}"
    own = {p.name for p in arguments(cls)} & set(vars(cls))
    described = {line.partition(":")[0].strip() for line in cls.__doc__.splitlines() if ":" in line}
    assert own <= described
    assert "Source" in cls.__doc__ and "Example:" in cls.__doc__


def test_all_fourteen_built_in_algorithms_are_here():
    base = keras.optimizers.Optimizer
    built_in = {
        name
        for name, cls in vars(keras.optimizers).items()
        if inspect.isclass(cls) and issubclass(cls, base)
    }
    wrappers = {"LossScaleOptimizer", "MultiOptimizer", "Optimizer"}
    older = set() if hasattr(keras.optimizers, "ScheduleFreeAdamW") else {"ScheduleFreeAdamW"}
    assert built_in - wrappers == set(OF_KERAS) - older
