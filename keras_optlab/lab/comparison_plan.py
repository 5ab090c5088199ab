"""Training by each algorithm and schedule, ours and the built-in: what is trained, and where."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from keras_optlab.lab import contenders, network, store
from keras_optlab.lab.data import CLASSIFICATION, REGRESSION, Dataset
from keras_optlab.lab.errors import InputError, pick
from keras_optlab.lab.farm import Farm, require
from keras_optlab.lab.network import ModelSource
from keras_optlab.lab.objective import Choice, Objective
from keras_optlab.lab.results import (
    Arguments,
    Comparison,
    Duel,
    Metric,
    RatePoint,
    Results,
    Run,
    Search,
    Settings,
    Tuning,
)
from keras_optlab.lab.store import Store
from keras_optlab.lab.training import Task
from keras_optlab.lab.versions import versions

# Two decades around the usual rate, in steps of the root of ten.
SWEEP = (0.1, 0.316, 1.0, 3.16, 10.0)
NO_SWEEP = (1.0,)

Progress = Callable[[str, int, int], None]


@final
@dataclass(frozen=True)
class Plan:
    """A comparison that is yet to be carried out."""

    dataset: Dataset
    settings: Settings
    model: ModelSource = None
    farm: Farm = field(default_factory=Farm)
    runs_folder: Path | None = None  # where finished runs are kept
    fresh: bool = False  # whether they are deleted first
    again: str = ""  # what to type to get the same again
    metric: Choice = field(default_factory=Choice)

    def carry_out(self, progress: Progress) -> Results:
        """Train everything that is not there yet.

        Args:
            progress: Called after each run with what comes next, how many are done, and how many
                there are to do.

        Raises:
            InputError: If there are fewer training rows than make one batch, or the model cannot
                be compared.
        """
        started = time.perf_counter()
        task = self.task()
        if self.settings.tune:
            require("optuna", "lab")
        model = network.build(self.model, self.dataset, self.settings.seed)
        metric = Objective(model, self.dataset, self.metric).metric
        check_target(self.settings.target, metric)
        kept = Store(self.runs_folder, store.identity(task, model, self.settings.seed))
        if self.fresh:
            kept.clear()
        backlog = Backlog(task, kept, self.farm, progress)
        tunings = backlog.done(self.searches())
        duels = backlog.done(self.runs(tunings))
        return Results(
            settings=self.settings,
            data=self.described_data(task),
            model=network.describe(self.model, model, self.dataset),
            versions=versions(),
            seconds=time.perf_counter() - started,
            jobs=None if self.farm.dask else self.farm.jobs,
            reused=backlog.reused,
            damaged=kept.damaged,
            comparisons=tuple(self.compared(duels, tunings, task, metric)),
            again=self.again,
            metric=metric,
        )

    def task(self) -> Task:
        """What all runs share."""
        rows, settings = len(self.dataset.x_train), self.settings
        if settings.batch_size > rows:
            raise InputError(
                f"the batch size must be at most the number of training rows, {rows}. "
                f"Received: {settings.batch_size}"
            )
        if settings.tune and settings.sweep != NO_SWEEP:
            raise InputError("tuning searches the learning rate too: leave out the sweep")
        return Task(
            dataset=self.dataset,
            model=self.model,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            built_in=settings.built_in,
            metric=self.metric,
        )

    def contenders(self) -> list[tuple[str, str]]:
        """Kind and name of each row; the schedules after the constant rate they are measured by."""
        names = self.settings.schedules
        schedules = [contenders.CONSTANT, *names] if names else []
        return [
            *(("optimizer", name) for name in self.settings.optimizers),
            *(("schedule", name) for name in schedules),
        ]

    def searches(self) -> list[Search]:
        """The search of each row, with as many trials as the others have."""
        trials, seed = self.settings.tune, self.settings.seed
        return [Search(kind, name, trials, seed) for kind, name in self.contenders() if trials]

    def points(
        self, kind: str, name: str, tunings: dict[Search, Tuning]
    ) -> list[tuple[float, Arguments]]:
        """The rates at which a contender is tried, from the lowest on, and other arguments."""
        if self.settings.tune:
            run = Search(kind, name, self.settings.tune, self.settings.seed)
            best = tunings[run].best_trial
            return [(best.rate, best.arguments)]
        usual = contenders.usual_rate(kind, name)
        rates = {float(f"{usual * factor:.6g}") for factor in self.settings.sweep}
        return [(rate, ()) for rate in sorted(rates)]

    def runs(self, tunings: dict[Search, Tuning]) -> list[Run]:
        """All runs: the first seed of everything first, so that a report is soon near its end."""
        return [
            Run(kind, name, rate, seed, arguments)
            for seed in self.seeds()
            for kind, name in self.contenders()
            for rate, arguments in self.points(kind, name, tunings)
        ]

    def seeds(self) -> range:
        """All seeds."""
        return range(self.settings.seed, self.settings.seed + self.settings.seeds)

    def compared(
        self,
        duels: dict[Run, Duel],
        tunings: dict[Search, Tuning],
        task: Task,
        metric: Metric,
    ) -> Iterator[Comparison]:
        """The rows of the report."""
        steps = task.steps_per_epoch * task.epochs
        searches = {(run.kind, run.name): tuning for run, tuning in tunings.items()}
        for kind, name in self.contenders():
            of_row = [duel for run, duel in duels.items() if (run.kind, run.name) == (kind, name)]
            points = tuple(
                RatePoint(rate, tuple(duel for duel in of_row if duel.run.rate == rate))
                for rate in sorted({duel.run.rate for duel in of_row})
            )
            best = best_point(points, contenders.usual_rate(kind, name), metric)
            run = points[best].duels[0].run
            contender = contenders.contender(kind, name, run.rate, steps, run.arguments)
            yield Comparison(
                kind=kind,
                name=name,
                setting=contender.setting,
                note=contender.note if self.settings.built_in else "",
                learning_rate=tuple(contender.rate_at(step) for step in range(steps)),
                points=points,
                best=best,
                tuning=searches.get((kind, name)),
            )

    def described_data(self, task: Task) -> dict[str, Any]:
        """What was trained on, in figures."""
        return {
            "name": self.dataset.name,
            "task": REGRESSION if self.dataset.is_regression else CLASSIFICATION,
            "features": math.prod(self.dataset.x_train.shape[1:]),
            "shape": list(self.dataset.x_train.shape[1:]),
            "targets": math.prod(self.dataset.y_train.shape[1:]),
            "classes": list(self.dataset.classes),
            "training_rows": len(self.dataset.x_train),
            "validation_rows": len(self.dataset.x_validation),
            "steps_per_epoch": task.steps_per_epoch,
            "preparation": self.dataset.preparation,
        }


@final
class Backlog:
    """What is to be done, less what is there from before."""

    def __init__(self, task: Task, kept: Store, farm: Farm, progress: Progress) -> None:
        self.task, self.kept, self.farm, self.progress = task, kept, farm, progress
        self.reused = 0

    def done(self, runs: Sequence[Any]) -> dict[Any, Any]:
        """The result of each run or search."""
        loaded = {run: self.kept.load(run) for run in runs}
        results = {run: result for run, result in loaded.items() if result is not None}
        missing = [run for run in runs if run not in results]
        self.reused += len(results)
        if not runs:
            return {}
        self.progress(missing[0].name if missing else "", 0, len(missing))
        for number, result in enumerate(self.farm.train(self.task, missing), start=1):
            results[result.run] = result
            self.kept.save(result)
            following = next((run.name for run in missing if run not in results), "")
            self.progress(following, number, len(missing))
        return {run: results[run] for run in runs}


def check_target(target: float | None, metric: Metric) -> None:
    """Refuse a target that an accuracy cannot reach."""
    if target is not None and metric.is_share and not 0 < target <= 1:
        raise InputError(
            f"the target must be a number in the range (0, 1] for {metric.name}. "
            f"Received: {target:g}"
        )


def best_point(points: Sequence[RatePoint], usual: float, metric: Metric) -> int:
    """Which rate is best; among equal ones that nearest to the usual one."""

    def key(number: int) -> tuple:
        distance = abs(math.log(points[number].rate / usual))
        return points[number].worth(metric), -distance

    return max(range(len(points)), key=key)


def chosen_names(
    optimizers: Sequence[str] | None, schedules: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The optimizers and schedules that are named; all of both where none is.

    Raises:
        InputError: For a name that is not known.
    """
    if not optimizers and not schedules:
        return tuple(contenders.LEARNING_RATES), tuple(contenders.schedule_names())
    picked = pick(optimizers, contenders.LEARNING_RATES, "optimizer") if optimizers else []
    of_schedules = pick(schedules, contenders.schedule_names(), "schedule") if schedules else []
    return tuple(picked), tuple(of_schedules)
