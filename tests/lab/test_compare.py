"""A short, real comparison: what it measures, and the report that it writes."""

import json
import struct
from html.parser import HTMLParser
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest

from keras_optlab import schedules
from keras_optlab.lab import contenders, data, report, training
from keras_optlab.lab.comparison import Plan
from keras_optlab.lab.contenders import LEARNING_RATES, Contender, Side
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.results import Run, Settings
from keras_optlab.lab.training import Examiner, Task, Trainee
from optlab import command

EPOCHS, BATCH = 2, 16


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    """A file of three clouds of points that a small network can tell apart."""
    random = np.random.default_rng(5)
    labels = np.arange(150) % 3
    centers = np.array([[0, 0, 0, 9], [4, 0, 0, 9], [0, 4, 0, 9]])
    path = tmp_path_factory.mktemp("data") / "blobs <&>.npz"
    np.savez(path, x=centers[labels] + random.normal(size=(150, 4)), y=labels)
    return path


@pytest.fixture(scope="module")
def folder(blobs, tmp_path_factory):
    """The folder of a report on two algorithms, one schedule and the 1cycle callback."""
    out = tmp_path_factory.mktemp("out") / "new" / "report"
    arguments = ["--optimizers", "SGD,Adam", "--schedules", "CosineDecay,OneCycle"]
    arguments += ["--epochs", str(EPOCHS), "--batch-size", str(BATCH)]
    assert command.main(["compare", *arguments, "--data", str(blobs), "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def results(folder):
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def test_the_folder_holds_the_report_and_the_finished_runs(folder):
    assert sorted(file.name for file in folder.iterdir()) == [
        "epochs.csv",
        "optimizers.png",
        "report.html",
        "results.csv",
        "results.json",
        "runs",
        "schedules.png",
    ]
    for name in ("optimizers.png", "schedules.png"):
        header = (folder / name).read_bytes()[:24]
        assert header[:8] == b"\x89PNG\r\n\x1a\n"
        width, height = struct.unpack(">II", header[16:24])
        assert width > 800 and height > 300


def test_results_say_what_was_compared(results):
    assert results["settings"]["optimizers"] == ["SGD", "Adam"]
    assert results["metric"] == {"name": "accuracy", "higher_is_better": True}
    assert results["data"]["training_rows"] == 120
    assert results["data"]["validation_rows"] == 30
    assert results["data"]["steps_per_epoch"] == 120 // BATCH
    assert results["versions"]["keras"] == keras.__version__
    assert results["versions"]["backend"] == keras.backend.backend()
    names = [comparison["name"] for comparison in results["comparisons"]]
    assert names == ["SGD", "Adam", "constant rate", "CosineDecay", "OneCycle"]


def test_the_csv_files_hold_the_numbers_of_the_json(folder, results):
    table, epochs = (pandas.read_csv(folder / f"{name}.csv") for name in ("results", "epochs"))
    assert list(table["name"]) == ["SGD", "Adam", "constant rate", "CosineDecay", "OneCycle"]
    # Both sides, before the first epoch and after each epoch; the callback has no built-in.
    assert len(epochs) == (4 * 2 + 1) * (EPOCHS + 1)
    for comparison, row in zip(results["comparisons"], table.itertuples(), strict=True):
        ours = only_duel(comparison)["ours"]
        assert row.validation_metric == ours["validation_metric"][-1]
        assert row.step_seconds == ours["step_seconds"]
        of_row = epochs[(epochs["name"] == row.name) & (epochs["library"] == "keras-optlab")]
        assert list(of_row["validation_loss"]) == ours["validation_loss"]
        assert list(of_row["training_loss"])[1:] == ours["training_loss"]
    assert list(table["built_in_validation_metric"].isna()) == [False] * 4 + [True]


def only_duel(comparison):
    (point,) = comparison["points"]
    (duel,) = point["duels"]
    return duel


def test_ours_and_the_built_in_learn_the_same(results):
    for comparison in results["comparisons"]:
        duel = only_duel(comparison)
        ours, built_in = duel["ours"], duel["built_in"]
        assert ours["validation_metric"][-1] > 0.8 > ours["validation_metric"][0]
        assert len(ours["validation_loss"]) == EPOCHS + 1
        assert len(ours["training_loss"]) == EPOCHS
        assert ours["step_seconds"] > 0
        if comparison["name"] == "OneCycle":
            assert (built_in, duel["weight_difference"]) == (None, None)
            continue
        assert duel["weight_difference"] <= 1e-5
        np.testing.assert_allclose(ours["validation_loss"], built_in["validation_loss"], rtol=1e-5)


def test_the_learning_rates_drawn_are_those_of_the_formula(results):
    steps = EPOCHS * (120 // BATCH)
    rates = {one["name"]: one["learning_rate"] for one in results["comparisons"]}
    cosine = 0.5 * (1 + np.cos(np.pi * np.arange(steps) / steps))
    np.testing.assert_allclose(rates["CosineDecay"], contenders.SCHEDULED_RATE * cosine)
    np.testing.assert_allclose(rates["SGD"], [LEARNING_RATES["SGD"]] * steps)


class Page(HTMLParser):
    """Parses the references, tags, ids, table headers and texts of a page."""

    VOID = ("meta", "br", "link", "img", "input", "hr")
    FETCHING = ("src", "srcset", "href", "xlink:href", "data", "poster", "action", "background")

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.tags = [], [], []
        self.identifiers, self.headers, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [value for name, value in attributes if name in self.FETCHING]
        self.identifiers += [value for name, value in attributes if name == "id"]
        if tag == "th":
            self.headers.append(dict(attributes).get("scope"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.texts.append(text)


def test_the_page_is_self_contained_and_well_formed(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert page.references and all(reference.startswith("#") for reference in page.references)
    assert not {"link", "iframe", "object", "embed", "base"} & set(page.tags)
    assert "default-src 'none'" in text
    assert {reference[1:] for reference in page.references} <= set(page.identifiers)
    assert len(page.identifiers) == len(set(page.identifiers))
    assert page.tags.count("table") == 2
    assert page.headers and set(page.headers) == {"col", "colgroup", "row"}


def test_the_page_shows_the_figures_and_escapes_names(folder, results):
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert "optlab compare: blobs <&>.npz" in page.texts
    for comparison in results["comparisons"]:
        assert comparison["name"] in page.texts
        accuracy = only_duel(comparison)["ours"]["validation_metric"][-1]
        assert f"{accuracy:.1%}" in page.texts


def blobs_task(blobs, epochs=1, batch_size=120):
    return Task(data.read(blobs, None, 0), None, epochs, batch_size, built_in=True)


def test_both_sides_have_the_same_weights_and_batches(blobs):
    """SGD without momentum, by hand in NumPy: one step on the first batch of the first epoch."""
    task = blobs_task(blobs)
    sides = [Side(lambda: contenders.optimizers.SGD(0.1)), Side(lambda: keras.optimizers.SGD(0.1))]
    examiner = Examiner(task)
    trainees = [Trainee(side, task, 7, examiner) for side in sides]
    initial = [weight.astype("float64") for weight in trainees[0].initial]
    expected = one_step(initial, task.dataset, 0.1)
    for trainee in trainees:
        trainee.train(0, np.arange(120))
        for weight, wanted in zip(trainee.model.get_weights(), expected, strict=True):
            np.testing.assert_allclose(weight, wanted, atol=1e-6)


def one_step(weights, dataset, rate):
    """Take a gradient step on the mean cross-entropy of softmax(tanh(x A + a) B + b)."""
    a_kernel, a_bias, b_kernel, b_bias = weights
    x, y = dataset.x_train.astype("float64"), np.eye(3)[dataset.y_train]
    hidden = np.tanh(x @ a_kernel + a_bias)
    outputs = np.exp(hidden @ b_kernel + b_bias)
    slope = (outputs / outputs.sum(axis=1, keepdims=True) - y) / len(x)
    inner = slope @ b_kernel.T * (1 - hidden**2)
    gradients = [x.T @ inner, inner.sum(axis=0), hidden.T @ slope, slope.sum(axis=0)]
    return [weight - rate * gradient for weight, gradient in zip(weights, gradients, strict=True)]


def sgd_duel(blobs, ours, theirs, epochs=1, batch_size=120):
    """Run a duel of SGD with a separate learning rate for each side."""
    task = blobs_task(blobs, epochs, batch_size)
    contender = Contender(
        kind="optimizer",
        name="SGD",
        setting="",
        ours=Side(lambda: keras.optimizers.SGD(ours)),
        built_in=Side(lambda: keras.optimizers.SGD(theirs)),
        rate_at=lambda step: ours,
    )
    run = Run("optimizer", "SGD", ours, 0)
    return training.duel(contender, task, run, Examiner(task))


def test_a_difference_between_the_two_is_measured(blobs):
    # One step: each weight moves in proportion to the rate, so all differ by a hundredth.
    duel = sgd_duel(blobs, 0.1 * 1.01, 0.1)
    assert duel.weight_difference == pytest.approx(0.01, rel=1e-3)


def test_a_diverged_side_is_ended_and_the_other_goes_on(blobs):
    duel = sgd_duel(blobs, 1e38, 0.1, epochs=4, batch_size=30)
    assert duel.ours.stopped == "diverged"
    assert len(duel.ours.training_loss) < 4
    assert np.isnan(duel.ours.validation_metric[-1])
    assert (duel.built_in.stopped, len(duel.built_in.training_loss)) == ("", 4)
    assert duel.weight_difference is None


def test_a_side_no_better_than_guessing_is_ended_half_way():
    labels = np.array([0] * 30 + [1] * 50)
    x = np.zeros((80, 1))
    dataset = data.from_arrays("x", (x, labels, x[:10], labels[25:35]), 0, standardize=False)
    objective = Examiner(Task(dataset, None, 1, 20, built_in=False)).objective
    loss, accuracy = objective.guess
    # Validation has five rows of each class; training has the classes in the ratio 3 to 5.
    assert loss == pytest.approx(-0.5 * np.log(3 / 8) - 0.5 * np.log(5 / 8))
    assert accuracy == 0.5

    def reason(epochs, of, loss, accuracy=0.5, training_loss=1.0):
        return training.reason_to_stop(objective, (epochs, of), (loss, accuracy), training_loss)

    guessing = "no better than guessing"
    assert [reason(epochs, 5, loss) for epochs in (1, 2, 3, 4, 5)] == [
        "",
        "",
        guessing,
        guessing,
        "",
    ]
    assert [reason(epochs, 3, loss) for epochs in (1, 2, 3)] == ["", guessing, ""]
    assert [reason(epochs, 2, 9.0) for epochs in (1, 2)] == ["", ""]
    assert reason(3, 5, loss - 1e-6) == reason(3, 5, loss, accuracy=0.51) == ""
    for bad in (np.nan, np.inf):
        assert reason(1, 5, bad) == reason(5, 5, 0.1, training_loss=bad) == "diverged"


def test_arguments_of_schedules_suit_any_number_of_steps():
    for steps in (1, 2, 9):
        for name in (contenders.CONSTANT, *contenders.schedule_names()):
            for rate in (contenders.SCHEDULED_RATE, 3.0):
                one = contenders.contender("schedule", name, rate, steps)
                assert one.name == name
                rates = [one.rate_at(step) for step in range(steps)]
                assert all(0 <= value <= rate * (1 + 1e-9) for value in rates)
                assert one.ours.optimizer().learning_rate is not None
    assert set(contenders.schedule_names()) == {*schedules.__all__, "OneCycle"}


def test_every_algorithm_has_a_learning_rate():
    assert set(LEARNING_RATES) == set(contenders.optimizers.__all__)


def test_a_batch_larger_than_the_data_is_refused(blobs):
    plan = Plan(data.read(blobs, None, 0), Settings(("SGD",), (), 1, 121))
    with pytest.raises(InputError, match="at most the number of training rows, 120"):
        plan.carry_out(print)


def test_a_report_replaces_the_old_one_and_leaves_other_files(tmp_path):
    for name in ("report.html", "schedules.png", "notes.txt"):
        (tmp_path / name).write_text("old")
    with report.replacing(tmp_path) as aside:
        (aside / "report.html").write_text("new")
        assert (tmp_path / "report.html").read_text() == "old"
    assert (tmp_path / "report.html").read_text() == "new"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["notes.txt", "report.html"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, ValueError])
def test_a_report_that_is_not_finished_changes_nothing(tmp_path, error):
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(error), report.replacing(tmp_path) as aside:
        (aside / "report.html").write_text("half")
        raise error
    assert (tmp_path / "report.html").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(error), report.replacing(tmp_path / "fresh"):
        raise error
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("at", [0, 1])
def test_ctrl_c_while_files_are_moved_waits_until_all_are(tmp_path, monkeypatch, at):
    replace, moves = Path.replace, []

    def interrupted(self, target):
        moves.append(target.name)
        if len(moves) == at + 1:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), report.replacing(tmp_path) as aside:
        (aside / "report.html").write_text("new")
        (aside / "results.csv").write_text("new")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "results.csv"]


def test_numbers_that_json_does_not_have_become_null():
    assert report.finite({"a": (1.0, float("nan")), "b": [float("inf")], "c": "x"}) == {
        "a": [1.0, None],
        "b": [None],
        "c": "x",
    }
