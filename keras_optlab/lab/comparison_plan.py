"""Training by each algorithm and schedule, ours and the built-in: what is trained, and where."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from keras_optlab.lab import contenders, network, store
from keras_optlab.lab.data import Dataset
from keras_optlab.lab.errors import InputError, pick
from keras_optlab.lab.farm import Farm
from keras_optlab.lab.network import HIDDEN_UNITS, ModelSource
from keras_optlab.lab.results import Comparison, Duel, RatePoint, Results, Run, Settings
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
    """A comparison that is yet to be carried out.

    Args:
        dataset: `Dataset`.
        settings: `Settings`.
        model: What builds the model.
        farm: Where runs are trained.
        runs_folder: Where finished runs are kept, or None.
        fresh: Whether finished runs are deleted first.
        again: What to type to get the same again.
    """

    dataset: Dataset
    settings: Settings
    model: ModelSource = None
    farm: Farm = field(default_factory=Farm)
    runs_folder: Path | None = None
    fresh: bool = False
    again: str = ""

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
        model = network.build(self.model, self.dataset, self.settings.seed)
        network.gives_logits(model, self.dataset)
        kept = Store(self.runs_folder, store.identity(task, model, self.settings.seed))
        if self.fresh:
            kept.clear()
        runs = list(self.runs())
        loaded = {run: kept.load(run) for run in runs}
        duels = {run: duel for run, duel in loaded.items() if duel is not None}
        missing = [run for run in runs if run not in duels]
        progress(missing[0].name if missing else "", 0, len(missing))
        for number, duel in enumerate(self.farm.train(task, missing), start=1):
            duels[duel.run] = duel
            kept.save(duel)
            following = next((run.name for run in missing if run not in duels), "")
            progress(following, number, len(missing))
        return Results(
            settings=self.settings,
            data=self.described_data(task),
            model=self.described_model(model),
            versions=versions(),
            seconds=time.perf_counter() - started,
            jobs=None if self.farm.dask else self.farm.jobs,
            reused=len(runs) - len(missing),
            damaged=kept.damaged,
            comparisons=tuple(self.compared(duels, task)),
            again=self.again,
        )

    def task(self) -> Task:
        """What all runs share."""
        rows, batch_size = len(self.dataset.x_train), self.settings.batch_size
        if batch_size > rows:
            raise InputError(
                f"the batch size must be at most the number of training rows, {rows}. "
                f"Received: {batch_size}"
            )
        return Task(
            self.dataset, self.model, self.settings.epochs, batch_size, self.settings.built_in
        )

    def contenders(self) -> list[tuple[str, str]]:
        """Kind and name of each row; the schedules after the constant rate they are measured by."""
        names = self.settings.schedules
        schedules = [contenders.CONSTANT, *names] if names else []
        return [
            *(("optimizer", name) for name in self.settings.optimizers),
            *(("schedule", name) for name in schedules),
        ]

    def rates(self, kind: str, name: str) -> list[float]:
        """The rates at which a contender is tried, from the lowest on."""
        usual = contenders.usual_rate(kind, name)
        return sorted({float(f"{usual * factor:.6g}") for factor in self.settings.sweep})

    def runs(self) -> Iterator[Run]:
        """All runs: the first seed of everything first, so that a report is soon near its end."""
        for seed in self.seeds():
            for kind, name in self.contenders():
                for rate in self.rates(kind, name):
                    yield Run(kind, name, rate, seed)

    def seeds(self) -> range:
        """All seeds."""
        return range(self.settings.seed, self.settings.seed + self.settings.seeds)

    def compared(self, duels: dict[Run, Duel], task: Task) -> Iterator[Comparison]:
        """The rows of the report."""
        steps = task.steps_per_epoch * task.epochs
        for kind, name in self.contenders():
            points = tuple(
                RatePoint(rate, tuple(duels[Run(kind, name, rate, seed)] for seed in self.seeds()))
                for rate in self.rates(kind, name)
            )
            best = best_point(points, contenders.usual_rate(kind, name))
            contender = contenders.contender(kind, name, points[best].rate, steps)
            yield Comparison(
                kind=kind,
                name=name,
                setting=contender.setting,
                note=contender.note if self.settings.built_in else "",
                learning_rate=tuple(contender.rate_at(step) for step in range(steps)),
                points=points,
                best=best,
            )

    def described_data(self, task: Task) -> dict[str, Any]:
        """What was trained on, in figures."""
        return {
            "name": self.dataset.name,
            "features": math.prod(self.dataset.x_train.shape[1:]),
            "shape": list(self.dataset.x_train.shape[1:]),
            "classes": list(self.dataset.classes),
            "training_rows": len(self.dataset.x_train),
            "validation_rows": len(self.dataset.x_validation),
            "steps_per_epoch": task.steps_per_epoch,
            "preparation": self.dataset.preparation,
        }

    def described_model(self, model: Any) -> str:
        """What was trained, in words."""
        if self.model is None:
            return f"A network with one hidden layer of {HIDDEN_UNITS} units"
        name = self.model
        if not isinstance(name, str):
            name = getattr(name, "__qualname__", type(name).__name__)
        return f"The model of {name}, with {model.count_params():,} weights"


def best_point(points: Sequence[RatePoint], usual: float) -> int:
    """Which rate is best; among equal ones that nearest to the usual one."""

    def key(number: int) -> tuple:
        distance = abs(math.log(points[number].rate / usual))
        return points[number].worth, -distance

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
