"""Editors and type checkers see the constructors that the tables of arguments define."""

import ast
import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keras_optlab
from keras_optlab import callbacks, optimizers, schedules, transforms
from keras_optlab.arguments.hyperparameter import Hyperparameter
from keras_optlab.engine.shared_arguments import SharedArguments

PACKAGE = Path(keras_optlab.__file__).parent
PUBLIC = [
    getattr(package, name)
    for package in (callbacks, optimizers, schedules, transforms)
    for name in package.__all__
]


def stub(cls: type) -> ast.ClassDef:
    """Return the definition of a class in the stub of its module."""
    path = Path(inspect.getfile(cls)).with_suffix(".pyi")
    definitions = ast.parse(path.read_text()).body
    (found,) = [each for each in definitions if getattr(each, "name", "") == cls.__name__]
    return found


def functions(definition: ast.ClassDef) -> list[ast.FunctionDef]:
    return [each for each in definition.body if isinstance(each, ast.FunctionDef)]


def parameters(function: ast.FunctionDef) -> list[tuple]:
    """Return the name, kind and default of each parameter, in the form of `shown`."""
    given = function.args
    positional = given.posonlyargs + given.args
    required = [None] * (len(positional) - len(given.defaults))
    kinds = [inspect.Parameter.POSITIONAL_OR_KEYWORD] * len(positional)
    kinds += [inspect.Parameter.KEYWORD_ONLY] * len(given.kwonlyargs)
    defaults = [*required, *given.defaults, *given.kw_defaults]
    return [
        (argument.arg, kind, "required" if node is None else repr(ast.literal_eval(node)))
        for argument, kind, node in zip(positional + given.kwonlyargs, kinds, defaults, strict=True)
    ]


def shown(parameter: inspect.Parameter) -> tuple:
    is_required = parameter.default is parameter.empty
    return parameter.name, parameter.kind, "required" if is_required else repr(parameter.default)


def test_stubs_match_the_tables():
    pytest.importorskip("ruff", reason="the stubs are formatted by ruff, which is not installed")
    import stubs

    expected = stubs.stubs()
    assert stubs.out_of_date(expected) == [], "run `python tests/stubs.py`"
    assert expected


@pytest.mark.parametrize("cls", PUBLIC, ids=lambda cls: cls.__name__)
def test_stub_has_the_signature(cls):
    (constructor,) = [each for each in functions(stub(cls)) if each.name == "__init__"]
    own, *rest = parameters(constructor)
    assert own[0] == "self"
    assert not constructor.args.vararg and not constructor.args.kwarg
    assert rest == [shown(each) for each in inspect.signature(cls).parameters.values()]


@pytest.mark.parametrize("name", optimizers.__all__)
def test_stub_lets_each_hyperparameter_be_set_to_a_schedule(name):
    cls = getattr(optimizers, name)
    takes = {
        each.name: ast.unparse(each.args.args[1].annotation)
        for definition in (stub(SharedArguments), stub(cls))
        for each in functions(definition)
        if [ast.unparse(decorator) for decorator in each.decorator_list] == [f"{each.name}.setter"]
    }
    for argument in cls.declared_arguments.values():
        if isinstance(argument, Hyperparameter):
            assert "LearningRateSchedule" in takes[argument.name]


# A type checker must report the lines that end in "# wrong", and no others.
CALLS = """
import keras

from keras_optlab import ParameterGroup, callbacks, from_keras, optimizers, schedules, transforms
from keras_optlab.optimizers.adam import Adam
from keras_optlab.optimizers.base import DECAY_RATE, Optimizer, Values
from keras_optlab.optimizers.base import hyperparameter, learning_rate

schedule = keras.optimizers.schedules.ExponentialDecay(0.9, 100, 0.5)

optimizers.AdamW(betta_1=0.9)  # wrong
optimizers.AdamW(beta_1="0.9")  # wrong
optimizers.AdamW(bias_correction="algoritm_1")  # wrong
optimizers.AdamW(beta_1=0.9, bias_correction="algorithm_1", weight_decay=schedule)
optimizers.Adam(1e-3, transforms=[transforms.Cautious()])
optimizers.Adam(1e-3, transforms=[schedules.CosineDecay(0.1, 100)])  # wrong
optimizers.Adam(1e-3, groups=[ParameterGroup("bias$", weight_decay=0.0)], clipnorm=1.0)
optimizers.Adam(schedule)
optimizers.Adam(lambda: 0.1)
optimizers.Adam(keras.Variable(0.1))

schedules.CosineDecay(0.1, decay_steps=100)
schedules.CosineDecay(keras.Variable(0.1), 100, alpha=0.1, warmup_target=None)
schedules.CosineDecay(0.1)  # wrong
schedules.CosineDecay(0.1, decay_steps=100).decay_steps = 200  # wrong
schedules.PiecewiseConstantDecay([100, 200], (0.1, 0.01, 0.001))
schedules.Sequence([0.2, schedule], boundaries=[5])
value: float = schedules.CosineDecay(0.1, decay_steps=100).at(5)

optimizer = optimizers.SGD(0.1, momentum=0.9)
optimizer.momentum = schedule
optimizer.momentum = schedules.CosineDecay(0.9, decay_steps=100)
optimizer.momentum = 0.5
optimizer.momentum = "much"  # wrong
optimizer.learning_rate = schedule
optimizer.learning_rate = 0.1
optimizer.clipnorm = None
optimizer.exclude_from_weight_decay(var_names=["bias"])
half = optimizer.momentum / 2
same: optimizers.Adam = Adam(1e-3)

model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
model.compile(optimizer=Adam(), loss="mse")
model.compile(from_keras(keras.optimizers.Adam()), loss="mse")
one_cycle = callbacks.OneCycle(0.1, anneal="linear")
model.fit(keras.ops.ones((4, 1)), keras.ops.ones((4, 1)), callbacks=[one_cycle])
rates: list[float] = one_cycle.history["learning_rate"]
callbacks.OneCycle(0.1, aneal="linear")  # wrong


class Own(Optimizer):
    learning_rate = learning_rate(0.1)
    momentum = hyperparameter(0.9, DECAY_RATE)

    def slots(self, variable):
        return {}

    def derive(self, h: Values):
        return {"factor": h.learning_rate * (1 - h.momentum)}

    def step(self, g, p, s: Values, h: Values):
        return h.factor * g, {}


own = Own(schedule, momentum=0.5, weight_decay=0.1)
own.momentum = schedule
"""


@pytest.mark.slow
def test_pyright_finds_wrong_arguments_and_no_others(tmp_path):
    pytest.importorskip("pyright", reason="pyright is not installed: pip install .[types]")
    (tmp_path / "calls.py").write_text(CALLS)
    settings = {"typeCheckingMode": "standard", "extraPaths": [str(PACKAGE.parent)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    done = subprocess.run(
        [*command, "--project", str(tmp_path)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    found = {
        each["range"]["start"]["line"] + 1: each["message"]
        for each in json.loads(done.stdout)["generalDiagnostics"]
        if each["severity"] == "error"
    }
    lines = CALLS.splitlines()
    wrong = {number for number, line in enumerate(lines, start=1) if line.endswith("# wrong")}
    assert set(found) == wrong, {lines[number - 1]: text for number, text in found.items()}
