"""What a comparison came to, as plain numbers: enough to draw it, and to do it again."""

import dataclasses
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

if TYPE_CHECKING:
    from pandas import DataFrame

# A target accuracy that nobody chose: this part of the best row's final accuracy.
TARGET_SHARE = 0.95

# Why a training was ended before its last epoch.
DIVERGED = "diverged"
HOPELESS = "no better than guessing"


@final
@dataclass(frozen=True)
class Settings:
    """What to compare, and how.

    Args:
        optimizers: Names of algorithms.
        schedules: Names of schedules; `OneCycle` is the callback.
        epochs: Integer >= 1.
        batch_size: Integer >= 1.
        seed: Integer >= 0, the first seed. It also decides which rows validate.
        seeds: Integer >= 1, how many seeds from the first one on. A seed decides the initial
            weights and the order of the batches.
        sweep: Factors of each row's usual learning rate to try; `(1.0,)` for that rate alone.
        target: The accuracy to which the time is taken, from 0 to 1, or None for 95 % of the
            best row's final accuracy.
        built_in: Whether Keras' own is trained beside.
    """

    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    epochs: int = 5
    batch_size: int = 32
    seed: int = 0
    seeds: int = 1
    sweep: tuple[float, ...] = (1.0,)
    target: float | None = None
    built_in: bool = True


@final
@dataclass(frozen=True)
class Run:
    """One piece of work: a contender, trained from one seed at one rate.

    Args:
        kind: `"optimizer"` or `"schedule"`.
        name: Name of the contender.
        rate: Its learning rate; the highest one, for a schedule.
        seed: Integer, of the initial weights and the order of the batches.
    """

    kind: str
    name: str
    rate: float
    seed: int


@final
@dataclass(frozen=True)
class Training:
    """What one training came to.

    Args:
        validation_loss: Before the first epoch and after each.
        validation_accuracy: The same of the accuracy, from 0 to 1; NaN where an output is.
        training_loss: Mean over each epoch.
        step_seconds: Median time of a training step, the first one not counted.
        stopped: Why it was ended early, or an empty string.
    """

    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]
    training_loss: tuple[float, ...]
    step_seconds: float
    stopped: str = ""

    def epochs_to(self, target: float) -> int | None:
        """The epochs after which the accuracy is first at a target, or None if it never is.

        A training that was ended early does not count.
        """
        if self.stopped:
            return None
        reached = (accuracy >= target for accuracy in self.validation_accuracy)
        return next((epoch for epoch, good in enumerate(reached) if good), None)


@final
@dataclass(frozen=True)
class Duel:
    """The result of a run: this package's training, and Keras' on the same batches.

    Args:
        run: What was trained.
        ours: This package's training.
        built_in: Keras', or None where there is none to compare.
        weight_difference: Largest difference between two final weights, relative to the largest
            distance that a weight of that variable travelled; of the worst variable. None where
            there is nothing to compare, or a side was ended early.
    """

    run: Run
    ours: Training
    built_in: Training | None
    weight_difference: float | None


@final
@dataclass(frozen=True)
class Summary:
    """A figure over several seeds.

    Args:
        mean: Of the seeds that have it; None where none has.
        deviation: Sample standard deviation, or None for less than two.
        count: How many seeds have it.
        total: How many there are.
    """

    mean: float | None
    deviation: float | None
    count: int
    total: int


def summary(values: Sequence[float | None]) -> Summary:
    """The summary of the seeds' figures; None and NaN are of those that have none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return Summary(
        mean=statistics.fmean(known) if known else None,
        deviation=statistics.stdev(known) if len(known) > 1 else None,
        count=len(known),
        total=len(values),
    )


@final
@dataclass(frozen=True)
class Curve:
    """A learning curve over several seeds, as far as any of them came.

    Args:
        mean: Of each epoch, of the seeds that got so far.
        low: The lowest of them.
        high: The highest.
    """

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def curve(trainings: Sequence[Training], name: str) -> Curve:
    """The curve of a field of `Training` over the seeds."""
    columns = []
    for values in itertools.zip_longest(*(getattr(one, name) for one in trainings)):
        known = [value for value in values if value is not None and math.isfinite(value)]
        if not known:
            break
        columns.append((statistics.fmean(known), min(known), max(known)))
    return Curve(*zip(*columns, strict=True)) if columns else Curve((), (), ())


@final
@dataclass(frozen=True)
class RatePoint:
    """One learning rate of a sweep.

    Args:
        rate: The rate.
        duels: One of each seed.
    """

    rate: float
    duels: tuple[Duel, ...]

    @property
    def accuracy(self) -> Summary:
        """The final accuracy of ours, of the seeds that were trained to the end."""
        return summary([final_accuracy(duel.ours) for duel in self.duels])

    @property
    def worth(self) -> tuple[float, ...]:
        """What rates are ordered by: seeds that came through, accuracy, loss; more is better."""
        through = [duel.ours for duel in self.duels if not duel.ours.stopped]
        if not through:
            return (0,)
        accuracy = statistics.fmean(one.validation_accuracy[-1] for one in through)
        return len(through), accuracy, -statistics.fmean(one.validation_loss[-1] for one in through)


@final
@dataclass(frozen=True)
class Comparison:
    """One contender's result.

    Args:
        kind: `"optimizer"` or `"schedule"`.
        name: Name of the class.
        setting: Its arguments at the best rate, as they would be typed.
        note: What a reader has to know.
        learning_rate: That of each step, at the best rate.
        points: The rates that were tried, from the lowest on.
        best: Which of the points is shown: the one with the highest accuracy in validation.
    """

    kind: str
    name: str
    setting: str
    note: str
    learning_rate: tuple[float, ...]
    points: tuple[RatePoint, ...]
    best: int

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

    def accuracy(self, side: str) -> Summary:
        """The final accuracy of a side."""
        return summary([final_accuracy(training) for training in self.trainings(side)])

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
        known = [difference for difference in differences if difference is not None]
        return max(known) if len(known) == len(differences) else None

    def curve(self, side: str, name: str) -> Curve:
        """A learning curve of a side."""
        return curve(self.trainings(side), name)

    def stopped(self, side: str = "ours") -> dict[str, int]:
        """For each reason to end a training early how many seeds there were."""
        reasons = [training.stopped for training in self.trainings(side) if training.stopped]
        return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}


@final
@dataclass(frozen=True)
class Results:
    """All of a comparison.

    Args:
        settings: `Settings`.
        data: What was trained on, in figures.
        model: What was trained, in words.
        versions: What it was made with.
        seconds: How long it took.
        jobs: How many runs went at a time; None for those of a Dask cluster.
        reused: How many runs were there from an earlier, interrupted comparison.
        damaged: How many files of such runs were damaged, so that they were trained again.
        comparisons: One for each row.
        again: What to type to get the same again.
    """

    settings: Settings
    data: dict[str, Any]
    model: str
    versions: dict[str, str]
    seconds: float
    jobs: int | None
    reused: int
    damaged: int
    comparisons: tuple[Comparison, ...]
    again: str

    def of_kind(self, kind: str) -> list[Comparison]:
        """The comparisons of optimizers, or those of schedules."""
        return [comparison for comparison in self.comparisons if comparison.kind == kind]

    @property
    def target(self) -> float | None:
        """The accuracy to which the time is taken; None if no training came to its end."""
        if self.settings.target is not None:
            return self.settings.target
        means = [comparison.accuracy("ours").mean for comparison in self.comparisons]
        known = [mean for mean in means if mean is not None]
        return TARGET_SHARE * max(known) if known else None

    def steps_to_target(self, comparison: Comparison) -> Summary:
        """The steps of ours after which the accuracy is first at the target."""
        return summary([steps for steps, _ in self.to_target(comparison)])

    def seconds_to_target(self, comparison: Comparison) -> Summary:
        """Those steps times the time of a step."""
        return summary([seconds for _, seconds in self.to_target(comparison)])

    def to_target(self, comparison: Comparison) -> list[tuple[float | None, float | None]]:
        """Steps and seconds of each seed."""
        reached = []
        for training in comparison.trainings("ours"):
            epochs = None if self.target is None else training.epochs_to(self.target)
            steps = None if epochs is None else epochs * self.data["steps_per_epoch"]
            reached.append((steps, None if steps is None else steps * training.step_seconds))
        return reached

    def table(self) -> "DataFrame":
        """A pandas table with a row for each algorithm and schedule, at its best learning rate."""
        from keras_optlab.lab import frames

        return frames.rows(self)

    def epochs(self) -> "DataFrame":
        """A pandas table with a row for each epoch of each training, of all rates and seeds."""
        from keras_optlab.lab import frames

        return frames.epochs(self)

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


def final_accuracy(training: Training) -> float | None:
    """The accuracy after the last epoch; None if there was no last one."""
    return None if training.stopped else training.validation_accuracy[-1]
