"""The claims: small ones run in full, and a verdict can go either way."""

import dataclasses
import json
import math

import keras
import numpy as np
import pytest

from keras_optlab import schedules
from keras_optlab.lab import claims
from keras_optlab.lab.claims import adaptive, evidence, momentum, regularization
from keras_optlab.lab.claims.descent import Descent, descend
from keras_optlab.lab.claims.evidence import Evidence, Measurement
from keras_optlab.lab.claims.picture import Line, Panel
from keras_optlab.optimizers import SGD, Adam
from optlab import command

PNG = b"\x89PNG\r\n\x1a\n"


def made_up(value, expected=True, number=1):
    """Return evidence with one figure that must be above 1."""
    panel = Panel("Title", "x", "y", [Line("line", np.arange(3), np.arange(3.0))])
    figure = Measurement("figure", value, ">", 1, expected)
    return Evidence(number, "A claim.", (figure,), "What came out.", "What to see.", (panel,))


@pytest.mark.parametrize(
    ("value", "expected", "holds", "verdict"),
    [
        (2.0, True, True, "holds"),
        (0.5, True, False, "NOT AS DOCUMENTED"),
        (0.5, False, False, "does not hold as claimed"),
        (2.0, False, True, "NOT AS DOCUMENTED"),
        (math.nan, True, False, "NOT AS DOCUMENTED"),
        (math.nan, False, False, "NOT AS DOCUMENTED"),
        (1.0, True, False, "NOT AS DOCUMENTED"),
    ],
)
def test_the_verdict_follows_the_figure(value, expected, holds, verdict):
    one = made_up(value, expected)
    assert (one.holds, one.verdict) == (holds, verdict)


def test_an_unknown_relation_is_refused():
    with pytest.raises(ValueError, match=r"must be '<' or '>'\. Received: relation='='"):
        Measurement("figure", 1.0, "=", 1.0)


def test_steps_until_counts_to_where_the_values_stay():
    values = np.array([[5.0, 5, 0, 5], [5, 0, 0, 0], [0, 5, 0, np.nan], [0, 0, 0, 5]])
    np.testing.assert_array_equal(evidence.steps_until(values, 1), [2, 3, 0, np.inf])


def test_a_descent_is_the_optimizer_step_by_step():
    curvature = np.array([1.0, 4.0], "float32")

    def gradient(x, row):
        return keras.ops.convert_to_tensor(curvature) * x + row

    rows = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    rate = schedules.PowerDecay(0.2, 3.0)
    way = descend(SGD(rate, momentum=0.5), [1.0, -2.0], gradient, rows)
    x, velocity = np.array([1.0, -2.0]), np.zeros(2)
    expected = [x]
    for step, row in enumerate(rows):
        velocity = 0.5 * velocity - 0.2 / (1 + step / 3) * (curvature * x + row)
        x = x + velocity
        expected.append(x)
    np.testing.assert_allclose(way, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [lambda rate: SGD(rate, momentum=0.9), Adam])
def test_a_sweep_is_a_descent_at_each_rate(make):
    def gradient(x, row):
        return 3 * x + row

    rows = np.random.default_rng(0).normal(size=(12, 1)).astype("float32")
    rates = [0.01, 0.3]
    swept = Descent(make(1.0), [2.0], gradient, rates=rates).run(rows)
    for number, rate in enumerate(rates):
        alone = descend(make(rate), [2.0], gradient, rows)[1:]
        np.testing.assert_allclose(swept[:, number], alone, rtol=2e-4, atol=1e-5)


def test_a_descent_goes_on_and_can_start_again():
    descent = Descent(SGD(1.0, momentum=0.5), [1.0], lambda x, row: x, rates=[0.1])
    first = np.concatenate([descent.run(3), descent.run(2)])
    descent.restart(momentum=0.0)
    np.testing.assert_allclose(descent.run(2)[:, 0, 0], [0.9, 0.81], rtol=1e-6)
    descent.restart(momentum=0.5)
    np.testing.assert_array_equal(descent.run(5), first)


def test_momentum_on_a_slope_is_measured():
    one = momentum.speed_on_a_slope(steps=200)
    assert one.is_as_documented and one.holds
    assert one.measurements[0].value == pytest.approx(0, abs=0.01)
    # Before momentum has built up, the figure is on the other side of its threshold.
    assert momentum.speed_on_a_slope(steps=20).verdict == "NOT AS DOCUMENTED"


def test_a_larger_friction_damps_the_swing():
    assert momentum.overshoot(steps=60).is_as_documented


@pytest.mark.slow
def test_nesterov_is_not_sooner_than_momentum_at_their_best():
    one = momentum.nesterov_on_a_bowl(rates=30, momentums=12)
    assert one.is_as_documented and not one.holds
    assert "Not as claimed" in one.text


def test_bias_correction_is_measured():
    one = adaptive.bias_correction(steps=1100)
    assert one.is_as_documented and one.holds


def test_weight_decay_is_measured():
    one = regularization.weight_decay(steps=300, copies=400)
    assert one.is_as_documented and one.holds


@pytest.mark.slow
def test_adam_fails_on_unseen_data_where_sgd_does_not():
    one = regularization.generalisation(seeds=1, steps=400)
    assert one.is_as_documented and one.holds
    figures = {each.name: each.value for each in one.measurements}
    assert figures["Adam on unseen data"] == 0.5
    assert figures["SGD on unseen data"] == 1.0


def test_the_separable_problem_is_that_of_the_paper():
    labels, features, unseen = regularization.wilson(20, seed=0)
    assert (labels > 0).sum() == 12
    for label, row in zip(labels, features, strict=True):
        assert (row[0], row[1], row[2]) == (label, 1, 1)
        assert row[3:].sum() == (1 if label > 0 else 5)
    assert (features[:, 3:].sum(axis=0) <= 1).all()
    assert not unseen[:, 3:].any()


def test_the_command_prints_draws_and_writes(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(
        claims, "CLAIMS", {1: lambda: made_up(2.0), 4: lambda: made_up(2.0, number=4)}
    )
    out = tmp_path / "new" / "folder"
    assert command.main(["claims", "--claims", "4,1,1", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "What came out." in printed and "> 1" in printed and "holds" in printed
    assert sorted(file.name for file in out.iterdir()) == [
        "claim_01.png",
        "claim_04.png",
        "claims.json",
    ]
    assert (out / "claim_04.png").read_bytes()[:8] == PNG
    first, second = json.loads((out / "claims.json").read_text(encoding="utf-8"))
    assert (first["number"], second["number"]) == (1, 4)
    assert first["measurements"][0] == {
        "name": "figure",
        "value": 2.0,
        "relation": ">",
        "bound": 1,
        "expected": True,
        "passed": True,
    }


def test_a_figure_on_the_wrong_side_gives_exit_code_1(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "CLAIMS", {1: lambda: made_up(math.nan)})
    assert command.main(["claims", "--claims", "1", "--out", str(tmp_path)]) == 1
    assert "NOT AS DOCUMENTED" in capsys.readouterr().out
    assert json.loads((tmp_path / "claims.json").read_text())[0]["measurements"][0]["value"] is None


def test_json_output_equals_claims_json(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "CLAIMS", {1: lambda: made_up(2.0)})
    assert command.main(["claims", "--claims", "1", "--out", str(tmp_path), "--json"]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed)[0]["verdict"] == "holds"
    assert printed == (tmp_path / "claims.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", ["0", "15", "one"])
def test_an_unknown_claim_is_refused(number, capsys, tmp_path):
    assert command.main(["claims", "--claims", number, "--out", str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"Received: {number}" in captured.err and captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_bad_folder_is_refused_before_measuring(capsys, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert command.main(["claims", "--claims", "1", "--out", str(tmp_path / "file")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "cannot write to" in captured.err and captured.err.count("\n") == 1


def test_claims_have_their_numbers_and_an_unknown_one_is_refused():
    assert list(claims.CLAIMS) == list(range(1, 15))
    with pytest.raises(ValueError, match=r"must be 1 to 14\. Received: number=15"):
        claims.measure(15)


@pytest.mark.parametrize("names", [None, ("a", "b", "c")])
def test_every_kind_of_panel_is_drawn(names, tmp_path):
    values = np.array([-1.0, 0.5, 2.0])
    lines = [
        Line("with a spread", values, np.arange(3), (values - 1, values + 1)),
        Line("", values, np.arange(3), style="marks"),
    ]
    panel = Panel("Title", "x", "y", lines, levels=[("level", 1.0)], names=names)
    claims.draw(dataclasses.replace(made_up(1.0), panels=(panel, panel)), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes()[:8] == PNG
