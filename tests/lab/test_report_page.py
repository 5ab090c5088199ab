"""The report in a real browser: it sorts, draws and toggles, and fetches nothing."""

import dataclasses
import json
import math
import re

import pytest

from keras_optlab import palette
from keras_optlab.lab import report, report_charts
from keras_optlab.lab.results import (
    Comparison,
    Duel,
    Metric,
    RatePoint,
    Results,
    Run,
    Settings,
    Training,
)

HOSTILE = "</script><script>alert(1)</script>"
# Final accuracies of two seeds, None for one that diverged, and seconds per step.
ROWS = {
    "SGD": ((0.90, 0.92), 0.002),
    "Adam": ((0.95, 0.99), 0.003),
    "Lion": ((None, None), 0.001),
    "Muon": ((0.70, None), 0.009),
}


def wait_until(page, function, argument=None):
    """Poll for a condition; Playwright's wait evaluates text, which the page forbids."""
    for _ in range(200):
        if page.evaluate(function, argument):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"did not come true: {function}")


def training(final, step_seconds):
    if final is None:
        return Training((2.0, float("nan")), (0.1, float("nan")), (9.0,), step_seconds, "diverged")
    accuracies = (0.1, final - 0.2, final)
    losses = tuple(2 - 2 * accuracy for accuracy in accuracies)
    return Training(losses, accuracies, losses[1:], step_seconds)


def comparison(kind, name, finals, step_seconds):
    def point(rate, worse):
        ours = [training(final and final - worse, step_seconds) for final in finals]
        duels = [
            Duel(Run(kind, name, rate, seed), one, None, None) for seed, one in enumerate(ours)
        ]
        return RatePoint(rate, tuple(duels))

    points = (point(0.01, 0.3), point(0.1, 0.0), point(1.0, 0.1))
    return Comparison(kind, name, f"learning_rate={0.1}", "", (0.1,) * 4, points, 1)


def results():
    settings = Settings(
        tuple(ROWS), ("OneCycle",), 2, 10, seeds=2, sweep=(0.1, 1.0, 10.0), built_in=False
    )
    rows = [comparison("optimizer", name, *row) for name, row in ROWS.items()]
    rows.append(comparison("schedule", "OneCycle", (0.8, 0.9), 0.002))
    data = {
        "name": HOSTILE,
        "features": 3,
        "classes": ["a", HOSTILE],
        "training_rows": 20,
        "validation_rows": 5,
        "steps_per_epoch": 2,
        "preparation": "as they are",
    }
    return Results(
        settings=settings,
        data=data,
        model=f"The model of {HOSTILE}",
        versions={"backend": "torch", "torch": "2"},
        seconds=3.0,
        jobs=1,
        reused=0,
        damaged=0,
        comparisons=tuple(rows),
        again=f"optlab compare --data '{HOSTILE}'",
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return results().report(tmp_path_factory.mktemp("report"))


@pytest.fixture
def page(browser_page, file):
    opened = browser_page.open(file)
    yield opened
    browser_page.assert_quiet()
    assert len(browser_page.requests) == 1


def section(page):
    return page.locator("section[data-kind=optimizer]")


def names(page):
    return section(page).locator("table.sortable tbody th").all_inner_texts()


def header(page, name):
    return section(page).get_by_role("columnheader").filter(has_text=re.compile(f"^{name}"))


def test_headings_sort_by_number_and_rows_without_one_come_last(page):
    assert names(page) == ["SGD", "Adam", "Lion", "Muon"]
    accuracy = header(page, "ours").first
    assert accuracy.get_attribute("aria-sort") == "none"
    accuracy.get_by_role("button").click()
    assert accuracy.get_attribute("aria-sort") == "descending"
    assert names(page) == ["Adam", "SGD", "Muon", "Lion"]
    assert "accuracy, ours, descending" in section(page).get_by_role("status").inner_text()
    accuracy.get_by_role("button").click()
    assert accuracy.get_attribute("aria-sort") == "ascending"
    assert names(page) == ["Muon", "SGD", "Adam", "Lion"]
    header(page, "Name").get_by_role("button").click()
    assert names(page) == ["Adam", "Lion", "Muon", "SGD"]
    assert accuracy.get_attribute("aria-sort") == "none"


def test_the_table_sorts_by_keyboard_and_shows_the_focus(page):
    button = header(page, "steps").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    assert header(page, "steps").get_attribute("aria-sort") == "ascending"
    assert names(page)[2:] == ["Lion", "Muon"]
    page.keyboard.press("Tab")
    focused = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert focused == "solid"


def test_figures_are_mean_and_deviation_and_say_what_diverged(page):
    rows = section(page).locator("table.sortable tbody tr")
    assert "97.0 ± 2.8%" in rows.nth(1).inner_text()
    assert "2 of 2 diverged" in rows.nth(2).inner_text()
    assert "70.0%" in rows.nth(3).inner_text() and "1 of 2 diverged" in rows.nth(3).inner_text()
    # 95 % of the best mean is 92.15 %: both seeds of Adam reach it in the second epoch of 2 steps.
    assert "Target: 92.2%" in section(page).inner_text()
    assert [rows.nth(1).locator("td").nth(n).inner_text() for n in (2, 3)] == ["4", "0.01"]


def chart(page):
    return section(page).locator(".chart")


def drawn(page, selector=".js-line"):
    """Return the names of the rows for which Plotly drew an element that matches `selector`."""
    return chart(page).evaluate(
        """(chart, selector) => [...chart.querySelectorAll(".scatterlayer .trace")]
            .filter(trace => trace.querySelector(selector))
            .map(trace => trace.__data__[0].trace)
            .filter(trace => selector !== ".js-line" || trace.meta.said)
            .map(trace => trace.meta.row)""",
        selector,
    )


def show(page, metric):
    section(page).get_by_label("Show", exact=True).select_option(metric)


def text(page):
    return section(page).locator(".chart-text").text_content()


def test_boxes_show_and_hide_lines_and_the_description_follows(page):
    explorer = section(page).locator(".explorer")
    assert drawn(page) == ["SGD", "Adam", "Muon"]
    assert drawn(page, ".js-fill") == ["SGD", "Adam"]
    explorer.get_by_role("checkbox", name="Adam").uncheck()
    assert drawn(page) == ["SGD", "Muon"]
    picture = explorer.get_by_role("figure", name="Algorithms: validation accuracy by epoch")
    assert picture.get_attribute("aria-describedby") == "optimizer-text"
    assert text(page) == "Last value of each: SGD 91.0%, Muon 70.0%."
    explorer.get_by_role("button", name="Show none").click()
    assert drawn(page) == []
    assert text(page) == "Nothing is shown."
    explorer.get_by_role("button", name="Show all").click()
    assert drawn(page) == ["SGD", "Adam", "Muon"]


def test_boxes_tick_by_keyboard_and_focus_is_visible(page):
    box = section(page).get_by_role("checkbox", name="SGD")
    box.focus()
    faded = chart(page).evaluate(
        "chart => chart.data.map(trace => [trace.meta.row, trace.opacity])"
    )
    assert {row: opacity for row, opacity in faded} == {"SGD": 1, "Adam": 0.15, "Muon": 0.15}
    box.press("Space")
    assert drawn(page) == ["Adam", "Muon"]


def ends(page):
    """Return the distance from the top of the page at which each line ends."""
    return chart(page).evaluate(
        """chart => Object.fromEntries([...chart.querySelectorAll(".scatterlayer .trace")]
            .filter(trace => trace.__data__[0].trace.meta.said)
            .map(trace => [trace.__data__[0].trace.meta.row,
                trace.querySelector(".js-line").getPointAtLength(1e6).y]))"""
    )


def test_higher_accuracy_is_higher_and_rates_go_to_the_right(page):
    assert ends(page)["Adam"] < ends(page)["SGD"] < ends(page)["Muon"]
    show(page, "accuracy by learning rate")
    x, y = zip(*dots(page, "SGD"), strict=True)
    assert x[1] - x[0] == pytest.approx(x[2] - x[1], abs=0.1)
    assert x[0] < x[1] and y[1] < y[2] < y[0]
    assert text(page).startswith("Best of each: SGD 91.0% at 0.1, Adam 97.0% at 0.1")


def dots(page, row):
    """Return the positions of the points of a line."""
    return chart(page).evaluate(
        """(chart, row) => [...chart.querySelectorAll(".scatterlayer .trace")]
            .filter(trace => trace.__data__[0].trace.name === row)
            .flatMap(trace => [...trace.querySelectorAll(".point")])
            .map(point => point.getAttribute("transform").match(/[0-9.]+/g).map(Number))""",
        row,
    )


def test_an_axis_can_be_logarithmic(page):
    show(page, "accuracy by learning rate")
    # Of 61, 91 and 81 %: how far the last lies between the first and the second.
    for on, expected in ((False, 2 / 3), (True, math.log(81 / 61) / math.log(91 / 61))):
        section(page).get_by_label("logarithmic").set_checked(on)
        _, y = zip(*dots(page, "SGD"), strict=True)
        assert (y[0] - y[2]) / (y[0] - y[1]) == pytest.approx(expected, abs=0.01)


def test_losses_are_drawn_too_on_a_logarithmic_axis(page):
    for metric in ("validation loss", "training loss"):
        show(page, metric)
        title = section(page).locator(".chart-title").text_content()
        assert title == f"Algorithms: {metric} by epoch"
        assert section(page).get_by_label("logarithmic").is_checked()
        assert "NaN" not in chart(page).inner_html()
    # Lion's only epoch has a training loss, although validation after it diverged.
    assert "Lion" in text(page)


@pytest.mark.parametrize(
    ("losses", "axis"),
    [([0.5, 1.0, 1e9], {"clipmax": 30.0}), ([], {})],
)
def test_a_loss_that_diverges_leaves_the_picture(losses, axis):
    rows = {"SGD": [(epoch, loss, loss, loss) for epoch, loss in enumerate(losses, start=1)]}
    arguments = "title", {"title": "epoch"}, "loss", "epoch"
    drawn = report_charts.figure(report_charts.LOSS, rows, *arguments)
    assert drawn.layout.yaxis.autorangeoptions.to_plotly_json() == axis


def visible_epochs(page):
    low, high = chart(page).evaluate("chart => chart.layout.xaxis.range")
    return high - low


def test_dragging_zooms_and_a_double_click_resets(page):
    whole = visible_epochs(page)
    box = chart(page).locator(".nsewdrag").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + box["width"] / 4, middle[1] + 3, steps=4)
    page.mouse.up()
    assert visible_epochs(page) == pytest.approx(whole / 4, rel=0.05)
    page.mouse.dblclick(*middle)
    wait_until(page, "() => document.querySelector('.chart').layout.xaxis.autorange")
    assert visible_epochs(page) == pytest.approx(whole)


def test_the_pointer_shows_a_value_and_the_spread_of_its_seeds(page):
    box = chart(page).locator(".nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + ends(page)["SGD"])
    label = chart(page).locator(".hoverlayer .hovertext")
    label.wait_for()
    assert label.text_content() == "SGDepoch 2: 91.0% (90.0% to 92.0%)"


def test_a_table_lists_every_rate(page):
    section(page).get_by_text("Accuracy at every learning rate").click()
    rows = section(page).locator("details tbody tr")
    assert rows.count() == 12
    assert rows.nth(1).inner_text().split("\t") == ["SGD", "0.1", "91.0 ± 1.4%", "best", ""]
    assert "2 of 2 diverged" in rows.nth(6).inner_text()


def test_names_of_the_user_are_text(page):
    assert HOSTILE in page.locator("p.lead").inner_text()
    assert HOSTILE in page.get_by_label("Command").inner_text()
    # The data, Plotly and the page's script.
    assert page.locator("script").count() == 3


def computed(page, names):
    """Return the colours of the page for names of the palette."""
    return page.evaluate(
        """names => names.map(name =>
            getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim())""",
        names,
    )


def assert_ticks_are(page, colour):
    """Assert that the tick labels of the chart have this colour."""
    parts = ", ".join(str(int(colour[start : start + 2], 16)) for start in (1, 3, 5))
    wait_until(
        page,
        """fill => { const text = document.querySelector(".chart .xtick text");
            return text && getComputedStyle(text).fill === fill; }""",
        f"rgb({parts})",
    )


@pytest.mark.parametrize(("scheme", "theme"), [("light", palette.LIGHT), ("dark", palette.DARK)])
def test_page_and_chart_have_the_colours_of_the_system(page, scheme, theme):
    page.emulate_media(color_scheme=scheme)
    assert computed(page, list(theme)) == list(theme.values())
    assert_ticks_are(page, theme["muted"])


def test_paper_is_printed_light_and_as_wide_as_a_sheet(page):
    page.emulate_media(color_scheme="dark", media="print")
    assert computed(page, ["paper"]) == [palette.LIGHT["paper"]]
    assert_ticks_are(page, palette.LIGHT["muted"])
    assert chart(page).locator(".main-svg").first.bounding_box()["width"] < 700
    assert not section(page).locator(".controls").is_visible()
    page.emulate_media(color_scheme="dark", media="screen")
    assert_ticks_are(page, palette.DARK["muted"])


def test_a_narrow_window_does_not_scroll_sideways(page):
    page.set_viewport_size({"width": 360, "height": 800})
    wait_until(page, "() => document.querySelector('.chart .main-svg').clientWidth < 360")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert chart(page).locator(".xtick text").first.bounding_box()["height"] > 10


def test_the_numbers_are_in_a_file(file):
    numbers = json.loads((file.parent / "results.json").read_text(encoding="utf-8"))
    assert numbers["target"] == pytest.approx(0.95 * 0.97)
    lion = numbers["comparisons"][2]["points"][1]["duels"][0]["ours"]
    assert (lion["stopped"], lion["validation_metric"]) == ("diverged", [0.1, None])


def test_tables_of_pandas_have_means_and_every_seed():
    table = results().table().set_index("name")
    assert table.loc["Adam", "validation_metric"] == pytest.approx(0.97)
    assert table.loc["Adam", "validation_metric_deviation"] == pytest.approx(0.04 / math.sqrt(2))
    assert list(table["ended_early"]) == [0, 0, 2, 1, 0]
    assert math.isnan(table.loc["Lion", "validation_metric"])
    epochs = results().epochs()
    of_adam = epochs[(epochs["name"] == "Adam") & (epochs["learning_rate"] == 0.1)]
    last = of_adam[of_adam["epoch"] == 2]
    assert dict(zip(last["seed"], last["validation_metric"], strict=True)) == {0: 0.95, 1: 0.99}


def test_json_cannot_end_its_element(tmp_path):
    of_user = dataclasses.replace(results(), metric=Metric(HOSTILE))
    text = of_user.report(tmp_path).read_text(encoding="utf-8")
    start = text.index('id="data">') + len('id="data">')
    figures = json.loads(text[start : text.index("<", start)])["figures"]
    assert f"validation {HOSTILE}" in figures["optimizer"]
    assert report.finite({"a": float("nan")}) == {"a": None}
