"""`optlab landscape`: the surfaces, the paths down, and the page in a browser."""

import json
import re

import keras
import numpy as np
import pytest

from keras_optlab.lab import landscape
from keras_optlab.lab.surfaces import SURFACES, Surface
from optlab import command

# Full comparisons and pictures, for CI and for work on the lab.
pytestmark = pytest.mark.slow

BACKEND = keras.backend.backend()


def explore(names, surfaces=("bowl",), **changed):
    """Take a few steps, by default on one surface."""
    settings = {"built_in": False, "learning_rates": {}, "steps": 5, "seed": 0, **changed}
    chosen = [SURFACES[name] for name in surfaces]
    return landscape.explore(
        chosen, list(names), **settings, progress=lambda title, done, to_do: None
    )


# Surfaces


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_gradients_are_finite_differences(surface):
    generator = np.random.default_rng(1)
    x = generator.uniform(*surface.horizontal, 50)
    y = generator.uniform(*surface.vertical, 50)
    h = 1e-5
    by_x = (surface.value(x + h, y) - surface.value(x - h, y)) / (2 * h)
    by_y = (surface.value(x, y + h) - surface.value(x, y - h)) / (2 * h)
    for found, expected in zip(surface.gradient(x, y), (by_x, by_y), strict=True):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7 * scale)


@pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)
def test_minima_are_minima_in_the_picture_and_below_the_start(surface):
    for x, y in surface.minima:
        assert surface.horizontal[0] < x < surface.horizontal[1]
        assert surface.vertical[0] < y < surface.vertical[1]
        around = np.linspace(0, 2 * np.pi, 16)
        nearby = surface.value(x + 1e-2 * np.cos(around), y + 1e-2 * np.sin(around))
        assert (nearby > surface.value(x, y)).all()
        assert surface.value(x, y) < surface.value(*surface.start)


# Paths


def test_paths_are_those_of_the_formulas():
    rates = {"SGD": 0.01, "Momentum": 0.01, "Nesterov": 0.01, "Adagrad": 0.5}
    (result,) = explore(rates, learning_rates=rates)
    curvature = np.array([1.0, 30.0])

    def momentum(look_ahead):
        place, v, places = np.array([-9.0, 2.0]), 0.0, []
        for _ in range(5):
            v = 0.9 * v - 0.01 * curvature * place
            place = place + (0.9 * v - 0.01 * curvature * place if look_ahead else v)
            places.append(place)
        return places

    def adagrad():
        place, s, places = np.array([-9.0, 2.0]), 0.1, []
        for _ in range(5):
            s = s + (curvature * place) ** 2
            place = place - 0.5 * curvature * place / np.sqrt(s + 1e-7)
            places.append(place)
        return places

    plain = [np.array([-9.0, 2.0]) * (1 - 0.01 * curvature) ** t for t in range(1, 6)]
    expected = [plain, momentum(False), momentum(True), adagrad()]
    for way, places in zip(result.trajectories, expected, strict=True):
        np.testing.assert_allclose(way.points, [(-9.0, 2.0), *places], rtol=1e-5, atol=1e-6)
        values = [(x**2 + 30 * y**2) / 2 for x, y in way.points]
        np.testing.assert_allclose(way.values, values)
    assert result.trajectories[1].setting == "learning_rate=0.01, momentum=0.9"


def test_built_ins_follow_the_same_paths():
    names = ["Adam", "RMSprop", "Muon"]
    (result,) = explore(names, ("noisy-valley",), built_in=True)
    ours, theirs = result.trajectories[::2], result.trajectories[1::2]
    assert [way.is_built_in for way in result.trajectories] == [False, True] * 3
    for mine, built_in in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.points, built_in.points, atol=1e-5)


def test_the_noise_is_the_seeds_and_the_same_for_all():
    (first,), (again,), (other,) = (
        explore(["SGD"], ("noisy-valley",), seed=seed) for seed in (3, 3, 4)
    )
    way = first.trajectories[0].points
    np.testing.assert_array_equal(way, again.trajectories[0].points)
    assert np.abs(way - other.trajectories[0].points).max() > 0.01
    surface = SURFACES["noisy-valley"]
    noise = np.random.default_rng(3).normal(0, 2.0, (5, 2))
    felt = (way[:-1] - way[1:]) / surface.descent_rate
    np.testing.assert_allclose(felt - np.transpose(surface.gradient(*way[:-1].T)), noise, atol=1e-4)


def test_a_diverging_path_ends():
    (result,) = explore(["SGD"], ("rosenbrock",), learning_rates={"SGD": 1.0}, steps=20)
    (way,) = result.trajectories
    assert way.diverged
    assert np.isfinite(way.points[:2]).all() and np.isnan(way.points[-1]).all()


def test_schedule_free_is_shown_where_it_is_evaluated():
    (result,) = explore(["ScheduleFreeAdamW"], steps=1)
    (way,) = result.trajectories
    rate = landscape.default_learning_rate(SURFACES["bowl"], "ScheduleFreeAdamW")
    # After one step the average x equals z, one full Adam step away.
    np.testing.assert_allclose(way.points[1], [-9.0 + rate, 2.0 - rate], rtol=1e-5)


def test_schedule_free_sgd_shows_the_mean_of_its_iterates():
    (result,) = explore(["ScheduleFreeSGD"], steps=2)
    rate = landscape.default_learning_rate(SURFACES["bowl"], "ScheduleFreeSGD")
    first = np.array([-9.0, 2.0]) - rate * np.array([-9.0, 60.0])
    second = first - rate * first * [1.0, 30.0]
    shown = result.trajectories[0].points
    np.testing.assert_allclose(shown[1:], [first, (first + second) / 2], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "torch", reason="rates do not depend on the backend")
def test_default_rates_get_every_algorithm_down_every_surface():
    found = explore(landscape.NAMES, SURFACES, steps=12)
    for result in found:
        start = result.surface.value(*result.surface.start)
        for way in result.trajectories:
            assert not way.diverged
            assert way.values.min() < start - 0.05 * abs(start), (result.surface.name, way.label)


@pytest.mark.skipif(BACKEND != "torch", reason="rates do not depend on the backend")
def test_surface_descriptions_match_the_paths():
    names = ["SGD", "Momentum", "Adam"]
    plateau, himmelblau = explore(names, ("plateau", "himmelblau"), steps=200)
    plain, heavy, _ = plateau.trajectories
    assert plain.points[-1][0] < 1
    np.testing.assert_allclose(heavy.points[-1], plateau.surface.minima[0], atol=0.05)
    plain, heavy, adaptive = himmelblau.trajectories
    for way, minimum in ((plain, 3), (heavy, 3), (adaptive, 0)):
        np.testing.assert_allclose(way.points[-1], himmelblau.surface.minima[minimum], atol=0.05)


# The command


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that the command writes."""
    folder = tmp_path_factory.mktemp("landscape")
    arguments = ["--optimizers", "SGD,Momentum,adam", "--surfaces", "bowl,Rosenbrock"]
    rates = ["--learning-rate", "SGD=0.05,ADAM=0.3"]
    options = ["--built-in", "--steps", "30", "--out", str(folder)]
    assert command.main(["landscape", *arguments, *rates, *options]) == 0
    return folder


def test_pictures_and_a_page_are_written(folder):
    names = {file.name for file in folder.iterdir()}
    assert names == {"bowl.png", "rosenbrock.png", "landscape.html"}
    assert (folder / "bowl.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "landscape.html").read_text(encoding="utf-8")
    text = re.search(r'<script type="application/json" id="data">(.+?)</script>', page)[1]
    bowl, rosenbrock = json.loads(text)["surfaces"]
    assert (bowl["name"], rosenbrock["name"]) == ("bowl", "rosenbrock")
    # Built-ins are drawn beneath ours.
    assert list(ways(bowl))[:2] == ["Keras SGD", "Keras Momentum"]
    assert ways(bowl)["Adam"]["meta"]["setting"] == "learning_rate=0.3"
    assert len(ways(bowl)["Adam"]["x"]) == len(ways(bowl)["Adam"]["customdata"]) == 31
    # At a rate of 0.05, gradient descent on Rosenbrock overflows; the page keeps the finite part.
    assert len(ways(rosenbrock)["SGD"]["x"]) < 31
    assert f"--backend {BACKEND}</code>" in page


def ways(surface):
    """Return the paths of a surface as the page holds them, by name."""
    return {trace["name"]: trace for trace in surface["chart"]["data"] if "name" in trace}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--surfaces", "bole"], "unknown surface 'bole': did you mean bowl?"),
        (["--optimizers", "Adamm"], "unknown optimizer 'Adamm': did you mean Adam?"),
        (
            ["--learning-rate", "SGD"],
            "expected NAME=RATE with RATE >= 0; separate several with commas. Received: SGD",
        ),
        (["--learning-rate", "SGD=-1"], "Received: SGD=-1"),
        (["--learning-rate", "SGD=nan"], "Received: SGD=nan"),
        (["--learning-rate", "Lion=0.1"], "RMSprop, Adam. Received: Lion"),
        (["--learning-rate", "Leon=0.1"], "did you mean Lion?"),
        (["--steps", "0"], "Invalid value for '--steps'"),
        (
            ["--optimizers", "Ftrl", "--learning-rate", "Ftrl=0", "--surfaces", "bowl"],
            "--learning-rate Ftrl=0: `learning_rate` must be a finite number > 0",
        ),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, message, capsys, tmp_path):
    code = command.main(["landscape", *arguments, "--out", str(tmp_path / "out")])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_built_in_that_keras_lacks_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.delattr(keras.optimizers, "Muon")
    arguments = ["--optimizers", "Muon", "--built-in", "--out", str(tmp_path)]
    assert command.main(["landscape", *arguments]) == 2
    assert "has no Muon: leave out --built-in or Muon" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_refused(capsys, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert command.main(["landscape", "--out", str(tmp_path / "file")]) == 2
    assert "it is not a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


# The page


@pytest.fixture
def page(folder, browser_page):
    opened = browser_page.open(folder / "landscape.html")
    yield opened
    browser_page.assert_quiet()
    assert len(browser_page.requests) == 1


# For each path that Plotly drew: its name, its end in units of the surface, and its length.
DRAWN = """() => {
  const chart = document.getElementById("ways");
  const { xaxis, yaxis } = chart._fullLayout;
  const point = ({ x, y }) => [xaxis.p2d(x), yaxis.p2d(y)];
  return [...chart.querySelectorAll(".scatterlayer .trace")].flatMap(trace => {
    const line = trace.querySelector(".js-line");
    const { name, meta } = trace.__data__[0].trace;
    return line && meta ? [[name, point(line.getPointAtLength(1e9)), line.getTotalLength()]] : [];
  });
}"""


def drawn(page):
    """Return the end of each path in the picture, by name."""
    return {name: end for name, end, _ in page.evaluate(DRAWN)}


def move(page, step):
    page.get_by_role("slider", name="Step").fill(str(step))


def count(page):
    return page.locator("#count").text_content()


def test_the_slider_moves_paths_and_dots(page):
    surface: Surface = SURFACES["bowl"]
    for step in (1, 2, 30):
        move(page, step)
        # Gradient descent at a rate of 0.05 on the bowl, computed by hand.
        x, y = surface.start
        expected = (x * 0.95**step, y * (1 - 1.5) ** step)
        np.testing.assert_allclose(drawn(page)["SGD"], expected, atol=0.02)
        assert count(page) == f"step {step} of 30"
        dots = page.evaluate("() => { const {x, y} = chart.data.at(-1); return [x[0], y[0]]; }")
        np.testing.assert_allclose(dots, expected, atol=1e-3)
        row = page.locator(".algorithms tbody tr").first
        height = (expected[0] ** 2 + 30 * expected[1] ** 2) / 2
        assert float(row.locator(".height").text_content()) == pytest.approx(height, rel=5e-3)
    page.get_by_role("slider", name="Step").press("ArrowLeft")
    assert count(page) == "step 29 of 30"
    assert page.get_by_role("slider").get_attribute("aria-valuetext") == "step 29 of 30"


def test_contours_lie_under_the_paths(page):
    levels = page.locator("#ways .contourlayer .contourlevel")
    assert levels.count() > 10
    assert page.locator("#ways .contourlayer ~ .scatterlayer").count() == 1


def test_toggles_hide_and_surfaces_change_by_keyboard(page):
    toggle = page.get_by_role("checkbox", name="Momentum", exact=True)
    assert "Momentum" in drawn(page)
    toggle.focus()
    toggle.press("Space")
    assert "Momentum" not in drawn(page)
    # A hidden path stays hidden on another surface.
    page.get_by_role("radio", name="Elongated bowl").press("ArrowRight")
    assert page.locator("#title").text_content() == "Rosenbrock"
    assert "Momentum" not in drawn(page)
    assert "Keras Momentum" in drawn(page)
    toggle.check()
    assert "Momentum" in drawn(page)
    move(page, 30)
    assert page.locator(".height").first.text_content() == "diverged"


def test_hyperparameters_show_on_hover_and_focus(page):
    label = page.locator("#ways .hovertext")
    rows = page.locator(".algorithms tbody tr")
    assert rows.filter(has_text="Momentum").first.locator(".setting").text_content() == (
        "learning_rate=0.03, momentum=0.9"
    )
    rows.filter(has_text="Momentum").first.hover()
    label.wait_for()
    assert "learning_rate=0.03, momentum=0.9" in label.text_content()
    page.mouse.move(1, 1)
    label.wait_for(state="detached")
    page.get_by_role("checkbox", name="Adam", exact=True).focus()
    label.wait_for()
    assert "learning_rate=0.3" in label.text_content()
    page.get_by_role("slider").focus()
    label.wait_for(state="detached")
    # Hovering over the dot itself.
    x, y = page.evaluate(
        "[chart._fullLayout.xaxis.d2p(-9 * 0.95), chart._fullLayout.yaxis.d2p(-1)]"
    )
    move(page, 1)
    box = page.locator("#ways .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    label.wait_for()
    assert "SGDlearning_rate=0.05step 1: x -8.55, y -1.00, height" in label.text_content()


def test_dragging_over_the_picture_zooms(page):
    box = page.locator("#ways .nsewdrag").bounding_box()
    start = box["x"] + box["width"] / 4, box["y"] + box["height"] / 4
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + box["width"] / 2, start[1] + box["height"] / 2, steps=4)
    page.mouse.up()
    horizontal, vertical = (np.array(each) for each in (SURFACES["bowl"].horizontal, (-3, 3)))
    axes = page.evaluate('["xaxis", "yaxis"].map(axis => chart.layout[axis].range)')
    sizes = box["width"], box["height"]
    for found, whole, pixels in zip(axes, (horizontal, vertical), sizes, strict=True):
        expected = whole + np.array([1, -1]) * np.ptp(whole) / 4
        # The chart knows the position of the mouse to within a pixel.
        np.testing.assert_allclose(found, expected, rtol=0, atol=np.ptp(whole) / pixels)


def test_play_runs_to_the_end_and_can_be_paused(folder, browser_page):
    page = browser_page.open(folder / "landscape.html")
    page.clock.install(time=0)
    page.reload()
    page.clock.pause_at(60_000)
    page.get_by_role("slider").fill("0")
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(2100)
    pause = page.get_by_role("button", name="Pause")
    pause.press("Enter")
    after_2_seconds = count(page)
    assert after_2_seconds == "step 6 of 30"
    page.clock.run_for(2000)
    assert count(page) == after_2_seconds
    page.get_by_role("button", name="Play").click()
    page.clock.run_for(20000)
    assert count(page) == "step 30 of 30"
    assert page.get_by_role("button", name="Play").is_visible()
    browser_page.assert_quiet()


@pytest.mark.parametrize("width", [360, 1200])
def test_nothing_overflows_the_window(width, folder, browser_page):
    browser_page.page.set_viewport_size({"width": width, "height": 800})
    page = browser_page.open(folder / "landscape.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#ways .main-svg").first.bounding_box()["width"] <= width
