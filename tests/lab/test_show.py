"""`optlab show`: every class with its equations, arguments, source and differences from Keras."""

import inspect
import json
import re

import keras
import pytest

from keras_optlab import callbacks, optimizers, schedules
from optlab import command

MODULES = {"optimizers": optimizers, "schedules": schedules, "callbacks": callbacks}
CLASSES = {name: module for module in MODULES.values() for name in module.__all__}


def shown(name, capsys):
    """Return what the command prints, and its sections by heading."""
    assert command.main(["show", name]) == 0
    printed = capsys.readouterr().out
    parts = re.split(r"^(.+)\n-{3,}\n", printed, flags=re.MULTILINE)
    return printed, {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


@pytest.mark.parametrize("name", CLASSES)
def test_everything_is_there(name, capsys):
    cls = getattr(CLASSES[name], name)
    printed, sections = shown(name, capsys)
    documentation = inspect.getdoc(cls)
    assert printed.startswith(f"{name}: {documentation.splitlines()[0]}\n{cls.__module__[:12]}")
    # The equations of the docstring, line by line.
    before_arguments = documentation.partition("\nArgs:")[0]
    for line in before_arguments.splitlines():
        assert line in sections[""]
    arguments = sections["Arguments"] + sections.get("Arguments of every optimizer", "")
    for parameter in inspect.signature(cls).parameters.values():
        required = parameter.default is inspect.Parameter.empty
        first = parameter.name if required else f"{parameter.name} = {parameter.default!r}"
        meaning = re.search(rf"^{re.escape(first)}\n    (\S.+)", arguments, re.MULTILINE)
        assert meaning, parameter.name
    assert re.match(r"    \S", sections["Source"])
    assert re.match(r"    \S", sections["Compared with Keras"])


@pytest.mark.parametrize(
    "name", [name for name in optimizers.__all__ if hasattr(keras.optimizers, name)]
)
def test_the_arguments_that_keras_lacks_are_named(name, capsys):
    _, sections = shown(name, capsys)
    text = sections["Compared with Keras"]
    sentence = re.search(r"does not have the arguments(.+?)\.\n", text, re.S)
    named = set(re.findall(r"`(\w+)`", sentence[1]))
    theirs = inspect.signature(getattr(keras.optimizers, name).__init__).parameters
    ours = inspect.signature(getattr(optimizers, name)).parameters
    assert named == set(ours) - set(theirs)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("PowerDecay", "Keras has no PowerDecay."),
        ("CosineDecay", "Arguments and defaults are those of Keras."),
        ("ScheduleFreeAdamW", "reads z after it was updated"),
        ("PiecewiseConstantDecay", "Keras does not check the order"),
        ("Muon", "`momentum` and `rms_rate` may be set, as the learning rate may."),
    ],
)
def test_differences_from_keras_are_listed(name, sentence, capsys):
    _, sections = shown(name, capsys)
    assert sentence in " ".join(sections["Compared with Keras"].split())


def test_a_default_that_differs_is_named(capsys, monkeypatch):
    class Adam(keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.5, beta_1=0.9):
            super().__init__(learning_rate)

    monkeypatch.setattr(keras.optimizers, "Adam", Adam)
    _, sections = shown("Adam", capsys)
    assert "`learning_rate` is 0.001 by default, in Keras 0.5." in sections["Compared with Keras"]


def test_json_has_the_arguments_and_their_meanings(capsys):
    assert command.main(["show", "adam", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["entry"]["name"] == "Adam" and shown["path"] == "keras_optlab.optimizers.Adam"
    (epsilon,) = (one for one in shown["entry"]["arguments"] if one["name"] == "epsilon")
    assert epsilon["default"] == "1e-07" and "number" in epsilon["domain"]
    assert {"epsilon", "clipnorm"} <= set(shown["meanings"])


@pytest.mark.parametrize("name", ["adam", "ADAM", "Adam,"])
def test_upper_and_lower_case_are_one(name, capsys):
    assert shown(name, capsys)[0].startswith("Adam: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected at least one name: choose from ADOPT, LARS, "),
        (["adamm"], "unknown name 'adamm': did you mean Adam?"),
        (["xyz"], "unknown name 'xyz': choose from ADOPT, LARS, "),
        ([""], "expected at least one name: choose from ADOPT, LARS, "),
        (["Adam,SGD"], "expected a single name. Received: Adam,SGD"),
    ],
)
def test_a_wrong_name_gives_one_line_with_advice(arguments, message, capsys):
    assert command.main(["show", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1
