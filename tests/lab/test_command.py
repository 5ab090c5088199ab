"""The `optlab` command: its exit codes and one-line errors."""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_optlab import callbacks, optimizers, schedules, transforms
from keras_optlab.lab import parity
from optlab import command

OTHER_BACKENDS = sorted({"tensorflow", "jax", "torch"} - {keras.backend.backend()})


def run(arguments, capsys):
    """Return the exit code and stderr of a run that should fail."""
    code = command.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["comapre"], "No such command 'comapre'. Did you mean 'compare'?"),
        (["--nothing"], "No such option: --nothing"),
        (["compare", "--epoch", "3"], "No such option: --epoch (Possible options: --epochs)"),
        (["compare", "--epochs", "0"], "Invalid value for '--epochs': "),
        (["compare", "--epochs", "many"], "Invalid value for '--epochs': "),
        (["compare", "--batch-size", "-4"], "Invalid value for '--batch-size': "),
        (["compare", "--seed", "-1"], "Invalid value for '--seed': "),
        (["compare", "--backend", "theano"], "Invalid value for '--backend'"),
        (["compare", "--optimizers", "Adamm"], "unknown optimizer 'Adamm': did you mean Adam?"),
        (["compare", "--optimizers", "SGD", "Adam"], "separate list items with commas and no"),
        (["compare", "--schedules", "cosine"], "did you mean CosineDecay?"),
        (["compare", "--data", "nowhere.csv"], "nowhere.csv: no such file"),
        (["compare", "--label", "kind"], "--label names a column of a file. Received: --data None"),
        (["compare", "--seeds", "0"], "Invalid value for '--seeds': "),
        (["compare", "--jobs", "none"], "Invalid value for '--jobs': "),
        (["compare", "--target", "95"], "in the range (0, 1] for accuracy. Received: 95"),
        (
            ["compare", "--target", "nan"],
            "`target` must be a finite number, or None. Received: target=nan",
        ),
        (["compare", "--tune", "5", "--sweep"], "tuning searches the learning rate too"),
        (["compare", "--tune", "-1"], "Invalid value for '--tune': "),
        (["compare", "--task", "ranking"], "Invalid value for '--task': "),
        (
            ["compare", "--sweep-factors", "1,-1"],
            "`sweep` must be a list in which each item is a finite",
        ),
        (["compare", "--jobs", "2", "--dask", "tcp://x:1"], "dask for a cluster: choose one"),
        (["compare", "--data", "nowhere:f"], "--data: cannot import nowhere: ModuleNotFoundError"),
        (["compare", "--model", "os:nothing"], "--model: os has no function 'nothing'"),
        (["compare", "--model", "nowhere.py"], "--model takes module:function"),
        (
            ["compare", "--data", "math:sqrt", "--label", "y"],
            "a column of a file. Received: --data math:sqrt",
        ),
        (["compare", "--batch-size", "5000"], "training rows, 1438. Received: 5000"),
        (["parity", "--optimizers", "sdg"], "unknown optimizer 'sdg': did you mean SGD?"),
        (["list", "--backend", OTHER_BACKENDS[0]], f"process; expected {OTHER_BACKENDS[0]}"),
    ],
)
def test_wrong_input_is_one_line_on_stderr_and_exit_code_2(
    arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    code, error = run(arguments, capsys)
    assert code == 2
    assert message in error
    assert error.count("\n") == 1 and error.endswith("\n")
    assert list(tmp_path.iterdir()) == []


def test_without_arguments_the_help_is_shown(capsys):
    assert command.main([]) == 2
    printed = capsys.readouterr()
    assert printed.err == ""
    for name in ("compare", "find-lr", "landscape", "claims", "list", "show", "parity"):
        assert re.search(rf"^\W+{name} +\w", printed.out, re.MULTILINE), name


def test_a_bad_folder_is_refused_before_training(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for folder, reason in ((file, "not a folder"), (file / "below", "Not a directory")):
        code, error = run(["compare", "--optimizers", "SGD", "--out", folder], capsys)
        assert code == 2
        assert error.startswith(f"optlab: cannot write to {folder}: ") and reason in error
        assert error.count("\n") == 1
    assert file.read_text() == "mine"


def test_a_missing_extra_is_named_with_the_install_command(capsys, monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name != "matplotlib" and found(name)
    )
    code, error = run(["compare", "--out", tmp_path / "report"], capsys)
    assert code == 2
    assert error.startswith('optlab: matplotlib not installed: pip install "keras-optlab[lab]"')
    assert not (tmp_path / "report").exists()


def process(arguments, **environment):
    """Run the command as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "optlab", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def no_keras(tmp_path):
    """An environment in which importing Keras fails."""
    (tmp_path / "keras.py").write_text("raise RuntimeError('Keras was imported')\n")
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}


@pytest.mark.parametrize("name", ["", "compare", "find-lr", "landscape", "claims", "show"])
def test_help_takes_no_keras(name, no_keras):
    helped = process([*([name] if name else []), "--help"], **no_keras)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert f"Usage: optlab {name}".rstrip() in helped.stdout


def test_wrong_options_and_the_version_take_no_keras(no_keras):
    wrong = process(["compare", "--epochs", "none"], **no_keras)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("optlab compare: Invalid value for '--epochs'")
    assert wrong.stderr.endswith("(see optlab compare --help)\n") and wrong.stderr.count("\n") == 1
    version = importlib.metadata.version("keras-optlab")
    assert process(["--version"], **no_keras).stdout == f"keras-optlab {version}\n"


def test_completion_takes_no_keras(no_keras):
    typed = {"_OPTLAB_COMPLETE": "complete_bash", "COMP_WORDS": "optlab compare --ba"}
    completed = process([], COMP_CWORD="2", **typed, **no_keras)
    assert completed.stdout.split() == ["--batch-size", "--backend"]


def test_a_missing_typer_is_named_with_the_install_command(tmp_path):
    (tmp_path / "typer.py").write_text("raise ModuleNotFoundError('typer', name='typer')\n")
    missing = process(["list"], PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith('optlab: typer is not installed: pip install "keras-optlab')
    assert missing.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_closed_pipe_is_not_an_error():
    read, write = os.pipe()
    os.close(read)
    arguments = [sys.executable, "-m", "optlab", "list"]
    done = subprocess.run(arguments, stdout=write, stderr=subprocess.PIPE, timeout=120)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_missing_backend_is_named_with_the_install_command(tmp_path):
    missing = OTHER_BACKENDS[0]
    source = f"raise ModuleNotFoundError(\"No module named '{missing}'\", name='{missing}')"
    (tmp_path / f"{missing}.py").write_text(source)
    for arguments, environment in (
        (["list"], {"KERAS_BACKEND": missing}),
        (["list", "--backend", missing], {}),
    ):
        result = process(arguments, PYTHONPATH=str(tmp_path), **environment)
        assert (result.returncode, result.stdout) == (2, "")
        assert f'pip install "keras-optlab[{missing}]"' in result.stderr
        assert result.stderr.count("\n") == 1


def test_an_unknown_keras_backend_is_refused():
    result = process(["list"], KERAS_BACKEND="theano")
    assert (result.returncode, result.stdout) == (2, "")
    assert "(env var: 'KERAS_BACKEND')" in result.stderr and "theano" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_nothing_but_our_line_reaches_stderr():
    result = process(["parity", "--optimizers", "Adamm"])
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "optlab: unknown optimizer 'Adamm': did you mean Adam?\n"


def test_list_names_every_class_with_its_defaults_and_source(capsys):
    assert command.main(["list"]) == 0
    printed = capsys.readouterr().out
    blocks = {block.split(":")[0]: block for block in re.split(r"\n\n+", printed)}
    for name in (*optimizers.__all__, *schedules.__all__, *callbacks.__all__):
        assert re.search(r"^    Source: \S.*[^.]\.$", blocks[name], re.DOTALL | re.MULTILINE), name
    assert re.search(r"beta_2 = 0.999 +a number in the range \[0, 1\)", blocks["Adam"])
    assert "Kingma & Ba, 2014" in blocks["Adam"]
    assert re.search(r"^    decay_steps +a finite number > 0$", blocks["PowerDecay"], re.MULTILINE)
    assert "clipnorm" not in blocks["Adam"]
    assert re.search(r"^    clipnorm = None", printed, re.MULTILINE)


def test_list_as_json_has_every_class(capsys):
    assert command.main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    for module in (optimizers, transforms, schedules, callbacks):
        entries = listed[module.__name__.rpartition(".")[2]]
        assert [entry["name"] for entry in entries] == list(module.__all__)
        assert all(entry["source"] and entry["summary"] for entry in entries)
    assert "clipnorm" in [argument["name"] for argument in listed["shared_arguments"]]


@pytest.mark.slow
def test_parity_as_json_has_every_case(capsys):
    assert command.main(["parity", "--optimizers", "SGD", "--json"]) == 0
    cases = json.loads(capsys.readouterr().out)
    assert len(cases) == 3
    assert all(case["passed"] and case["error"] <= case["tolerance"] for case in cases)


@pytest.mark.slow
def test_parity_passes_and_shows_each_case(capsys):
    assert command.main(["parity", "--optimizers", "SGD,Lion"]) == 0
    printed = capsys.readouterr().out
    assert len(re.findall(r"^(SGD|Lion) .* ok\s*$", printed, re.MULTILINE)) == 6
    assert "6 of 6 cases within tolerance" in printed


def test_parity_exits_with_1_when_ours_is_off_the_built_in(capsys, monkeypatch):
    class Wrong(keras.optimizers.SGD):
        declared_arguments = optimizers.SGD.declared_arguments

        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient, variable, learning_rate * (1 + 1e-4))

    Wrong.__name__ = "SGD"
    monkeypatch.setattr(parity.optimizers, "SGD", Wrong)
    assert command.main(["parity", "--optimizers", "SGD"]) == 1
    assert "TOO FAR" in capsys.readouterr().out


def test_an_interrupted_comparison_leaves_the_old_report(capsys, monkeypatch, tmp_path):
    from keras_optlab.lab import tuning

    (tmp_path / "report.html").write_text("old")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "duel", interrupted)
    code, error = run(["compare", "--optimizers", "SGD", "--out", tmp_path], capsys)
    assert code == 130
    assert "interrupted" in error
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def test_the_data_option_reaches_the_training(capsys, tmp_path):
    features = np.full((20, 2), np.inf)
    np.savez(tmp_path / "bad.npz", x=features, y=np.arange(20) % 2)
    code, error = run(["compare", "--data", tmp_path / "bad.npz"], capsys)
    assert code == 2
    assert "every feature must be a finite number. Received: inf" in error
