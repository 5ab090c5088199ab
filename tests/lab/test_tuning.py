"""Tuning in comparisons: the same budget for all, pruned trials, and what they cost."""

import importlib.util
import json
import math
import types

import keras
import numpy as np
import pandas
import pytest

import keras_optlab.lab
from keras_optlab import optimizers
from keras_optlab.lab import contenders, data, report, tuning
from keras_optlab.lab.comparison import Plan, check_settings
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.farm import Farm
from keras_optlab.lab.results import Metric, Search, Settings
from keras_optlab.lab.training import Task
from optlab import command

pytest.importorskip("optuna", reason="the extra `lab` brings it")

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(90, 4)).astype("float32")
Y = (np.tanh(X @ RANDOM.normal(size=4)) + 0.1 * RANDOM.normal(size=90)).astype("float32")
DATASET = data.from_arrays("x", (X, Y), 0, standardize=True)
EPOCHS, TRIALS = 9, 24


# Search ranges


def labels(name, kind="optimizer"):
    return [one.label for one in tuning.space(kind, name)]


def test_ranges_follow_from_the_declared_arguments():
    assert labels("SGD") == ["learning_rate", "1 - momentum"]
    assert labels("Adam") == ["learning_rate", "1 - beta_1", "1 - beta_2", "epsilon"]
    assert "weight_decay" in labels("AdamW")
    # Arguments that are off by default stay off, and schedules have only a rate.
    assert labels("Ftrl") == labels("CosineDecay", "schedule") == ["learning_rate"]


def test_ranges_hold_the_untuned_value_and_only_allowed_ones():
    for name in optimizers.__all__:
        arguments = getattr(optimizers, name).declared_arguments
        for one in tuning.space("optimizer", name):
            assert one.low < one.start < one.high
            assert one.value(one.start) == pytest.approx(one.untuned)
            for number in (one.low, one.high):
                arguments[one.name].normalize(one.value(number))


# Searches, with metrics from a formula so that no model is trained


class Formula:
    """A trainee whose error falls with each epoch, and is lower for a rate closer to the best."""

    def __init__(self, side, task, seed, examiner):
        rate = float(keras.ops.convert_to_numpy(side.optimizer().learning_rate))
        self.away = abs(math.log10(rate / 0.02)) + 0.01 * seed
        self.validations, self.stopped = [(1.0, 1.0)], ""

    def train(self, epoch, rows):
        if self.away > 1.3:
            self.stopped = "diverged"
        error = math.nan if self.stopped else self.away + 1 / (epoch + 1)
        self.validations.append((error, error))


@pytest.fixture
def by_formula(monkeypatch):
    monkeypatch.setattr(tuning, "Trainee", Formula)


def searched(name="Adam", seed=0, trials=TRIALS, kind="optimizer", higher_is_better=False):
    task = Task(DATASET, None, EPOCHS, 24, built_in=False)
    metric = Metric("mean_absolute_error", higher_is_better)
    judge = types.SimpleNamespace(objective=types.SimpleNamespace(metric=metric))
    return tuning.search(task, Search(kind, name, trials, seed), judge)


def without_times(found):
    return [
        (trial.rate, trial.arguments, trial.validation_metric, trial.steps, trial.stopped)
        for trial in found.trials
    ]


def test_the_first_trial_has_the_values_without_tuning(by_formula):
    first = searched("SGD", trials=1).trials[0]
    assert (first.rate, first.arguments) == (0.05, (("momentum", 0.9),))
    adam = dict(searched("Adam", trials=1).trials[0].arguments)
    assert adam == pytest.approx({"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7})


def test_rows_have_the_same_budget_and_trials_are_pruned(by_formula):
    for kind, name in (("optimizer", "SGD"), ("optimizer", "AdamW"), ("schedule", "CosineDecay")):
        found = searched(name, kind=kind)
        assert len(found.trials) == TRIALS
        cost = found.cost
        assert cost["trials"] == TRIALS and cost["trials_pruned"] > 0
        assert cost["trials_failed"] == sum(t.stopped == "diverged" for t in found.trials)
        for trial in found.trials:
            epochs = len(trial.validation_metric)
            assert trial.steps == 3 * epochs
            assert (epochs == EPOCHS) == (not trial.stopped)
        steps = sum(trial.steps for trial in found.trials)
        assert cost["tuning_steps"] == steps < 3 * EPOCHS * TRIALS


def test_the_best_trial_is_the_best_that_came_to_its_end(by_formula):
    found = searched()
    assert found.best_trial.validation_metric[-1] == min(found.finals)
    assert found.finals[0] > min(found.finals)
    names = ("trials_lower_quartile", "trials_median", "trials_upper_quartile")
    quartiles = [found.cost[name] for name in names]
    assert quartiles == pytest.approx(list(np.quantile(found.finals, [0.25, 0.5, 0.75])))
    assert found.cost["trials_best"] == min(found.finals)
    worst = searched(higher_is_better=True)
    assert worst.best_trial.validation_metric[-1] == max(worst.finals)


def test_the_seed_decides_the_trials(by_formula):
    assert without_times(searched()) == without_times(searched())
    rates = [[trial.rate for trial in searched(seed=seed).trials] for seed in (0, 1)]
    assert rates[0] != rates[1]


def test_trials_that_all_fail_leave_the_first(by_formula, monkeypatch):
    monkeypatch.setattr(Formula, "train", lambda self, epoch, rows: setattr(self, "stopped", "x"))
    found = searched("SGD", trials=3)
    assert (found.best, found.finals, found.cost["trials_median"]) == (None, [], None)
    assert found.cost["trials_failed"] == 3
    assert found.best_trial.rate == contenders.standard_rate("optimizer", "SGD")


def test_optuna_logs_are_not_shown(by_formula, capsys):
    import optuna

    before = optuna.logging.get_verbosity()
    searched(trials=2)
    assert capsys.readouterr().err == ""
    assert optuna.logging.get_verbosity() == before


def test_a_missing_optuna_is_named_with_the_install_command(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name != "optuna" and found(name))
    with pytest.raises(
        ValueError, match=r'optuna not installed: pip install "keras-optlab\[lab\]"'
    ):
        keras_optlab.lab.compare(X, Y, optimizers="SGD", tune=2)


# Whole comparisons

NAMES = ("SGD", "Adam", "Lion")


def plan(folder=None, **others):
    settings = Settings(NAMES, (), epochs=4, batch_size=8, seeds=2, tune=3, built_in=False)
    return Plan(DATASET, settings, runs_folder=folder, **others)


def quiet(name, done, to_do):
    """Report no progress."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def results(folder):
    """Three algorithms with three trials each, and two seeds with the best trial's values."""
    return plan(folder).carry_out(quiet)


@pytest.mark.slow
def test_the_best_arguments_are_trained_from_all_seeds(results):
    for comparison in results.comparisons:
        best = comparison.tuning.best_trial
        assert [duel.run.seed for duel in comparison.duels] == [0, 1]
        assert all(duel.run.arguments == best.arguments for duel in comparison.duels)
        assert comparison.rate == best.rate
        assert f"learning_rate={best.rate:g}" in comparison.setting
        # The first seed is that of the trials, so its run starts and ends like the best trial.
        final = comparison.duels[0].ours.validation_metric[-1]
        assert final == pytest.approx(best.validation_metric[-1], rel=1e-5)
        assert comparison.final().deviation > 0


@pytest.mark.slow
def test_a_finished_search_is_not_repeated(results, folder, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr(tuning, "search", refuse)
    again = plan(folder).carry_out(quiet)
    assert again.reused == 3 + 3 * 2
    assert again.comparisons == results.comparisons


@pytest.mark.slow
def test_the_report_shows_the_cost_of_tuning(results, tmp_path):
    page = results.report(tmp_path).read_text(encoding="utf-8")
    assert "What tuning found and cost" in page and "3 trials for each row" in page
    assert "best mean absolute error by tuning steps" in page
    table = pandas.read_csv(tmp_path / "results.csv").set_index("name")
    trials = pandas.read_csv(tmp_path / "trials.csv")
    assert list(table["trials"]) == [3, 3, 3] and len(trials) == 9
    for comparison in results.comparisons:
        row, of_row = table.loc[comparison.name], trials[trials["name"] == comparison.name]
        assert row["tuning_steps"] == of_row["steps"].sum()
        assert row["tuning_seconds"] == pytest.approx(of_row["seconds"].sum())
        assert row["trials_best"] == pytest.approx(min(comparison.tuning.finals))
        assert f"{row['tuning_steps']:,}" in page
    assert trials.loc[trials["name"] == "SGD", "momentum"].notna().all()
    assert "beta_1" in trials
    numbers = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [len(one["tuning"]["trials"]) for one in numbers["comparisons"]] == [3, 3, 3]
    # It is listed there, so that a later report without tuning removes it.
    assert "trials.csv" in report.FILES


@pytest.mark.processes
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="workers are tested on torch")
def test_workers_give_the_results_of_one_process():
    one, several = plan().carry_out(quiet), plan(farm=Farm(jobs=2)).carry_out(quiet)
    for here, there in zip(one.comparisons, several.comparisons, strict=True):
        assert without_times(here.tuning) == without_times(there.tuning)


@pytest.mark.slow
def test_the_command_prints_the_cost_of_tuning(tmp_path, capsys):
    np.savez(tmp_path / "table.npz", x=X, y=Y)
    given = ["compare", "--data", str(tmp_path / "table.npz"), "--optimizers", "SGD,Lion"]
    given += ["--tune", "2", "--epochs", "1", "--without-built-in", "--seeds", "2"]
    assert command.main([*given, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "2 trials" in printed and "Pruned" in printed and "…" not in printed


def test_targets_are_checked_before_training():
    metric = Metric()
    settings = Settings(("SGD",), (), target=2.0)
    with pytest.raises(InputError, match=r"for accuracy\. Received: 2"):
        check_settings(settings, 90, metric)
    check_settings(settings, 90, Metric("mean_absolute_error", False))
