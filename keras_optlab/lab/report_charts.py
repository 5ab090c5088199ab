"""The charts of the report: learning curves, and the metric by learning rate and tuning cost."""

import itertools
import math
import statistics
from collections.abc import Sequence
from typing import Any

from plotly.colors import hex_to_rgb
from plotly.graph_objects import Figure

from keras_optlab import palette
from keras_optlab.lab.results import Comparison, Metric, Results
from keras_optlab.lab.web import dash

LOSS = Metric("loss", higher_is_better=False)
# Losses above this many times the median are cut off.
FAR = 30
MOST_TICKS = 12

# An x coordinate, and the mean, lowest and highest value of the seeds there.
Point = tuple[float, float, float, float]


def figures(results: Results, comparisons: Sequence[Comparison], title: str) -> dict[str, Figure]:
    """Return the figures that a reader can choose from, by name."""
    metric, settings = results.metric, results.settings
    curves = {
        f"validation {metric.title}": (metric, "validation_metric"),
        # The same key, if the metric is the loss.
        "validation loss": (LOSS, "validation_loss"),
        "training loss": (LOSS, "training_loss"),
    }
    found = {}
    for name, (measured, field) in curves.items():
        rows = {one.name: curve_points(one, field) for one in comparisons}
        axis = {"title": "epoch", "dtick": math.ceil(settings.epochs / MOST_TICKS)}
        found[name] = figure(measured, rows, f"{title}: {name} by epoch", axis, name, "epoch %{x}")
    if metric.title != "loss" and results.target is not None:
        drawn = found[f"validation {metric.title}"]
        # Leave room below for the line and its label.
        room = 0.01 if metric.is_share else 0.0
        drawn.update_yaxes(autorangeoptions={"include": results.target - room})
        text = f"target {metric.shown(results.target)}"
        label = {"text": text, "textposition": "start", "padding": 6}
        line = {"color": "gray", "dash": "dot", "width": 1}
        drawn.add_hline(results.target, layer="below", line=line, label=label)
    final = f"final validation {metric.title}"
    if len(settings.sweep) > 1:
        name = f"{metric.title} by learning rate"
        rows = {one.name: rate_points(one) for one in comparisons}
        axis = {"title": "learning rate", "tickformat": "~g", "type": "log"}
        place = "learning rate %{x:.3g}"
        found[name] = figure(metric, rows, f"{title}: {name}", axis, final, place)
        found[name].update_traces(mode="lines+markers", selector={"mode": "lines"})
    if settings.tune:
        name = f"best {metric.title} by tuning steps"
        rows = {one.name: tuning_points(metric, one) for one in comparisons}
        axis = {"title": "steps of all trials", "tickformat": "~s", "rangemode": "tozero"}
        found[name] = figure(metric, rows, f"{title}: {name}", axis, final, "step %{x:,}")
        found[name].update_traces(line={"shape": "hv"})
    return found


def curve_points(comparison: Comparison, field: str) -> list[Point]:
    """Return the curve over the seeds from epoch 1 on; validation begins before, at epoch 0."""
    points = zip(itertools.count(field == "training_loss"), *comparison.curve("ours", field))
    return [point for point in points if point[0] > 0]


def rate_points(comparison: Comparison) -> list[Point]:
    """Return the final metric at each rate at which any training finished."""
    found = []
    for point in comparison.points:
        finals = [duel.ours.final for duel in point.duels if duel.ours.final is not None]
        if finals:
            found.append((point.rate, statistics.fmean(finals), min(finals), max(finals)))
    return found


def tuning_points(metric: Metric, comparison: Comparison) -> list[Point]:
    """Return the best metric so far, by the steps of all trials up to then."""
    trials = comparison.tuning.trials if comparison.tuning else ()
    finals = (None if trial.stopped else trial.validation_metric[-1] for trial in trials)
    best = itertools.accumulate(finals, lambda *pair: max(pair, key=metric.worth))
    steps = itertools.accumulate(trial.steps for trial in trials)
    return [(at, it, it, it) for at, it in zip(steps, best, strict=True) if it is not None]


def figure(
    metric: Metric, rows: dict[str, list[Point]], title: str, across: dict, up: str, place: str
) -> Figure:
    """Draw a line and a band for each row; `place` is the hover text for an x coordinate."""
    by_epoch = across["title"] == "epoch"
    form, ticks = (".1%", "~%") if metric.is_share else (".3g", "~g")
    yaxis: dict[str, Any] = {"title": up, "tickformat": ticks, "type": "linear"}
    if metric is LOSS:
        losses = [loss for points in rows.values() for point in points for loss in point[1:]]
        positive = [loss for loss in losses if loss > 0]
        yaxis["type"] = "log"
        if positive:
            yaxis["autorangeoptions"] = {"clipmax": FAR * statistics.median(positive)}
    said = "Last value of each" if by_epoch else "Best of each"
    layout = {"meta": {"title": title, "said": said}, "uirevision": title, "hovermode": "closest"}
    drawn = Figure(layout={**layout, "template": None, "xaxis": across, "yaxis": yaxis})
    for number, (name, points) in enumerate(rows.items()):
        if not points:
            continue
        x, mean, low, high = zip(*points, strict=True)
        colour, lengths = palette.line(number)
        spread = ""
        if low != high:
            spread = f" (%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}})"
            drawn.add_scatter(
                x=x + x[::-1],
                y=high + low[::-1],
                fill="toself",
                fillcolor=f"rgba{(*hex_to_rgb(colour), 0.14)}",
                hoverinfo="skip",
                line={"width": 0},
                meta={"row": name},
                mode="none",
            )
        best = points[-1] if by_epoch else max(points, key=lambda point: metric.worth(point[1]))
        at = f" at {best[0]:.3g}" if place.startswith("learning rate") else ""
        drawn.add_scatter(
            x=x,
            y=mean,
            customdata=list(zip(low, high, strict=True)),
            hovertemplate=f"<b>{name}</b><br>{place}: %{{y:{form}}}{spread}<extra></extra>",
            line={"color": colour, "dash": dash(lengths), "width": 2},
            marker={"color": colour, "line": {"width": 0}, "size": 7},
            meta={"row": name, "said": f"{name} {metric.shown(best[1])}{at}"},
            mode="lines" if len(points) > 1 else "lines+markers",
            name=name,
        )
    return drawn
