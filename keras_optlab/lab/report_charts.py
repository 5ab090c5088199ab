"""The charts of the report: learning curves, and the metric by rate and by cost of tuning."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from plotly import graph_objects

from keras_optlab import palette
from keras_optlab.lab.results import Comparison, Metric, RatePoint, Results, Tuning
from keras_optlab.lab.web import dash, translucent

FINAL = "validation_metric"
LOSSES = {"validation_loss": "validation loss", "training_loss": "training loss"}
SWEEP = "sweep"
TUNING = "tuning"
MOST_TICKS = 12
# Losses this many times above the middle one leave the picture.
FAR = 30

# A place across, the mean there, the lowest and the highest seed.
Point = tuple[float, float, float, float]


def metrics(results: Results) -> dict[str, str]:
    """What there is to choose from, and how it is called."""
    title = results.metric.title
    named = {} if title == "loss" else {FINAL: f"validation {title}"}
    named |= LOSSES
    if len(results.settings.sweep) > 1:
        named[SWEEP] = f"{title} by learning rate"
    if results.settings.tune:
        named[TUNING] = f"best {title} by tuning steps"
    return named


def figures(
    results: Results, comparisons: Sequence[Comparison], title: str
) -> dict[str, graph_objects.Figure]:
    """For each metric its figure."""
    return {
        shown: figure(results, comparisons, shown, f"{title}: {name}")
        for shown, name in metrics(results).items()
    }


def figure(
    results: Results, comparisons: Sequence[Comparison], shown: str, title: str
) -> graph_objects.Figure:
    """A line and a band for each row."""
    rows = [(one.name, points(results.metric, one, shown)) for one in comparisons]
    traces = [
        trace
        for number, (name, found) in enumerate(rows)
        if found
        for trace in traces_of(results.metric, number, name, found, shown)
    ]
    by_epoch = shown not in (SWEEP, TUNING)
    layout: dict[str, Any] = {
        "meta": {
            "title": f"{title} by epoch" if by_epoch else title,
            "said": "Last value of each" if by_epoch else "Best of each",
        },
        "template": None,
        "hovermode": "closest",
        "uirevision": shown,
        "xaxis": epoch_axis(results.settings.epochs) if by_epoch else AXES[shown],
    }
    values = [value for _, found in rows for point in found for value in point[1:]]
    if shown in LOSSES:
        layout["yaxis"] = loss_axis(LOSSES[shown], values)
        return graph_objects.Figure(traces, layout)
    name = f"validation {results.metric.title}"
    layout["yaxis"] = {
        "title": {"text": name if by_epoch else f"final {name}"},
        "tickformat": "~%" if results.metric.is_share else "~g",
        "type": "linear",
    }
    if by_epoch and results.target is not None:
        # With room below for the line and its label.
        room = 0.01 if results.metric.is_share else 0.0
        layout["yaxis"]["autorangeoptions"] = {"include": results.target - room}
        layout["shapes"] = [target_line(results.target, results.metric)]
    return graph_objects.Figure(traces, layout)


def points(metric: Metric, comparison: Comparison, shown: str) -> Sequence[Point]:
    """What is drawn of a row: from after the first epoch on, by rate, or by steps of tuning."""
    if shown == SWEEP:
        return list(rate_points(comparison.points))
    if shown == TUNING:
        return list(tuning_points(metric, comparison.tuning))
    found = comparison.curve("ours", shown)
    # Validation begins before the first epoch.
    before = 0 if shown == "training_loss" else 1
    epochs = range(1 - before, 1 - before + len(found.mean))
    return list(zip(epochs, found.mean, found.low, found.high, strict=True))[before:]


def rate_points(rates: Sequence[RatePoint]) -> Iterator[Point]:
    """The final metric at the rates at which a training came to its end."""
    for rate in rates:
        found = [duel.ours.final for duel in rate.duels if duel.ours.final is not None]
        if found:
            yield rate.rate, statistics.fmean(found), min(found), max(found)


def tuning_points(metric: Metric, tuning: Tuning | None) -> Iterator[Point]:
    """The best trial so far, by the steps of all until then."""
    steps, best = 0, None
    for trial in tuning.trials if tuning else ():
        steps += trial.steps
        final = trial.validation_metric[-1]
        if not trial.stopped and (best is None or metric.is_better(final, best)):
            best = final
        if best is not None:
            yield steps, best, best, best


def traces_of(
    metric: Metric, number: int, name: str, found: Sequence[Point], shown: str
) -> Iterator[graph_objects.Scatter]:
    """The band of a row, where seeds differ, and its line."""
    across, mean, low, high = zip(*found, strict=True)
    colour, lengths = palette.line(number)
    if low != high:
        yield graph_objects.Scatter(
            x=across + across[::-1],
            y=high + low[::-1],
            fill="toself",
            fillcolor=translucent(colour, 0.14),
            hoverinfo="skip",
            line={"width": 0},
            meta={"row": name},
            mode="lines",
        )
    form = ".1%" if metric.is_share and shown not in LOSSES else ".3g"
    place = {SWEEP: "learning rate %{x:.3g}", TUNING: "step %{x:,}"}.get(shown, "epoch %{x}")
    spread = f" (%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}})" if low != high else ""
    line = {"color": colour, "dash": dash(lengths), "width": 2}
    yield graph_objects.Scatter(
        x=across,
        y=mean,
        customdata=list(zip(low, high, strict=True)),
        hovertemplate=f"<b>{name}</b><br>{place}: %{{y:{form}}}{spread}<extra></extra>",
        line=line | ({"shape": "hv"} if shown == TUNING else {}),
        marker={"color": colour, "line": {"width": 0}, "size": 7},
        meta={"row": name, "said": said(metric, name, found, shown)},
        mode="lines+markers" if shown == SWEEP or len(found) == 1 else "lines",
        name=name,
    )


def said(metric: Metric, name: str, found: Sequence[Point], shown: str) -> str:
    """What a screen reader says of a line."""
    if shown in LOSSES:
        return f"{name} {found[-1][1]:.3g}"
    if shown == SWEEP:
        best = max(found, key=lambda point: metric.worth(point[1]))
        return f"{name} {metric.shown(best[1])} at {best[0]:.3g}"
    return f"{name} {metric.shown(found[-1][1])}"


def epoch_axis(epochs: int) -> dict[str, Any]:
    """Whole epochs."""
    return {"title": {"text": "epoch"}, "dtick": math.ceil(epochs / MOST_TICKS), "tick0": 0}


# Learning rates, each some times the one before; and steps.
AXES: dict[str, dict[str, Any]] = {
    SWEEP: {"title": {"text": "learning rate"}, "tickformat": "~g", "type": "log"},
    TUNING: {"title": {"text": "steps of all trials"}, "tickformat": "~s", "rangemode": "tozero"},
}


def loss_axis(name: str, values: list[float]) -> dict[str, Any]:
    """Losses; what diverges leaves the picture."""
    axis: dict[str, Any] = {"title": {"text": name}, "tickformat": "~g", "type": "log"}
    positive = [value for value in values if value > 0]
    if positive:
        axis["autorangeoptions"] = {"clipmax": FAR * statistics.median(positive)}
    return axis


def target_line(target: float, metric: Metric) -> dict[str, Any]:
    """A line across at the target."""
    label = f"target {metric.shown(target)}"
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": target,
        "y1": target,
        "layer": "below",
        "line": {"color": "gray", "dash": "dot", "width": 1},
        "label": {"text": label, "textposition": "start", "padding": 6},
    }
