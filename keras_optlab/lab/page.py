"""The report as one HTML page that fetches nothing."""

import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any, final

from keras_optlab.lab.cells import Cell, cells, percent, stopped
from keras_optlab.lab.results import TARGET_SHARE, Comparison, RatePoint, Results

TITLES = {"optimizer": "Algorithms", "schedule": "Schedules and 1cycle"}
CURVES = ("validation_accuracy", "validation_loss", "training_loss")


@final
@dataclass(frozen=True)
class Column:
    """A column of figures.

    Args:
        group: The heading above it, shared with its neighbours; empty for none.
        heading: Its own heading.
        spoken: What it is called when it stands alone.
        first: The order that a first click brings.
        of_built_in: Whether it needs Keras' own beside.
    """

    group: str
    heading: str
    spoken: str
    first: str = "ascending"
    of_built_in: bool = False


# In the order of `cells`.
COLUMNS = (
    Column("Accuracy", "ours", "accuracy, ours", "descending"),
    Column("Accuracy", "built-in", "accuracy, built-in", "descending", of_built_in=True),
    Column("To the target", "steps", "steps to the target"),
    Column("To the target", "seconds", "seconds to the target"),
    Column("Weights", "differ", "difference of the weights", of_built_in=True),
    Column("Time of a step (ms)", "ours", "time of a step, ours"),
    Column("Time of a step (ms)", "built-in", "time of a step, built-in", of_built_in=True),
    Column("Time of a step (ms)", "ratio", "ratio of the times", of_built_in=True),
)


def shown_columns(results: Results) -> list[int]:
    """Which columns there are."""
    built_in = results.settings.built_in
    return [n for n, column in enumerate(COLUMNS) if built_in or not column.of_built_in]


def page(results: Results, drawings: dict[str, str]) -> str:
    """The whole page.

    Args:
        results: `Results`.
        drawings: For each kind of comparison its SVG.
    """
    sections = (
        section(results, kind, results.of_kind(kind), svg) for kind, svg in drawings.items()
    )
    beside = " beside Keras" if results.settings.built_in else ""
    return template("page.html").substitute(
        data_name=escape(results.data["name"]),
        title=f"keras-optlab{beside}",
        style=file("page.css"),
        script=file("page.js"),
        lead=lead(results),
        explanation=explanation(results),
        sections="".join(sections),
        terms=definitions(terms(results)),
        again=escape(results.again),
        versions=definitions({**results.versions, "time": took(results)}),
        curves=as_json(curves(results)),
    )


def file(name: str) -> str:
    """A file of the page."""
    return resources.files("keras_optlab.lab.report_page").joinpath(name).read_text("utf-8")


def template(name: str) -> Template:
    """A file with `$names` to put in."""
    return Template(file(name))


def definitions(entries: dict[str, str]) -> str:
    """The inside of a list of definitions."""
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{prose(text)}</dd>" for name, text in entries.items()
    )


def prose(text: str) -> str:
    """Text with its `code` marked as such."""
    return re.sub("`(.+?)`", r"<code>\1</code>", escape(text))


def lead(results: Results) -> str:
    """What was trained on what."""
    data, settings = results.data, results.settings
    rows = f"{data['training_rows']:,} rows to train on, {data['validation_rows']:,} to validate"
    return prose(
        f"{data['name']}: {rows}, {data['features']:,} features ({data['preparation']}), "
        f"{len(data['classes']):,} classes. {results.model}, {settings.epochs} epochs of "
        f"{data['steps_per_epoch']:,} batches of {settings.batch_size}, on "
        f"{results.versions['backend']}; {counted(settings.seeds, 'seed')}, "
        f"{counted(len(settings.sweep), 'learning rate')} for each row."
    )


def counted(number: int, what: str) -> str:
    """`1 seed`, `5 seeds`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def explanation(results: Results) -> str:
    """What the comparison shows, and what it does not."""
    settings = results.settings
    text = []
    if settings.built_in:
        text.append(
            "Each run is made twice by `compile` and `fit`: with keras-optlab and with the "
            "built-in, from the same initial weights, on the same batches, with the same "
            "arguments."
        )
    if settings.seeds > 1 and len(settings.sweep) > 1:
        text.append(
            "Each row has the best of its learning rates. They were chosen on the same validation "
            "rows, so all accuracies are a little flattered; rows that differ by less than their "
            "spread are not to be told apart."
        )
    elif settings.seeds > 1:
        text.append(
            "Each row has one learning rate, so this does not show which algorithm is best: "
            "`--sweep` gives each the best of several."
        )
    elif len(settings.sweep) > 1:
        text.append(
            "Each row has the best of its learning rates, from one seed: `--seeds 5` shows which "
            "differences are more than luck."
        )
    else:
        text.append(
            "One seed and one learning rate each: this shows "
            + ("that both compute the same and " if settings.built_in else "")
            + "what a step costs, not which algorithm is best. `--seeds 5 --sweep` does."
        )
    return prose(" ".join(text))


def terms(results: Results) -> dict[str, str]:
    """What the figures mean."""
    settings = results.settings
    explained = {
        "Accuracy": "On the validation rows after the last epoch"
        + (
            f": mean and sample standard deviation of {settings.seeds} seeds. Bands in the "
            "pictures go from the lowest to the highest seed."
            if settings.seeds > 1
            else "."
        ),
        "Target": target_text(results),
        "Ended early": (
            "A training is ended when its loss is NaN or infinite (diverged), or if, when half of "
            "the epochs and at least two are over, neither its loss nor its accuracy is better "
            "than guessing by the frequency of the classes. Such trainings have no accuracy."
        ),
        "Time of a step": (
            "Median of all steps but the first, which is compiled. The seconds to the target are "
            "steps times that."
            + ("" if results.jobs == 1 else " Several runs shared the machine meanwhile.")
        ),
    }
    if settings.built_in:
        explained["Weights differ"] = (
            "The largest difference between two final weights, ours and the built-in's, relative "
            "to the distance that the weights of that variable travelled"
            + ("; of the worst seed." if settings.seeds > 1 else ".")
        )
    if len(settings.sweep) > 1:
        tried = ", ".join(f"{factor:g}" for factor in settings.sweep)
        explained["Learning rates"] = (
            f"Each row was tried at its usual rate times {tried}. The best is the one at which "
            "most seeds come to the end, and of those the one with the highest mean accuracy; the "
            "lower loss decides between equals."
        )
    return explained


def target_text(results: Results) -> str:
    """Which accuracy the time is taken to."""
    end = "Taken after each epoch, so steps come in whole epochs."
    if results.target is None:
        return "None, since no training came to its end."
    if results.settings.target is not None:
        return f"The accuracy of {results.target:.1%} that was asked for. {end}"
    return (
        f"{results.target:.1%}, which is {TARGET_SHARE:.0%} of the highest accuracy in this "
        f"report; `--target` sets another. {end}"
    )


def took(results: Results) -> str:
    """How long it took, and where."""
    where = "on a Dask cluster" if results.jobs is None else f"with --jobs {results.jobs}"
    reused = f"; {counted(results.reused, 'run')} taken from before" if results.reused else ""
    return f"{results.seconds:.0f} s {where}{reused}"


def section(results: Results, kind: str, comparisons: Sequence[Comparison], svg: str) -> str:
    """Curves, table and pictures of one kind of comparison."""
    title = TITLES[kind]
    drawing = svg.replace("<svg", f'<svg role="img" aria-label="Learning curves: {title}"', 1)
    notes = (
        f"<p><strong>{escape(one.name)}.</strong> {prose(one.note)}</p>"
        for one in comparisons
        if one.note
    )
    swept = len(results.settings.sweep) > 1
    option = '<option value="sweep">accuracy by learning rate</option>' if swept else ""
    return template("section.html").substitute(
        kind=kind,
        title=title,
        sweep_option=option,
        curve_note=curve_note(results),
        caption=caption(results),
        head=head(results),
        rows="".join(row(results, comparison) for comparison in comparisons),
        notes="".join(notes),
        rates=rates(comparisons, title) if swept else "",
        figure=f"<figure><figcaption>{figure_caption(results, kind)}</figcaption>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}, each for itself">'
        f"{drawing}</div></figure>",
    )


def figure_caption(results: Results, kind: str) -> str:
    """What the picture shows."""
    beside = ""
    if results.settings.built_in:
        beside = (
            ", ours (thin) upon the built-in's (wide): where both compute the same, one line "
            "covers the other"
        )
    if kind == "optimizer":
        return f"Validation loss of each algorithm{beside}. Gray: the other algorithms."
    return (
        "Above, the learning rate of each step; below, the validation loss of SGD with momentum "
        f"at that rate{beside}. Gray: the constant rate."
    )


def curve_note(results: Results) -> str:
    """What the lines are."""
    if results.settings.seeds == 1:
        return "Ours, at the learning rate of the table."
    return (
        f"Ours, at the learning rate of the table: mean of {results.settings.seeds} seeds, and a "
        "band from the lowest to the highest."
    )


def caption(results: Results) -> str:
    """What the table holds."""
    target = "" if results.target is None else f" Target: {results.target:.1%}."
    return (
        f"Final accuracy, time to the target, and time of a step.{target} Every heading with an "
        "arrow sorts."
    )


def head(results: Results) -> str:
    """The two rows of headings."""
    columns = [COLUMNS[number] for number in shown_columns(results)]
    groups = "".join(
        f'<th colspan="{len(list(group))}" scope="colgroup">{name}</th>'
        for name, group in itertools.groupby(columns, lambda column: column.group)
    )
    # The name and the arguments come first.
    headings = "".join(
        f'<th scope="col" data-column="{number}" data-first="{column.first}" '
        f'data-name="{column.spoken}">{column.heading}</th>'
        for number, column in enumerate(columns, start=2)
    )
    return (
        '<tr><th scope="col" rowspan="2" class="text" data-column="0" data-first="ascending" '
        'data-name="name">Name</th><th scope="col" rowspan="2" class="text">Arguments</th>'
        f"{groups}</tr><tr>{headings}</tr>"
    )


def row(results: Results, comparison: Comparison) -> str:
    """One row of the table."""
    name, shown = escape(comparison.name), cells(results, comparison)
    edge = ""
    if comparison.at_edge:
        which = "lowest" if comparison.best == 0 else "highest"
        edge = f"<br>The {which} rate that was tried: beyond it may be a better one."
    return (
        f'<tr><th scope="row" data-value="{name}">{name}</th>'
        f'<td class="setting">{escape(comparison.setting)}{edge}</td>'
        + "".join(table_cell(shown[number]) for number in shown_columns(results))
        + "</tr>"
    )


def table_cell(cell: Cell) -> str:
    """A cell with what it is sorted by."""
    value = "" if cell.value is None else f' data-value="{cell.value!r}"'
    remark = f'<small class="stopped">{escape(cell.remark)}</small>' if cell.remark else ""
    text = "" if remark and cell.value is None else escape(cell.text)
    return f"<td{value}>{text}{remark}</td>"


def rates(comparisons: Sequence[Comparison], title: str) -> str:
    """The accuracy at every rate, for who would rather read than look."""
    rows = []
    for comparison in comparisons:
        for number, point in enumerate(comparison.points):
            reasons = [duel.ours.stopped for duel in point.duels if duel.ours.stopped]
            counts = {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}
            found = point.accuracy
            accuracy = "–" if found.mean is None else percent(found.mean, found.deviation)
            best = "best" if number == comparison.best else ""
            rows.append(
                f'<tr><th scope="row">{escape(comparison.name)}</th><td>{point.rate:.3g}</td>'
                f"<td>{accuracy}</td><td>{best}</td>"
                f'<td class="stopped">{escape(stopped(counts, len(point.duels)))}</td></tr>'
            )
    headings = ("Learning rate", "Accuracy", "Chosen", "Ended early")
    columns = "".join(f'<th scope="col">{heading}</th>' for heading in headings)
    return (
        "<details><summary>Accuracy at every learning rate</summary>"
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}, learning rates">'
        "<table><caption>Final accuracy of ours at every learning rate that was tried.</caption>"
        f'<thead><tr><th scope="col" class="text">Name</th>{columns}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def curves(results: Results) -> dict[str, Any]:
    """What the page's script draws."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for comparison in results.comparisons:
        ours = {name: comparison.curve("ours", name) for name in CURVES}
        drawn = {
            name: {"mean": curve.mean, "low": curve.low, "high": curve.high}
            for name, curve in ours.items()
        }
        kinds.setdefault(comparison.kind, []).append(
            {
                "name": comparison.name,
                "accuracy": comparison.accuracy("ours").mean,
                "stopped": stopped(comparison.stopped(), len(comparison.duels)),
                "sweep": [rate_point(point) for point in comparison.points],
                **drawn,
            }
        )
    return {"epochs": results.settings.epochs, "target": results.target, "kinds": kinds}


def rate_point(point: RatePoint) -> list[float | None]:
    """A rate, and mean, lowest and highest accuracy there."""
    ended = [duel.ours for duel in point.duels if not duel.ours.stopped]
    last = [one.validation_accuracy[-1] for one in ended]
    if not last:
        return [point.rate, None, None, None]
    return [point.rate, math.fsum(last) / len(last), min(last), max(last)]


def as_json(value: Any) -> str:
    """JSON that can stand in a `script` element, whatever names it holds."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
