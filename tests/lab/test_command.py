"""The `optlab` command: its exit codes, and the one line that says what is wrong."""

import importlib.util
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_optlab import callbacks, optimizers, schedules
from keras_optlab.lab import command, parity

OTHER_BACKENDS = sorted({"tensorflow", "jax", "torch"} - {keras.backend.backend()})


def run(arguments, capsys):
    """Exit code and stderr of a run that is to fail."""
    try:
        code = command.main([str(argument) for argument in arguments])
    except SystemExit as stopped:
        code = stopped.code
    captured = capsys.readouterr()
    assert captured.out == ""
    return code, captured.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required"),
        (["comapre"], "invalid choice: 'comapre'"),
        (["compare", "--epochs", "0"], "expected an integer >= 1. Received: 0"),
        (["compare", "--epochs", "many"], "expected an integer >= 1. Received: many"),
        (["compare", "--batch-size", "-4"], "expected an integer >= 1. Received: -4"),
        (["compare", "--seed", "-1"], "expected an integer >= 0. Received: -1"),
        (["compare", "--backend", "theano"], "invalid choice: 'theano'"),
        (["compare", "--optimizers", "Adamm"], "unknown optimizer 'Adamm': did you mean Adam?"),
        (["compare", "--schedules", "cosine"], "did you mean CosineDecay?"),
        (["compare", "--data", "nowhere.csv"], "cannot read nowhere.csv: No such file"),
        (["compare", "--label", "kind"], "--label names a column of --data"),
        (["compare", "--seeds", "0"], "expected an integer >= 1. Received: 0"),
        (["compare", "--jobs", "none"], "expected an integer >= 1. Received: none"),
        (["compare", "--target", "95"], "expected an accuracy in the range (0, 1]. Received: 95"),
        (["compare", "--target", "nan"], "expected an accuracy in the range (0, 1]. Received: nan"),
        (["compare", "--sweep", "1", "-1"], "expected a number > 0. Received: -1"),
        (["compare", "--jobs", "2", "--dask", "tcp://x:1"], "not allowed with argument"),
        (["compare", "--data", "nowhere:f"], "--data: cannot import nowhere: ModuleNotFoundError"),
        (["compare", "--model", "os:nothing"], "--model: os has no function 'nothing'"),
        (["compare", "--model", "nowhere.py"], "--model takes module:function"),
        (["compare", "--data", "math:sqrt", "--label", "y"], "and --data is a function"),
        (["compare", "--batch-size", "5000"], "training rows, 1438. Received: 5000"),
        (["parity", "--optimizers", "sdg"], "unknown optimizer 'sdg': did you mean SGD?"),
        (["list", "--backend", OTHER_BACKENDS[0]], f"not on {OTHER_BACKENDS[0]}"),
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


def test_a_folder_that_cannot_be_written_is_refused_before_training(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for folder, reason in ((file, "not a folder"), (file / "below", "Not a directory")):
        code, error = run(["compare", "--optimizers", "SGD", "--out", folder], capsys)
        assert code == 2
        assert error.startswith(f"optlab: cannot write to {folder}: ") and reason in error
        assert error.count("\n") == 1
    assert file.read_text() == "mine"


def test_a_missing_extra_is_named_with_what_installs_it(capsys, monkeypatch, tmp_path):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: name != "matplotlib" and found(name)
    )
    code, error = run(["compare", "--out", tmp_path / "report"], capsys)
    assert code == 2
    assert error.startswith('optlab: matplotlib not installed: pip install "keras-optlab[lab]"')
    assert not (tmp_path / "report").exists()


def process(arguments, **environment):
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "optlab_launcher", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_help_is_printed_and_wrong_usage_is_one_line():
    helped = process(["compare", "--help"])
    assert (helped.returncode, helped.stderr) == (0, "")
    assert "--batch-size" in helped.stdout
    wrong = process(["compare", "--epochs", "none"])
    assert wrong.returncode == 2
    assert wrong.stderr.count("\n") == 1


def test_a_backend_that_is_not_installed_is_named_with_what_installs_it(tmp_path):
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
    assert "KERAS_BACKEND must be one of tensorflow, jax, torch" in result.stderr
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


def test_an_interrupted_comparison_leaves_the_old_report_and_exits_with_130(
    capsys, monkeypatch, tmp_path
):
    from keras_optlab.lab import training

    (tmp_path / "report.html").write_text("old")

    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "duel", interrupted)
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
