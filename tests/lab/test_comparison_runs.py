"""The runs of a comparison: where they are trained, how they resume, which rate is chosen."""

import json
import math
import os
import types

import keras
import numpy as np
import pytest

from keras_optlab.lab import comparison, data, farm, store
from keras_optlab.lab.comparison import Plan
from keras_optlab.lab.farm import Farm
from keras_optlab.lab.results import (
    Comparison,
    Duel,
    Metric,
    RatePoint,
    Run,
    Settings,
    Training,
    summary,
)

# Full comparisons and pictures, for CI and for work on the lab.
pytestmark = pytest.mark.slow

# Worker processes start slowly, and sending runs to them does not depend on the backend.
WORKER_BACKEND = "torch"
one_backend = pytest.mark.skipif(
    keras.backend.backend() != WORKER_BACKEND, reason=f"workers are tested on {WORKER_BACKEND}"
)
RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(60, 4)).astype("float32")
Y = (X[:, 0] > 0) * 1 + (X[:, 1] > 0)


def plan(folder=None, settings=None, x=X, **others):
    """Return a plan of two algorithms and two seeds: four runs of two steps."""
    settings = settings or Settings(("SGD", "Adam"), (), epochs=1, batch_size=20, seeds=2)
    return Plan(data.from_arrays("x", (x, Y), 0, True), settings, runs_folder=folder, **others)


def quiet(name, done, to_do):
    """Report no progress."""


def numbers(results):
    """Return everything except times, which must be the same wherever the runs are trained."""

    def of(training):
        if training is None:
            return None
        curves = training.validation_loss, training.validation_metric, training.training_loss
        return curves, training.stopped

    return [
        (duel.run, of(duel.ours), of(duel.built_in), duel.weight_difference)
        for comparison in results.comparisons
        for point in comparison.points
        for duel in point.duels
    ]


def training(accuracies, losses=None, stopped="", step_seconds=0.01):
    losses = losses or [1.0] * len(accuracies)
    return Training(
        validation_loss=tuple(losses),
        validation_metric=tuple(accuracies),
        training_loss=tuple(losses[1:]),
        step_seconds=step_seconds,
        stopped=stopped,
    )


@pytest.fixture
def without_training(monkeypatch):
    """Replace training with seeded random numbers: storing runs does not depend on it."""

    def numbers_of(task, run, examiner):
        random = np.random.default_rng([len(run.name), run.seed])
        accuracies = random.random(task.epochs + 1)
        built_in = training(random.random(task.epochs + 1)) if task.built_in else None
        return Duel(run, training(accuracies), built_in, 1e-7 if task.built_in else None)

    monkeypatch.setattr(farm, "work_on", numbers_of)
    monkeypatch.setattr(farm, "Examiner", lambda task: None)
    judged = types.SimpleNamespace(metric=Metric())
    monkeypatch.setattr(comparison, "Objective", lambda *arguments: judged)


def counting(monkeypatch, stop_at=math.inf):
    """Record the runs trained in this process, and simulate Ctrl-C after `stop_at` of them."""
    trained, train = [], farm.work_on

    def counted(task, run, examiner):
        if len(trained) == stop_at:
            raise KeyboardInterrupt
        trained.append(run)
        return train(task, run, examiner)

    monkeypatch.setattr(farm, "work_on", counted)
    return trained


def test_an_interrupted_comparison_ends_with_the_same_numbers(
    without_training, monkeypatch, tmp_path
):
    whole = plan().carry_out(quiet)
    with monkeypatch.context() as patch:
        first = counting(patch, stop_at=3)
        with pytest.raises(KeyboardInterrupt):
            plan(tmp_path).carry_out(quiet)
    second = counting(monkeypatch)
    seen = []
    results = plan(tmp_path).carry_out(lambda *arguments: seen.append(arguments))
    assert (len(first), len(second), results.reused) == (3, 1, 3)
    assert not set(first) & set(second)
    assert seen == [("Adam", 0, 1), ("", 1, 1)]
    assert numbers(results) == numbers(whole)
    assert plan(tmp_path).carry_out(quiet).reused == 4
    assert len(second) == 1


def test_one_more_seed_trains_only_that_seed(without_training, monkeypatch, tmp_path):
    plan(tmp_path).carry_out(quiet)
    trained = counting(monkeypatch)
    more = Settings(("SGD", "Adam"), (), epochs=1, batch_size=20, seeds=3, target=0.5)
    plan(tmp_path, more).carry_out(quiet)
    assert [(run.name, run.seed) for run in trained] == [("SGD", 2), ("Adam", 2)]


def test_another_setting_or_data_is_trained_anew(without_training, monkeypatch, tmp_path):
    plan(tmp_path).carry_out(quiet)
    trained = counting(monkeypatch)
    names = ("SGD", "Adam")
    for other in (
        plan(tmp_path, Settings(names, (), epochs=1, batch_size=15, seeds=2)),
        plan(tmp_path, Settings(names, (), epochs=2, batch_size=20, seeds=2)),
        plan(tmp_path, Settings(names, (), epochs=1, batch_size=20, seeds=2, built_in=False)),
        plan(tmp_path, x=np.where(np.arange(240).reshape(60, 4) == 7, X + 1e-3, X)),
        plan(tmp_path, model=two_layers),
    ):
        trained.clear()
        other.carry_out(quiet)
        assert len(trained) == 4
    trained.clear()
    monkeypatch.setattr(store, "versions", lambda: {"keras": "another"})
    assert plan(tmp_path).carry_out(quiet).reused == 0


def two_layers():
    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((4,)), dense(5, "relu"), dense(3, "softmax")])


def test_fresh_deletes_finished_runs_and_nothing_else(without_training, monkeypatch, tmp_path):
    plan(tmp_path).carry_out(quiet)
    (tmp_path / "mine.json").write_text("{}")
    trained = counting(monkeypatch)
    one = Settings(("SGD",), (), epochs=1, batch_size=20)
    assert plan(tmp_path, one, fresh=True).carry_out(quiet).reused == 0
    assert len(trained) == 1
    assert len(list(tmp_path.iterdir())) == 2
    assert (tmp_path / "mine.json").exists()


def flip_a_digit(text):
    start = '"validation_metric": ['
    place = text.index(start) + len(start) + 4
    digit = str((int(text[place]) + 1) % 10)
    return text[:place] + digit + text[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "\x00\xff" * 50,
        lambda text: "[" * 100_000,
        lambda text: "null",
        lambda text: text.replace('"checksum"', '"sum"'),
        flip_a_digit,
    ],
    ids=["truncated", "empty", "binary", "nested", "null", "no checksum", "one digit"],
)
def test_a_damaged_file_is_noticed_and_its_run_is_trained_again(
    damage, without_training, monkeypatch, tmp_path
):
    settings = Settings(("SGD",), (), epochs=1, batch_size=20, seeds=2, built_in=False)
    whole = plan(tmp_path, settings).carry_out(quiet)
    file = sorted(tmp_path.iterdir())[0]
    file.write_text(damage(file.read_text()))
    trained = counting(monkeypatch)
    results = plan(tmp_path, settings).carry_out(quiet)
    assert (results.reused, results.damaged, len(trained)) == (1, 1, 1)
    assert numbers(results) == numbers(whole)
    assert json.loads(file.read_text())["checksum"]


def test_a_run_of_another_file_name_is_not_taken_for_this_one(without_training, tmp_path):
    settings = Settings(("SGD",), (), epochs=1, batch_size=20, seeds=2, built_in=False)
    plan(tmp_path, settings).carry_out(quiet)
    one, other = sorted(tmp_path.iterdir())
    one.write_text(other.read_text())
    assert plan(tmp_path, settings).carry_out(quiet).damaged == 1


# Workers


MODEL = '''
import os
import signal
from pathlib import Path

import keras


def build():
    """A model with dropout; the first worker that builds it is killed in the middle of its run."""
    folder = Path({folder!r})
    if os.getpid() != {parent} and (folder / "once").exists():
        try:
            (folder / "once").rename(folder / "killed")
        except FileNotFoundError:
            pass
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(3)]
    return keras.Sequential([keras.Input((4,)), *layers])
'''


@pytest.fixture
def model(tmp_path, monkeypatch):
    """The name of a function that builds a model; if the file `once` exists, it kills a worker."""
    (tmp_path / "fragile.py").write_text(MODEL.format(folder=str(tmp_path), parent=os.getpid()))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*os.sys.path])
    yield "fragile:build"
    os.sys.modules.pop("fragile", None)


@pytest.mark.processes
@one_backend
@pytest.mark.parametrize("where", ["processes", "dask"])
def test_a_killed_worker_costs_a_run_and_no_number(where, model, tmp_path):
    expected = numbers(plan(model=model).carry_out(quiet))
    (tmp_path / "once").touch()
    if where == "processes":
        results = plan(model=model, farm=Farm(jobs=2)).carry_out(quiet)
    else:
        distributed = pytest.importorskip("distributed", reason="the extra `dask` is missing")
        options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
        with distributed.LocalCluster(**options, silence_logs=50) as cluster:
            address = cluster.scheduler_address
            results = plan(model=model, farm=Farm(dask=address)).carry_out(quiet)
    assert (tmp_path / "killed").exists()
    assert numbers(results) == expected


def test_an_unreachable_cluster_is_named(monkeypatch):
    pytest.importorskip("distributed", reason="the extra `dask` is missing")
    monkeypatch.setattr(farm, "DASK_TIMEOUT", 0.2)
    with pytest.raises(farm.InputError, match="no Dask scheduler answers"):
        plan(farm=Farm(dask="tcp://127.0.0.1:9")).carry_out(quiet)


# Choosing the best


def point(rate, *trainings):
    duels = (
        Duel(Run("optimizer", "SGD", rate, seed), one, None, None)
        for seed, one in enumerate(trainings)
    )
    return RatePoint(rate, tuple(duels))


def test_the_best_rate_has_most_seeds_then_accuracy_then_loss():
    good, better = training([0.1, 0.8]), training([0.1, 0.9])
    lower_loss = training([0.1, 0.9], [1.0, 0.5])
    ended = training([0.1, 0.99], stopped="diverged")

    def best(*points):
        return points[comparison.best_point(points, 1.0, Metric())].rate

    assert best(point(0.1, good), point(1.0, better)) == 1.0
    assert best(point(0.1, better, better), point(1.0, ended, better)) == 0.1
    assert best(point(0.1, good, good), point(1.0, ended, better)) == 0.1
    assert best(point(0.1, better), point(1.0, better), point(10.0, lower_loss)) == 10.0
    # On a tie, the default rate or the one nearest to it.
    assert best(point(0.1, ended), point(1.0, ended), point(10.0, ended)) == 1.0
    assert best(point(0.01, good), point(2.0, good), point(10.0, good)) == 2.0


def test_lower_is_better_for_an_error():
    error = Metric("mean_absolute_error", higher_is_better=False)
    points = [point(0.1, training([3, 2])), point(1.0, training([3, 1]))]
    assert comparison.best_point(points, 0.1, error) == 1
    one = training([9.0, 2.0, 1.0])
    assert [one.epochs_to(target, error) for target in (9, 2.5, 1, 0.5)] == [0, 1, 2, None]
    assert error.shown(0.12346, 0.0123) == "0.1235 ± 0.012"


def test_a_sweep_multiplies_the_standard_rates():
    settings = Settings(("SGD", "Lion"), ("CosineDecay",), sweep=(0.1, 1.0, 10.0))
    tried = {}
    for run in plan(settings=settings).runs({}):
        tried.setdefault(run.name, []).append(run.rate)
    rates = {"SGD": 0.05, "Lion": 0.002, "constant rate": 0.2, "CosineDecay": 0.2}
    assert set(tried) == set(rates)
    for name, standard in rates.items():
        assert tried[name] == pytest.approx([0.1 * standard, standard, 10 * standard])


def test_a_summary_is_over_the_seeds_that_have_the_figure():
    found = summary([1.0, None, 2.0, 6.0, math.nan])
    assert (found.mean, found.count, found.total) == (3.0, 3, 5)
    assert found.deviation == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert summary([4.0]).deviation is None
    assert summary([None]).mean is None


def test_a_curve_is_as_long_as_the_longest_seed():
    seeds = point(0.1, training([0, 1, 3, 7]), training([0, 3]), training([0, 2, math.nan]))
    comparison = Comparison("optimizer", "SGD", "", "", (), (seeds,), 0)
    found = comparison.curve("ours", "validation_metric")
    assert found.mean == (0, 2, 3, 7)
    assert found.low == (0, 1, 3, 7)
    assert found.high == (0, 3, 3, 7)
    assert comparison.curve("built_in", "training_loss").mean == ()


def test_time_to_a_target_ends_with_the_first_epoch_there():
    one = training([0.1, 0.5, 0.9, 0.8, 0.95])
    assert [one.epochs_to(target, Metric()) for target in (0.1, 0.5, 0.51, 0.9, 0.95, 0.96)] == [
        0,
        1,
        2,
        2,
        4,
        None,
    ]
    assert training([0.1, 0.9], stopped="diverged").epochs_to(0.5, Metric()) is None


def test_steps_and_seconds_to_the_target_and_the_default_target():
    settings = Settings(("SGD",), (), epochs=2, batch_size=20, built_in=False)
    results = plan(settings=settings).carry_out(quiet)
    (comparison,) = results.comparisons
    (duel,) = comparison.duels
    final = duel.ours.validation_metric[-1]
    assert results.target == pytest.approx(0.95 * final)
    epochs = next(n for n, value in enumerate(duel.ours.validation_metric) if value >= 0.95 * final)
    # 48 training rows make two batches of 20.
    steps, seconds = results.to_target(comparison)
    assert steps.mean == 2 * epochs
    assert seconds.mean == pytest.approx(2 * epochs * duel.ours.step_seconds)
