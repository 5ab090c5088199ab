"""Results of a comparison, as plain numbers: enough to draw it and to repeat it."""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

SIDES = {"ours": "keras-optlab", "built_in": "keras"}
NOTHING = "–"

# Default target: this fraction of the best row's final metric; for an error, as much above it.
TARGET_SHARE = 0.95

# Reasons to end a training before its last epoch.
DIVERGED = "diverged"
HOPELESS = "no better than guessing"
PRUNED = "pruned"


@final
@dataclass(frozen=True)
class Metric:
    """The metric that ranks rows: its name in Keras, and its direction."""

    name: str = "accuracy"
    higher_is_better: bool = True

    @property
    def title(self) -> str:
        """The name that readers see."""
        return self.name.replace("_", " ")

    @property
    def is_share(self) -> bool:
        """Whether the metric is shown as a percentage."""
        return "accuracy" in self.name or self.name == "acc"

    def is_better(self, value: float, other: float) -> bool:
        """Whether a value is better than another; NaN never is."""
        return value > other if self.higher_is_better else value < other

    def worth(self, value: float | None) -> float:
        """Return the value, signed so that higher is better; None is worst."""
        if value is None:
            return -math.inf
        return value if self.higher_is_better else -value

    def shown(self, mean: float | None, deviation: float | None = None) -> str:
        """Return a value as text, with its deviation over the seeds if there are several."""
        if mean is None:
            return NOTHING
        if self.is_share:
            spread = "%" if deviation is None else f" ± {deviation:.1%}"
            return f"{mean:.1%}".replace("%", spread)
        spread = "" if deviation is None else f" ± {deviation:.2g}"
        return (f"{mean:,.0f}" if abs(mean) >= 1000 else f"{mean:.4g}") + spread


@final
@dataclass(frozen=True)
class Settings:
    """What to compare, and how."""

    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]  # "OneCycle" is the callback
    epochs: int = 5
    batch_size: int = 32
    seed: int = 0  # the first seed; it also decides which rows validate
    seeds: int = 1  # each decides initial weights and the order of the batches
    sweep: tuple[float, ...] = (1.0,)  # factors of each row's learning rate to try
    target: float | None = None  # of the metric; None for 5 % worse than the best row's
    built_in: bool = True  # whether to train Keras' built-ins too
    tune: int = 0  # trials that search for each row's arguments; 0 for none


# Names and values of the arguments of an algorithm, except its learning rate.
Arguments = tuple[tuple[str, float], ...]


@final
@dataclass(frozen=True)
class Run:
    """A unit of work: a contender, trained from one seed with one set of arguments."""

    kind: str  # "optimizer" or "schedule"
    name: str
    rate: float  # learning rate; for a schedule, the highest
    seed: int  # of the initial weights and the order of the batches
    arguments: Arguments = ()  # other arguments, if they were tuned


@final
@dataclass(frozen=True)
class Search:
    """A unit of work: the search for the best arguments of a contender."""

    kind: str
    name: str
    trials: int  # how many to train
    seed: int  # of the trials' weights and batches, and of the sampler


@final
@dataclass(frozen=True)
class Trial:
    """One set of arguments that a search tried."""

    rate: float
    arguments: Arguments
    validation_metric: tuple[float, ...]  # after each epoch trained
    steps: int
    seconds: float  # compiling and validation included
    stopped: str = ""  # why it ended early, such as "pruned"


@final
@dataclass(frozen=True)
class Tuning:
    """Result of a search."""

    run: Search
    trials: tuple[Trial, ...]  # in training order
    best: int | None  # index of the best final metric; None if no trial finished

    @property
    def best_trial(self) -> Trial:
        """The best trial; if none finished, the first, which has the untuned arguments."""
        return self.trials[self.best or 0]

    @property
    def finals(self) -> list[float]:
        """The final metric of each finished trial."""
        return [trial.validation_metric[-1] for trial in self.trials if not trial.stopped]

    @property
    def cost(self) -> dict[str, Any]:
        """What the search found, and what it cost; metric figures are over the finished trials."""
        quarters = np.quantile(self.finals, [0.25, 0.5, 0.75]) if self.finals else 3 * [None]
        pruned = sum(trial.stopped == PRUNED for trial in self.trials)
        return {
            "trials": len(self.trials),
            "trials_pruned": pruned,
            "trials_failed": len(self.trials) - len(self.finals) - pruned,
            "trials_best": None if self.best is None else self.best_trial.validation_metric[-1],
            "trials_lower_quartile": quarters[0],
            "trials_median": quarters[1],
            "trials_upper_quartile": quarters[2],
            "tuning_steps": sum(trial.steps for trial in self.trials),
            "tuning_seconds": sum(trial.seconds for trial in self.trials),
        }


@final
@dataclass(frozen=True)
class Training:
    """Result of one training."""

    validation_loss: tuple[float, ...]  # before the first epoch and after each
    validation_metric: tuple[float, ...]  # likewise; both are NaN if an output is not finite
    training_loss: tuple[float, ...]  # mean over each epoch
    step_seconds: float  # median of all steps except the first
    stopped: str = ""  # why it ended early

    @property
    def final(self) -> float | None:
        """The metric after the last epoch; None if the training ended early."""
        return None if self.stopped else self.validation_metric[-1]

    def epochs_to(self, target: float | None, metric: Metric) -> int | None:
        """Return the epochs until the metric first reaches a target; None if never or stopped."""
        if self.stopped or target is None:
            return None
        worths = (metric.worth(value) for value in self.validation_metric)
        wanted = metric.worth(target)
        return next((epoch for epoch, worth in enumerate(worths) if worth >= wanted), None)


@final
@dataclass(frozen=True)
class Duel:
    """Result of a run: this package's training, and Keras' on the same batches."""

    run: Run
    ours: Training
    built_in: Training | None
    # For the worst variable, the largest difference between two final weights, relative to the
    # largest distance that one of its weights travelled. None if a side is missing or ended early.
    weight_difference: float | None


@final
@dataclass(frozen=True)
class Summary:
    """Statistics of a figure over several seeds; None where there are too few."""

    mean: float | None
    deviation: float | None  # sample standard deviation
    count: int  # how many seeds have the figure
    total: int  # how many seeds there are


def summary(values: Sequence[float | None] | np.ndarray) -> Summary:
    """Summarize the seeds' figures; None, NaN and infinity count as missing."""
    found = np.array(values, dtype=float)
    found = found[np.isfinite(found)]
    return Summary(
        mean=float(found.mean()) if found.size else None,
        deviation=float(found.std(ddof=1)) if found.size > 1 else None,
        count=found.size,
        total=len(values),
    )


@final
class Curve(NamedTuple):
    """A learning curve over several seeds, as long as the longest: mean, lowest, highest."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@final
@dataclass(frozen=True)
class RatePoint:
    """One learning rate of a sweep, with a duel for each seed."""

    rate: float
    duels: tuple[Duel, ...]

    @property
    def final(self) -> Summary:
        """Our final metric, over the seeds that were trained to the end."""
        return summary([duel.ours.final for duel in self.duels])

    def worth(self, metric: Metric) -> tuple[float, ...]:
        """Return the key that ranks rates, higher is better: finished seeds, metric, loss."""
        through = [duel.ours for duel in self.duels if not duel.ours.stopped]
        worths = [
            (metric.worth(one.validation_metric[-1]), -one.validation_loss[-1]) for one in through
        ]
        return len(through), *map(statistics.fmean, zip(*worths, strict=True))


@final
@dataclass(frozen=True)
class Comparison:
    """Result of one contender."""

    kind: str  # "optimizer" or "schedule"
    name: str
    setting: str  # its arguments at the best rate, as they would be typed
    note: str  # what a reader should know
    learning_rate: tuple[float, ...]  # of each step, at the best rate
    points: tuple[RatePoint, ...]  # the rates tried, from the lowest up
    best: int  # index of the point that is best in validation
    tuning: Tuning | None = None  # the search that found the arguments

    @property
    def rate(self) -> float:
        """The best rate."""
        return self.points[self.best].rate

    @property
    def duels(self) -> tuple[Duel, ...]:
        """The duels at the best rate, one per seed."""
        return self.points[self.best].duels

    @property
    def at_edge(self) -> bool:
        """Whether the best of several rates is the lowest or the highest."""
        return len(self.points) > 1 and self.best in (0, len(self.points) - 1)

    def trainings(self, side: str = "ours") -> list[Training]:
        """Return the trainings of a side, `"ours"` or `"built_in"`: one per seed, or none."""
        return [getattr(duel, side) for duel in self.duels if getattr(duel, side)]

    def final(self, side: str = "ours") -> Summary:
        """Return a summary of the final metric of a side."""
        return summary([training.final for training in self.trainings(side)])

    def curve(self, side: str, name: str) -> Curve:
        """Return the curve of a field of `Training` over the seeds of a side."""
        curves = (getattr(training, name) for training in self.trainings(side))
        epochs = itertools.zip_longest(*curves, fillvalue=math.nan)
        finite = [list(filter(math.isfinite, epoch)) for epoch in epochs]
        seen = [epoch for epoch in finite if epoch]
        return Curve(*(tuple(map(of, seen)) for of in (statistics.fmean, min, max)))

    def stopped(self, side: str = "ours") -> dict[str, int]:
        """Return the number of seeds that ended early, by reason."""
        return Counter(one.stopped for one in self.trainings(side) if one.stopped)


@final
@dataclass(frozen=True)
class Results:
    """Results of a whole comparison."""

    settings: Settings
    data: dict[str, Any]  # what was trained on, in figures
    model: str  # what was trained, in words
    versions: dict[str, str]
    seconds: float
    jobs: int | None  # how many runs trained at a time; None on a Dask cluster
    reused: int  # how many runs came from an earlier, interrupted comparison
    damaged: int  # how many of their files were damaged, and the runs trained again
    comparisons: tuple[Comparison, ...]
    again: str  # what to type to repeat the comparison
    metric: Metric = Metric()

    def of_kind(self, kind: str) -> list[Comparison]:
        """Return the comparisons of optimizers, or those of schedules."""
        return [comparison for comparison in self.comparisons if comparison.kind == kind]

    def ordered(self, kind: str) -> list[Comparison]:
        """Return the comparisons of a kind, the best final metric first, those without one last."""
        worth = self.metric.worth
        return sorted(self.of_kind(kind), key=lambda one: worth(one.final().mean), reverse=True)

    @property
    def target(self) -> float | None:
        """The metric value up to which time is measured; None if no training finished."""
        best = max((one.final().mean for one in self.comparisons), key=self.metric.worth)
        if self.settings.target is not None or best is None:
            return self.settings.target
        return best * (TARGET_SHARE if self.metric.worth(best) > 0 else 2 - TARGET_SHARE)

    def to_target(self, comparison: Comparison) -> tuple[Summary, Summary]:
        """Return summaries of the steps and seconds until our metric first reaches the target."""
        target, metric, ours = self.target, self.metric, comparison.trainings()
        epochs = np.array([one.epochs_to(target, metric) for one in ours], dtype=float)
        steps = epochs * self.data["steps_per_epoch"]
        return summary(steps), summary(steps * [one.step_seconds for one in ours])

    def row(self, comparison: Comparison) -> dict[str, Any]:
        """Return the figures of a row of `table`; missing ones are None or NaN."""
        from pandas import Series

        ours, theirs = comparison.final("ours"), comparison.final("built_in")
        steps, seconds = self.to_target(comparison)
        differences = [duel.weight_difference for duel in comparison.duels]
        times = [
            Series([one.step_seconds for one in comparison.trainings(side)], dtype=float)
            for side in SIDES
        ]
        figures = {
            "kind": comparison.kind,
            "name": comparison.name,
            "arguments": comparison.setting,
            "learning_rate": comparison.rate,
            "seeds": len(comparison.duels),
            "ended_early": sum(comparison.stopped().values()),
            "metric": self.metric.name,
            "validation_metric": ours.mean,
            "validation_metric_deviation": ours.deviation,
            "built_in_validation_metric": theirs.mean,
            "built_in_validation_metric_deviation": theirs.deviation,
            "steps_to_target": steps.mean,
            "seconds_to_target": seconds.mean,
            # Of the worst seed, if all seeds have one.
            "weight_difference": Series(differences, dtype=float).max(skipna=False),
            "step_seconds": times[0].median(),
            "built_in_step_seconds": times[1].median(),
            "time_ratio": (times[0] / times[1]).median(),
        }
        return figures | (comparison.tuning.cost if comparison.tuning else {})

    def table(self) -> "DataFrame":
        """Return a pandas table with a row per algorithm and schedule, at its best arguments."""
        from pandas import DataFrame

        return DataFrame(map(self.row, self.comparisons))

    def epochs(self) -> "DataFrame":
        """Return a pandas table with a row per epoch, from 0 on, of all trainings at all rates."""
        from pandas import DataFrame, concat

        tables = [
            DataFrame(
                {
                    "kind": comparison.kind,
                    "name": comparison.name,
                    "library": library,
                    "learning_rate": duel.run.rate,
                    "seed": duel.run.seed,
                    "epoch": range(len(training.validation_loss)),
                    "training_loss": (math.nan, *training.training_loss),
                    "validation_loss": training.validation_loss,
                    "validation_metric": training.validation_metric,
                    "ended_early": training.stopped,
                }
            )
            for comparison in self.comparisons
            for point in comparison.points
            for duel in point.duels
            for side, library in SIDES.items()
            if (training := getattr(duel, side))
        ]
        return concat(tables, ignore_index=True)

    def trials(self) -> "DataFrame":
        """Return a pandas table with a row per trial of each search; empty without tuning."""
        from pandas import DataFrame

        return DataFrame(
            {
                "kind": comparison.kind,
                "name": comparison.name,
                "trial": number,
                "validation_metric": trial.validation_metric[-1],
                "epochs": len(trial.validation_metric),
                "steps": trial.steps,
                "seconds": trial.seconds,
                "ended_early": trial.stopped,
                "learning_rate": trial.rate,
                **dict(trial.arguments),
            }
            for comparison in self.comparisons
            if comparison.tuning
            for number, trial in enumerate(comparison.tuning.trials)
        )

    def report(self, folder: str | Path) -> Path:
        """Write the report: a page, its pictures, and all numbers as JSON and CSV.

        Args:
            folder: Folder to write to; a report in it is replaced.

        Returns:
            The path of the page, `report.html`.

        Raises:
            ValueError: If the folder cannot be written to.
        """
        from keras_optlab.lab import report

        with report.replacing(Path(folder)) as aside:
            report.write(self, aside)
        return Path(folder) / "report.html"
