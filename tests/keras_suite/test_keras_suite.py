"""The run of Keras' own tests: its verdict, and that it runs them with our classes."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

from keras_suite import verdict
from keras_suite.plugin import describe

HERE = Path(__file__).parent
PASSED, SKIPPED = {"outcome": "passed"}, {"outcome": "skipped"}
FAILED = {"outcome": "failed", "error": "ValueError: no", "at": "engine/optimizer.py:7"}


def judge(outcomes, reruns=None, recorded=(), exceptions=(), minimum=None):
    return verdict.judge(outcomes, reruns or {}, recorded, exceptions, minimum)


def test_a_failure_counts():
    decided = judge({"a": PASSED, "b": FAILED, "c": SKIPPED}, {"b": FAILED})
    assert not decided.passed
    assert decided.report(12).splitlines() == [
        "new failures:",
        "  b",
        "      ValueError: no (engine/optimizer.py:7)",
        "================= 1 failed, 1 passed, 1 skipped in 12s =================".center(80, "="),
    ]


def test_a_failure_that_was_not_rerun_counts():
    assert list(judge({"a": FAILED}, reruns={}).new) == ["a"]


def test_a_test_that_passes_when_rerun_is_reported_only():
    decided = judge({"a": FAILED}, {"a": PASSED})
    assert decided.passed
    assert decided.flaky == ["a"]
    assert "  a\n" in decided.report(1)
    assert "1 passed, 1 flaky" in decided.report(1)


def test_failures_of_built_ins_and_exceptions_do_not_count():
    decided = judge({"a": FAILED, "b": FAILED}, recorded=["a"], exceptions=["b"])
    assert decided.passed
    assert (decided.recorded, decided.excepted) == (["a"], ["b"])


def test_a_recorded_failure_may_pass_on_another_machine():
    assert judge({"a": PASSED}, recorded=["a"], minimum=1).passed


@pytest.mark.parametrize("outcomes", [{"a": PASSED}, {"a": SKIPPED}, {"b": PASSED}])
def test_an_exception_that_no_longer_fails_is_an_error(outcomes):
    decided = judge(outcomes, exceptions=["a"], minimum=0)
    assert not decided.passed
    assert decided.stale == ["a"]


def test_an_exception_that_was_not_requested_is_not_stale():
    assert judge({"b": PASSED}, exceptions=["a"]).passed


def test_too_few_tests_are_an_error():
    outcomes = {"a": PASSED, "b": SKIPPED}
    assert judge(outcomes, minimum=1).passed
    assert not judge(outcomes, minimum=2).passed
    assert not judge({}, minimum=2).passed


def test_records_are_kept_by_version_and_backend(tmp_path):
    path = tmp_path / "records.json"
    assert verdict.read_record("3.15.1", "jax", path) is None
    verdict.write_record("3.15.1", "jax", {"a": "ImportError"}, path)
    verdict.write_record("3.15.1", "torch", {}, path)
    verdict.write_record("3.12.4", "jax", {"b": "OSError"}, path)
    verdict.write_record("3.15.1", "jax", {"c": "KeyError"}, path)
    assert verdict.read_record("3.15.1", "jax", path) == {"c": "KeyError"}
    assert verdict.read_record("3.15.1", "torch", path) == {}
    assert verdict.read_record("3.12.4", "jax", path) == {"b": "OSError"}
    assert verdict.read_record("3.12.4", "torch", path) is None


def test_exceptions_may_be_limited_to_backends_and_versions(tmp_path):
    path = tmp_path / "exceptions.toml"
    path.write_text(
        '[[exception]]\nreason = "private"\ntests = ["a"]\n'
        '[[exception]]\nreason = "path"\nbackends = ["jax"]\nversions = ["3.15.1"]\ntests = ["b"]\n'
    )
    assert verdict.read_exceptions("3.15.1", "jax", path) == {"a": "private", "b": "path"}
    assert verdict.read_exceptions("3.15.1", "torch", path) == {"a": "private"}
    assert verdict.read_exceptions("3.12.4", "jax", path) == {"a": "private"}


@pytest.mark.parametrize(
    "text",
    [
        '[[exception]]\ntests = ["a"]',
        '[[exception]]\nreason = " "\ntests = ["a"]',
        '[[exception]]\nreason = "b"\ntests = ["a", "a"]',
    ],
)
def test_every_exception_has_one_reason(tmp_path, text):
    path = tmp_path / "exceptions.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="reason"):
        verdict.read_exceptions("3.15.1", "jax", path)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_the_list_of_exceptions_can_be_read(backend):
    verdict.read_exceptions("3.15.1", backend)


def failure(message, *places):
    entries = [
        SimpleNamespace(reprfileloc=SimpleNamespace(path=path, lineno=line))
        for path, line in places
    ]
    return SimpleNamespace(
        reprcrash=SimpleNamespace(message=message),
        reprtraceback=SimpleNamespace(reprentries=[*entries, SimpleNamespace()]),
    )


def test_an_error_is_its_first_line_and_our_last_one():
    places = [("/x/keras_optlab/engine/a.py", 1), ("/x/keras_optlab/b.py", 2), ("/x/keras/c.py", 3)]
    described = describe(failure("ValueError: no\n\nmore", *places))
    assert described == {"error": "ValueError: no", "at": "b.py:2"}


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("AssertionError: \nNot equal\n\n1 / 1", "AssertionError: Not equal"),
        ("NotImplementedError", "NotImplementedError"),
        ("", "no message"),
    ],
)
def test_the_first_line_of_an_error_says_something(message, error):
    assert describe(failure(message)) == {"error": error}


def test_a_file_that_fails_to_import_has_the_imports_error():
    text = (
        "ImportError while importing test module\na_test.py:1: in <module>\nE   ImportError: no b"
    )
    assert describe(text) == {"error": "ImportError: no b"}


SWAPPED = """
import keras
built_ins = {
    name: value for name, value in vars(keras.optimizers).items() if isinstance(value, type)
}
schedules = dict(vars(keras.optimizers.schedules))
from keras_suite.swap import counterparts, swap
pairs = swap()

import keras_optlab
from keras.src import optimizers as internal
from keras.src.optimizers.adam import Adam
from keras.src.optimizers.schedules.learning_rate_schedule import CosineDecay

ours = keras_optlab.optimizers
assert keras.optimizers.Adam is internal.Adam is Adam is ours.Adam
assert keras.optimizers.Lamb is ours.Lamb
assert keras.optimizers.schedules.CosineDecay is CosineDecay is keras_optlab.schedules.CosineDecay
for name in ("adam", "Adam", {"class_name": "Adam", "config": {}}):
    assert type(keras.optimizers.get(name)) is ours.Adam
config = {"module": "keras.optimizers", "class_name": "SGD", "config": {}, "registered_name": None}
assert type(keras.saving.deserialize_keras_object(config)) is ours.SGD
assert ours.Adam in internal.ALL_OBJECTS and built_ins["Adam"] not in internal.ALL_OBJECTS
model = keras.Sequential([keras.layers.Dense(1)])
model.compile("sgd", "mse")
assert type(model.optimizer) is ours.SGD

# What is Keras' stays, and works: on torch, built-ins are made by a variant of their class.
for name in ("Optimizer", "LossScaleOptimizer"):
    assert getattr(keras.optimizers, name) is built_ins[name]
assert isinstance(built_ins["Adam"](), built_ins["Adam"])
assert not isinstance(built_ins["Adam"](), keras_optlab.engine.optimizer.Optimizer)
assert len(pairs) >= 13 + 6
"""


def environment():
    paths = [str(HERE.parents[1]), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "KERAS_BACKEND": keras.backend.backend(),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }


@pytest.mark.slow
def test_swap_puts_our_classes_where_the_built_ins_were():
    subprocess.run([sys.executable, "-c", SWAPPED], env=environment(), check=True)


@pytest.mark.slow
def test_run_runs_tests_of_keras():
    if not any(Path(keras.__file__).parent.glob("src/optimizers/*_test.py")):
        pytest.skip("this wheel of Keras contains no tests")
    command = [sys.executable, HERE / "run.py", "optimizers/sgd_test.py", "-n", "1"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed in " in done.stdout.splitlines()[-1]
