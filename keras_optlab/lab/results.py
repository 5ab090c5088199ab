"""What a comparison came to, as plain numbers: enough to draw it, and to do it again."""

import dataclasses
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from pandas import DataFrame

# A target that nobody chose: this part of the best row's final metric; of an error, as much above.
TARGET_SHARE = 0.95

# Why a training was ended before its last epoch.
DIVERGED = "diverged"
HOPELESS = "no better than guessing"
PRUNED = "pruned"


@final
@dataclass(frozen=True)
class Metric:
    """The metric by which rows are ordered: what Keras calls it, and its direction."""

    name: str = "accuracy"
    higher_is_better: bool = True

    @property
    def title(self) -> str:
        """What a reader calls it."""
        return self.name.replace("_", " ")

    @property
    def heading(self) -> str:
        """The same at the start of a line."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def is_share(self) -> bool:
        """Whether it is shown as a percentage."""
        return "accuracy" in self.name or self.name == "acc"

    def is_better(self, value: float, other: float) -> bool:
        """Whether a value is better than another; NaN never is."""
        return value > other if self.higher_is_better else value < other

    def worth(self, value: float) -> float:
        """The value with the sign that makes more better."""
        return value if self.higher_is_better else -value

    def shown(self, mean: float, deviation: float | None = None) -> str:
        """A value, and its deviation over the seeds if there are several."""
        if self.is_share:
            return (
                f"{mean:.1%}" if deviation is None else f"{100 * mean:.1f} ± {100 * deviation:.1f}%"
            )
        shown = f"{mean:,.0f}" if abs(mean) >= 1000 else f"{mean:.4g}"
        return shown if deviation is None else f"{shown} ± {deviation:.2g}"


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
    built_in: bool = True  # whether Keras' own is trained too
    tune: int = 0  # trials in which each row's arguments are searched for


# Names and values of the arguments of an algorithm, but for its learning rate.
Arguments = tuple[tuple[str, float], ...]


@final
@dataclass(frozen=True)
class Run:
    """One piece of work: a contender, trained from one seed with one set of arguments."""

    kind: str  # "optimizer" or "schedule"
    name: str
    rate: float  # learning rate; the highest one of a schedule
    seed: int  # of the initial weights and the order of the batches
    arguments: Arguments = ()  # others, where they were tuned


@final
@dataclass(frozen=True)
class Search:
    """One piece of work: the search for the best arguments of a contender."""

    kind: str
    name: str
    trials: int  # how many to train
    seed: int  # of their weights and batches, and of the sampler


@final
@dataclass(frozen=True)
class Trial:
    """One set of arguments that a search tried."""

    rate: float
    arguments: Arguments
    validation_metric: tuple[float, ...]  # after each epoch that was trained
    steps: int
    seconds: float  # compiling and validation included
    stopped: str = ""  # why it was ended early, "pruned" for one


@final
@dataclass(frozen=True)
class Tuning:
    """What a search came to."""

    run: Search
    trials: tuple[Trial, ...]  # in the order in which they were trained
    best: int | None  # which has the best final metric; None if none came to its end

    @property
    def best_trial(self) -> Trial:
        """The best trial; the first, of the arguments without tuning, if none came to its end."""
        return self.trials[self.best or 0]

    @property
    def finals(self) -> list[float]:
        """The final metric of each trial that came to its end."""
        return [trial.validation_metric[-1] for trial in self.trials if not trial.stopped]

    @property
    def cost(self) -> dict[str, Any]:
        """What the search found and took; figures of the metric are of the trials that ended."""
        from pandas import Series

        quarter, median, three_quarters = present(
            Series(self.finals, dtype=float).quantile([0.25, 0.5, 0.75])
        )
        pruned = [trial.stopped for trial in self.trials].count(PRUNED)
        return {
            "trials": len(self.trials),
            "trials_pruned": pruned,
            "trials_failed": len(self.trials) - len(self.finals) - pruned,
            "trials_best": None if self.best is None else self.best_trial.validation_metric[-1],
            "trials_lower_quartile": quarter,
            "trials_median": median,
            "trials_upper_quartile": three_quarters,
            "tuning_steps": sum(trial.steps for trial in self.trials),
            "tuning_seconds": sum(trial.seconds for trial in self.trials),
        }


@final
@dataclass(frozen=True)
class Training:
    """What one training came to."""

    validation_loss: tuple[float, ...]  # before the first epoch and after each
    validation_metric: tuple[float, ...]  # the same; NaN where an output is
    training_loss: tuple[float, ...]  # mean over each epoch
    step_seconds: float  # median of all steps but the first
    stopped: str = ""  # why it was ended early

    @property
    def final(self) -> float | None:
        """The metric after the last epoch; None if the training was ended early."""
        return None if self.stopped else self.validation_metric[-1]

    def epochs_to(self, target: float, metric: Metric) -> int | None:
        """The epochs after which the metric is first as good as a target.

        None if it never is, or if the training was ended early.
        """
        if self.stopped:
            return None
        worths = (metric.worth(value) for value in self.validation_metric)
        wanted = metric.worth(target)
        return next((epoch for epoch, worth in enumerate(worths) if worth >= wanted), None)


@final
@dataclass(frozen=True)
class Duel:
    """The result of a run: this package's training, and Keras' on the same batches."""

    run: Run
    ours: Training
    built_in: Training | None
    # Largest difference between two final weights, relative to the largest distance that a weight
    # of that variable travelled; of the worst variable. None if a side is missing or ended early.
    weight_difference: float | None


@final
@dataclass(frozen=True)
class Summary:
    """A figure over several seeds; None where there are too few."""

    mean: float | None
    deviation: float | None  # of a sample
    count: int  # how many seeds have the figure
    total: int  # how many there are


def summary(values: Sequence[float | None]) -> Summary:
    """The summary of the seeds' figures; None, NaN and infinity are of those that have none."""
    from pandas import Series

    found = Series(values, dtype=float).replace([math.inf, -math.inf], math.nan)
    mean, deviation = present(found.agg(["mean", "std"]))
    return Summary(mean, deviation, int(found.count()), len(values))


def present(values: Iterable[float]) -> list[float | None]:
    """Numbers of Python, None for NaN."""
    return [None if math.isnan(value) else float(value) for value in values]


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """How often each reason occurs, in the order in which they do; empty ones are none."""
    given = [reason for reason in reasons if reason]
    return {reason: given.count(reason) for reason in dict.fromkeys(given)}


@final
@dataclass(frozen=True)
class Curve:
    """A learning curve over several seeds, as far as any of them came: mean, lowest, highest."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def curve(trainings: Sequence[Training], name: str) -> Curve:
    """The curve of a field of `Training` over the seeds."""
    from pandas import DataFrame, Series

    seeds = [Series(getattr(one, name), dtype=float) for one in trainings]
    # A row an epoch; what a seed has not is NaN, which the statistics leave out.
    table = DataFrame(dict(enumerate(seeds))).replace([math.inf, -math.inf], math.nan)
    seen = table.dropna(how="all").T
    return Curve(tuple(seen.mean()), tuple(seen.min()), tuple(seen.max()))


@final
@dataclass(frozen=True)
class RatePoint:
    """One learning rate of a sweep, with a duel for each seed."""

    rate: float
    duels: tuple[Duel, ...]

    @property
    def final(self) -> Summary:
        """The final metric of ours, of the seeds that were trained to the end."""
        return summary([duel.ours.final for duel in self.duels])

    @property
    def stopped(self) -> dict[str, int]:
        """For each reason to end ours early how many seeds there were."""
        return counted(duel.ours.stopped for duel in self.duels)

    def worth(self, metric: Metric) -> tuple[float, ...]:
        """What rates are ordered by: seeds that came through, metric, loss; more is better."""
        through = [duel.ours for duel in self.duels if not duel.ours.stopped]
        if not through:
            return (0,)
        final = statistics.fmean(one.validation_metric[-1] for one in through)
        loss = statistics.fmean(one.validation_loss[-1] for one in through)
        return len(through), metric.worth(final), -loss


@final
@dataclass(frozen=True)
class Comparison:
    """One contender's result."""

    kind: str  # "optimizer" or "schedule"
    name: str
    setting: str  # its arguments at the best rate, as they would be typed
    note: str  # what a reader has to know
    learning_rate: tuple[float, ...]  # of each step, at the best rate
    points: tuple[RatePoint, ...]  # the rates that were tried, from the lowest on
    best: int  # the point that is best in validation
    tuning: Tuning | None = None  # the search by which the arguments were found

    @property
    def rate(self) -> float:
        """The best rate."""
        return self.points[self.best].rate

    @property
    def duels(self) -> tuple[Duel, ...]:
        """Those of the best rate, one of each seed."""
        return self.points[self.best].duels

    @property
    def at_edge(self) -> bool:
        """Whether the best of several rates is the lowest or the highest one."""
        return len(self.points) > 1 and self.best in (0, len(self.points) - 1)

    def trainings(self, side: str) -> list[Training]:
        """The trainings of a side, `"ours"` or `"built_in"`, one of each seed, or none."""
        sides = (getattr(duel, side) for duel in self.duels)
        return [training for training in sides if training is not None]

    def final(self, side: str = "ours") -> Summary:
        """The final metric of a side."""
        return summary([training.final for training in self.trainings(side)])

    def step_seconds(self, side: str) -> float | None:
        """The time of a step of a side: the median of the seeds'."""
        times = [training.step_seconds for training in self.trainings(side)]
        return statistics.median(times) if times else None

    @property
    def time_ratio(self) -> float | None:
        """Time of our step, relative to Keras': the median of the seeds'."""
        pairs = [(duel.ours, duel.built_in) for duel in self.duels if duel.built_in is not None]
        if not pairs:
            return None
        return statistics.median(ours.step_seconds / theirs.step_seconds for ours, theirs in pairs)

    @property
    def weight_difference(self) -> float | None:
        """That of the worst seed, or None if any has none."""
        differences = [duel.weight_difference for duel in self.duels]
        there = [difference for difference in differences if difference is not None]
        return max(there) if len(there) == len(differences) else None

    def curve(self, side: str, name: str) -> Curve:
        """A learning curve of a side."""
        return curve(self.trainings(side), name)

    def stopped(self, side: str = "ours") -> dict[str, int]:
        """For each reason to end a training early how many seeds there were."""
        return counted(training.stopped for training in self.trainings(side))


@final
@dataclass(frozen=True)
class Results:
    """All of a comparison."""

    settings: Settings
    data: dict[str, Any]  # what was trained on, in figures
    model: str  # what was trained, in words
    versions: dict[str, str]
    seconds: float
    jobs: int | None  # how many runs went at a time; None for those of a Dask cluster
    reused: int  # how many runs were there from an earlier, interrupted comparison
    damaged: int  # how many files of such runs were damaged, and trained again
    comparisons: tuple[Comparison, ...]
    again: str  # what to type to get the same again
    metric: Metric = Metric()

    def ordered(self, kind: str) -> list[Comparison]:
        """The comparisons of a kind, the best final metric first; those without one last."""

        def worth(comparison: Comparison) -> float:
            mean = comparison.final().mean
            return -math.inf if mean is None else self.metric.worth(mean)

        return sorted(self.of_kind(kind), key=worth, reverse=True)

    def of_kind(self, kind: str) -> list[Comparison]:
        """The comparisons of optimizers, or those of schedules."""
        return [comparison for comparison in self.comparisons if comparison.kind == kind]

    @property
    def target(self) -> float | None:
        """The metric to which the time is taken; None if no training came to its end."""
        if self.settings.target is not None:
            return self.settings.target
        means = [comparison.final().mean for comparison in self.comparisons]
        there = [mean for mean in means if mean is not None]
        if not there:
            return None
        best = max(there, key=self.metric.worth)
        return best * (TARGET_SHARE if self.metric.worth(best) > 0 else 2 - TARGET_SHARE)

    def steps_to_target(self, comparison: Comparison) -> Summary:
        """The steps of ours after which the metric is first as good as the target."""
        return summary([steps for steps, _ in self.to_target(comparison)])

    def seconds_to_target(self, comparison: Comparison) -> Summary:
        """Those steps times the time of a step."""
        return summary([seconds for _, seconds in self.to_target(comparison)])

    def to_target(self, comparison: Comparison) -> list[tuple[float | None, float | None]]:
        """Steps and seconds of each seed."""
        reached = []
        for training in comparison.trainings("ours"):
            epochs = None if self.target is None else training.epochs_to(self.target, self.metric)
            steps = None if epochs is None else epochs * self.data["steps_per_epoch"]
            reached.append((steps, None if steps is None else steps * training.step_seconds))
        return reached

    def table(self) -> "DataFrame":
        """A pandas table with a row for each algorithm and schedule, at its best arguments."""
        from keras_optlab.lab import frames

        return frames.rows(self)

    def epochs(self) -> "DataFrame":
        """A pandas table with a row for each epoch of each training, of all rates and seeds."""
        from keras_optlab.lab import frames

        return frames.epochs(self)

    def trials(self) -> "DataFrame":
        """A pandas table with a row for each trial of each search; empty without tuning."""
        from keras_optlab.lab import frames

        return frames.trials(self)

    def report(self, folder: str | Path) -> Path:
        """Write the report: a page, its pictures, and all numbers as JSON and CSV.

        Args:
            folder: Where to; a report that is there is replaced.

        Returns:
            The page, `report.html`.

        Raises:
            ValueError: If the folder cannot be written to.
        """
        from keras_optlab.lab import report
        from keras_optlab.lab.errors import InputError

        folder = Path(folder)
        try:
            with report.replacing(folder) as aside:
                report.write(self, aside)
        except InputError as error:
            raise ValueError(str(error)) from None
        return folder / "report.html"

    def as_dictionary(self) -> dict[str, Any]:
        """All of it as JSON can hold it, NaN and infinity aside."""
        return dataclasses.asdict(self) | {"target": self.target}
