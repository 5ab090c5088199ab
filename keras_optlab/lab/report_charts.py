"""The charts of the report: learning curves and accuracies by rate, each with its spread."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from plotly import graph_objects

from keras_optlab import palette
from keras_optlab.lab.results import Comparison, RatePoint, Results, final_accuracy
from keras_optlab.lab.web import dash, translucent

METRICS = {
    "validation_accuracy": "validation accuracy",
    "validation_loss": "validation loss",
    "training_loss": "training loss",
}
SWEEP = "sweep"
PERCENT = "~%"
MOST_TICKS = 12
# Losses so many times above the middle one leave the picture.
FAR = 30

# A place across, the mean there, the lowest and the highest seed.
Point = tuple[float, float, float, float]


def metrics(results: Results) -> dict[str, str]:
    """What there is to choose from, and how it is called."""
    if len(results.settings.sweep) == 1:
        return METRICS
    return {**METRICS, SWEEP: "accuracy by learning rate"}


def figures(
    results: Results, comparisons: Sequence[Comparison], title: str
) -> dict[str, graph_objects.Figure]:
    """For each metric its figure."""
    return {
        metric: figure(results, comparisons, metric, f"{title}: {name}")
        for metric, name in metrics(results).items()
    }


def figure(
    results: Results, comparisons: Sequence[Comparison], metric: str, title: str
) -> graph_objects.Figure:
    """A line and a band for each row."""
    rows = [(one.name, points(one, metric)) for one in comparisons]
    traces = [
        trace
        for number, (name, found) in enumerate(rows)
        if found
        for trace in traces_of(number, name, found, metric)
    ]
    is_sweep = metric == SWEEP
    meta = {
        "title": title if is_sweep else f"{title} by epoch",
        "said": "Best of each" if is_sweep else "Last value of each",
    }
    layout = {
        "meta": meta,
        "template": None,
        "hovermode": "closest",
        "uirevision": metric,
        "xaxis": rate_axis() if is_sweep else epoch_axis(results.settings.epochs),
    }
    values = [value for _, found in rows for point in found for value in point[1:]]
    if metric.endswith("loss"):
        layout["yaxis"] = loss_axis(METRICS[metric], values)
        return graph_objects.Figure(traces, layout)
    layout["yaxis"] = {
        "title": {"text": "final validation accuracy" if is_sweep else METRICS[metric]},
        "tickformat": PERCENT,
        "type": "linear",
    }
    if not is_sweep and results.target is not None:
        # With room below for the line and its label.
        layout["yaxis"]["autorangeoptions"] = {"include": results.target - 0.01}
        layout["shapes"] = [target_line(results.target)]
    return graph_objects.Figure(traces, layout)


def points(comparison: Comparison, metric: str) -> Sequence[Point]:
    """What is drawn of a row: from after the first epoch on, or by rate."""
    if metric == SWEEP:
        return list(rate_points(comparison.points))
    found = comparison.curve("ours", metric)
    # Validation begins before the first epoch.
    before = 0 if metric == "training_loss" else 1
    epochs = range(1 - before, 1 - before + len(found.mean))
    return list(zip(epochs, found.mean, found.low, found.high, strict=True))[before:]


def rate_points(rates: Sequence[RatePoint]) -> Iterator[Point]:
    """The accuracies of the rates at which a training came to its end."""
    for rate in rates:
        known = [final_accuracy(duel.ours) for duel in rate.duels]
        known = [value for value in known if value is not None]
        if known:
            yield rate.rate, statistics.fmean(known), min(known), max(known)


def traces_of(
    number: int, name: str, found: Sequence[Point], metric: str
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
    is_sweep = metric == SWEEP
    form, place = (".3g", "epoch %{x}") if metric.endswith("loss") else (".1%", "epoch %{x}")
    place = "learning rate %{x:.3g}" if is_sweep else place
    spread = f" (%{{customdata[0]:{form}}} to %{{customdata[1]:{form}}})" if low != high else ""
    yield graph_objects.Scatter(
        x=across,
        y=mean,
        customdata=list(zip(low, high, strict=True)),
        hovertemplate=f"<b>{name}</b><br>{place}: %{{y:{form}}}{spread}<extra></extra>",
        line={"color": colour, "dash": dash(lengths), "width": 2},
        marker={"color": colour, "line": {"width": 0}, "size": 7},
        meta={"row": name, "said": said(name, found, metric)},
        mode="lines+markers" if is_sweep or len(found) == 1 else "lines",
        name=name,
    )


def said(name: str, found: Sequence[Point], metric: str) -> str:
    """What a screen reader says of a line."""
    if metric == SWEEP:
        best = max(found, key=lambda point: point[1])
        return f"{name} {best[1]:.1%} at {best[0]:.3g}"
    last = found[-1][1]
    return f"{name} {last:.3g}" if metric.endswith("loss") else f"{name} {last:.1%}"


def epoch_axis(epochs: int) -> dict[str, Any]:
    """Whole epochs."""
    return {"title": {"text": "epoch"}, "dtick": math.ceil(epochs / MOST_TICKS), "tick0": 0}


def rate_axis() -> dict[str, Any]:
    """Learning rates, each some times the one before."""
    return {"title": {"text": "learning rate"}, "tickformat": "~g", "type": "log"}


def loss_axis(name: str, values: list[float]) -> dict[str, Any]:
    """Losses; what diverges leaves the picture."""
    axis: dict[str, Any] = {"title": {"text": name}, "tickformat": "~g", "type": "log"}
    positive = [value for value in values if value > 0]
    if positive:
        axis["autorangeoptions"] = {"clipmax": FAR * statistics.median(positive)}
    return axis


def target_line(target: float) -> dict[str, Any]:
    """A line across at the target."""
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": target,
        "y1": target,
        "layer": "below",
        "line": {"color": "gray", "dash": "dot", "width": 1},
        "label": {"text": f"target {target:.1%}", "textposition": "start", "padding": 6},
    }
