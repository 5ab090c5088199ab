"""Comparison of algorithms and schedules, ours and Keras' built-ins, on one model and dataset."""

import contextlib
import importlib.util
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import keras

from keras_optlab.arguments import domain
from keras_optlab.lab import contenders, data, network, results, store
from keras_optlab.lab.errors import InputError, pick
from keras_optlab.lab.farm import Farm, require
from keras_optlab.lab.objective import Choice, Objective
from keras_optlab.lab.terminal import progress_bar
from keras_optlab.lab.trace import random_state
from keras_optlab.lab.training import Task
from keras_optlab.lab.versions import versions

# Factors of a row's standard rate: two decades around it, in steps of the square root of ten.
SWEEP = (0.1, 0.316, 1.0, 3.16, 10.0)
NO_SWEEP = (1.0,)

NAMES = domain.Optional(domain.Listing(domain.Text()))
# The domain of each field of `Settings`, in field order.
DOMAINS = {
    "optimizers": NAMES,
    "schedules": NAMES,
    "epochs": domain.Integer(low=1),
    "batch_size": domain.Integer(low=1),
    "seed": domain.Integer(),
    "seeds": domain.Integer(low=1),
    "sweep": domain.Listing(domain.POSITIVE),
    "target": domain.Optional(domain.FINITE),
    "built_in": domain.Boolean(),
    "tune": domain.Integer(),
}

# Called with the name of the next run, the number of runs done, and the total.
Progress = Callable[[str, int, int], None]
Row = tuple[str, str]  # kind and name of a contender


def compare(
    x: Any = None,
    y: Any = None,
    model: Callable[[], keras.Model] | str | None = None,
    *,
    validation_data: tuple[Any, Any] | None = None,
    optimizers: Sequence[str] | None = None,
    schedules: Sequence[str] | None = None,
    epochs: int = 5,
    batch_size: int = 32,
    seed: int = 0,
    seeds: int = 1,
    sweep: bool | Sequence[float] = False,
    tune: int = 0,
    task: str | None = None,
    metric: str | None = None,
    higher_is_better: bool | None = None,
    target: float | None = None,
    built_in: bool = True,
    jobs: int = 1,
    dask: str | None = None,
    folder: str | Path | None = None,
    fresh: bool = False,
) -> results.Results:
    """Train the same model with several algorithms and schedules, ours and the built-ins.

    For each seed, every row starts from the same initial weights and sees the same batches. A run
    ends early if it diverges, or if it is still no better than guessing once half of the epochs,
    and at least two, are over.

    Args:
        x: Array of features, of shape (rows, ...). Defaults to scikit-learn's digits.
        y: Array of labels, one per row, integers or text; or of targets, of shape (rows, ...).
        model: Function without arguments that builds a new model, or its name,
            `"module:function"`. Classes need one output each, logits or probabilities. If the
            function compiles the model, its loss and metrics are used. Defaults to a network with
            one hidden layer of 32 units (a GRU for features of shape (rows, time, channels)),
            trained on standardized features and targets; other models get them unscaled.
        validation_data: Tuple of the features and the labels or targets to validate on. Defaults
            to a random fifth of the rows.
        optimizers: Names of algorithms.
        schedules: Names of schedules, which are trained with SGD; `"OneCycle"` is one of them. If
            neither `optimizers` nor `schedules` is given, all of both are compared.
        epochs: Integer >= 1. Defaults to `5`.
        batch_size: Integer >= 1. Defaults to `32`.
        seed: Integer >= 0, the first random seed. Defaults to `0`.
        seeds: Integer >= 1, the number of seeds. Defaults to `1`.
        sweep: Whether to try five learning rates per row, from a tenth to ten times its standard
            rate, and show the one that is best in validation; or the factors to try. Defaults to
            `False`.
        tune: Integer >= 0, the number of Optuna trials that search for each row's learning rate,
            decay rates, weight decay and similar arguments. Trials that fall behind end early.
            Defaults to `0`, no search.
        task: `"classification"` or `"regression"`. Defaults to regression if any target is not a
            whole number.
        metric: Any metric that `compile` takes, `"loss"`, or `"module:function"`. It decides which
            rates and trials are best. Defaults to the model's first metric, or else the accuracy
            or the mean absolute error.
        higher_is_better: Whether a higher metric is better. Defaults to what Keras says about the
            metric.
        target: The metric value up to which time is measured; for an accuracy, in (0, 1]. Defaults
            to 5 % worse than the best row's.
        built_in: Whether to train Keras' built-ins too. Defaults to `True`.
        jobs: Integer >= 1, the number of processes that train at a time. Defaults to `1`.
        dask: Address of the scheduler of a Dask cluster whose workers train, rather than this
            machine. Needs the extra `dask`.
        folder: Folder for finished runs, so that the same call resumes if it is interrupted.
            Defaults to none.
        fresh: Whether to delete the finished runs in the folder first. Defaults to `False`.

    Returns:
        `Results`; its `report(folder)` writes the page.

    Raises:
        ValueError: For an argument outside its range, or data or a model that cannot be compared.
        TypeError: For an argument of another type.

    Example:

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(100, 2))
    >>> results = keras_optlab.lab.compare(x, x[:, 0] > 0, optimizers=["SGD"], epochs=1)
    >>> [comparison.name for comparison in results.comparisons]
    ['SGD']
    """
    domain.Integer(low=1).check("jobs", jobs)
    domain.Optional(domain.Choice(data.TASKS)).check("task", task)
    domain.Optional(domain.Text()).check("metric", metric)
    if fresh and folder is None:
        raise ValueError("`fresh` deletes the runs in `folder`. Received: folder=None")
    put_back = random_state()
    try:
        settings = settings_of(
            optimizers, schedules, epochs, batch_size, seed, seeds, sweep, target, built_in, tune
        )
        if (x is None) != (y is None):
            raise InputError("expected both `x` and `y`, or neither. Received: only one of them")
        if x is None and validation_data is None:
            dataset = data.digits(seed, task)
        else:
            arrays = (x, y, *(() if validation_data is None else validation_data))
            dataset = data.from_arrays("arrays", arrays, seed, model is None, task)
        farm, chosen = Farm(jobs, dask), Choice(metric, higher_is_better)
        runs = None if folder is None else Path(folder) / "runs"
        given = {"x": x, "y": y, "validation_data": validation_data, "model": model, "task": task}
        given |= {"metric": metric, "higher_is_better": higher_is_better}
        again = typed_call(given, settings)
        plan = Plan(dataset, settings, model, farm, runs, fresh, again, chosen)
        # Without rich, no progress is shown.
        silent = contextlib.nullcontext(lambda name, done, to_do: None)
        with progress_bar() if importlib.util.find_spec("rich") else silent as progress:
            return plan.carry_out(progress)
    finally:
        put_back()


def typed_call(given: dict[str, Any], settings: results.Settings) -> str:
    """Return the call that repeats the comparison, with names for values that cannot be typed."""
    arguments = []
    for name, value in given.items():
        if value is None:
            continue
        shown = getattr(value, "__qualname__", name)
        if isinstance(value, (str, bool)):
            shown = repr(value)
        elif "<" in shown:  # `<lambda>`, or a function within a function
            shown = name
        arguments.append(f"{name}={shown}")
    defaults = vars(results.Settings((), ()))
    for name, value in vars(settings).items():
        if value != defaults[name]:
            shown = list(value) if isinstance(value, tuple) else value
            arguments.append(f"{name}={shown!r}")
    return f"keras_optlab.lab.compare({', '.join(arguments)})"


@final
@dataclass(frozen=True)
class Plan:
    """A comparison that has yet to be carried out."""

    dataset: data.Dataset
    settings: results.Settings
    model: network.ModelSource = None
    farm: Farm = field(default_factory=Farm)
    runs_folder: Path | None = None  # where finished runs are kept
    fresh: bool = False  # whether to delete them first
    again: str = ""  # what to type to repeat the comparison
    metric: Choice = field(default_factory=Choice)

    def carry_out(self, progress: Progress) -> results.Results:
        """Train everything that is not stored yet; an `InputError` says what cannot be compared."""
        started = time.perf_counter()
        settings, dataset = self.settings, self.dataset
        model = network.build(self.model, dataset, settings.seed)
        metric = Objective(model, dataset, self.metric).metric
        check_settings(settings, len(dataset.x_train), metric)
        limits = settings.epochs, settings.batch_size, settings.built_in
        task = Task(dataset, self.model, *limits, self.metric)
        kept = store.Store(self.runs_folder, store.identity(task, model, settings.seed))
        if self.fresh:
            kept.clear()
        searches = [results.Search(*row, settings.tune, settings.seed) for row in self.rows()]
        tunings = self.done(searches if settings.tune else [], task, kept, progress)
        tuned = {(search.kind, search.name): tuning for search, tuning in tunings.items()}
        duels = self.done(self.runs(tuned), task, kept, progress).values()
        return results.Results(
            settings=settings,
            data=described(task),
            model=network.describe(self.model, model, dataset),
            versions=versions(),
            comparisons=tuple(
                compared(row, duels, tuned.get(row), task, metric) for row in self.rows()
            ),
            seconds=time.perf_counter() - started,
            jobs=None if self.farm.dask else self.farm.jobs,
            reused=kept.reused,
            damaged=kept.damaged,
            again=self.again,
            metric=metric,
        )

    def done(self, runs: Sequence[Any], task: Task, kept: store.Store, progress: Progress) -> dict:
        """Return the result of each run or search, training those that are not stored yet."""
        if not runs:
            return {}
        done = {run: found for run in runs if (found := kept.load(run)) is not None}
        missing = [run for run in runs if run not in done]
        progress(missing[0].name if missing else "", 0, len(missing))
        for number, result in enumerate(self.farm.train(task, missing), start=1):
            done[result.run] = result
            kept.save(result)
            following = next((run.name for run in missing if run not in done), "")
            progress(following, number, len(missing))
        return {run: done[run] for run in runs}

    def rows(self) -> list[Row]:
        """Return all contenders; the constant rate, the baseline for schedules, precedes them."""
        schedules = self.settings.schedules and (contenders.CONSTANT, *self.settings.schedules)
        of_kind = {"optimizer": self.settings.optimizers, "schedule": schedules}
        return [(kind, name) for kind, names in of_kind.items() for name in names]

    def runs(self, tuned: dict[Row, results.Tuning]) -> list[results.Run]:
        """Return all runs, seed by seed, so that every row soon has enough for a report."""
        points: dict[Row, list[tuple[float, results.Arguments]]] = {}
        for row in self.rows():
            standard = contenders.standard_rate(*row)
            rates = {float(f"{standard * factor:.6g}") for factor in self.settings.sweep}
            points[row] = [(rate, ()) for rate in sorted(rates)]
        for row, tuning in tuned.items():
            points[row] = [(tuning.best_trial.rate, tuning.best_trial.arguments)]
        return [
            results.Run(*row, rate, self.settings.seed + number, arguments)
            for number in range(self.settings.seeds)
            for row in points
            for rate, arguments in points[row]
        ]


def settings_of(*given: Any) -> results.Settings:
    """Build the settings from what a call or command gives for each field, in field order."""
    values: dict[str, Any] = dict(zip(DOMAINS, given, strict=True))
    there = {"optimizers": contenders.LEARNING_RATES, "schedules": contenders.schedule_names()}
    for kind in there:
        values[kind] = [values[kind]] if isinstance(values[kind], str) else values[kind]
    if isinstance(values["sweep"], bool):
        values["sweep"] = SWEEP if values["sweep"] else NO_SWEEP
    try:
        values = {name: allowed.check(name, values[name]) for name, allowed in DOMAINS.items()}
    except ValueError as error:
        raise InputError(str(error)) from error
    if not values["optimizers"] and not values["schedules"]:
        values |= there
    for kind, names in there.items():
        values[kind] = tuple(pick(values[kind], names, kind[:-1])) if values[kind] else ()
    return results.Settings(**values)


def check_settings(settings: results.Settings, rows: int, metric: results.Metric) -> None:
    """Refuse settings that conflict with each other, the number of training rows or the metric."""
    target = settings.target
    if settings.batch_size > rows:
        raise InputError(
            f"the batch size must be at most the number of training rows, {rows}. "
            f"Received: {settings.batch_size}"
        )
    if not settings.sweep:
        raise InputError("the sweep must have at least one factor. Received: none")
    if settings.tune and settings.sweep != NO_SWEEP:
        raise InputError("tuning searches the learning rate too: leave out the sweep")
    if target is not None and metric.is_share and not 0 < target <= 1:
        raise InputError(
            f"the target must be a number in the range (0, 1] for {metric.name}. "
            f"Received: {target:g}"
        )
    if settings.tune:
        require("optuna", "lab")


def compared(
    row: Row,
    duels: Iterable[results.Duel],
    tuning: results.Tuning | None,
    task: Task,
    metric: results.Metric,
) -> results.Comparison:
    """Build one row of the report."""
    of_row = [duel for duel in duels if (duel.run.kind, duel.run.name) == row]
    points = tuple(
        results.RatePoint(rate, tuple(duel for duel in of_row if duel.run.rate == rate))
        for rate in sorted({duel.run.rate for duel in of_row})
    )
    best = best_point(points, contenders.standard_rate(*row), metric)
    contender = task.contender(points[best].duels[0].run)
    return results.Comparison(
        *row,
        setting=contender.setting,
        note=contender.note if task.built_in else "",
        learning_rate=tuple(map(contender.rate_at, range(task.steps))),
        points=points,
        best=best,
        tuning=tuning,
    )


def best_point(points: Sequence[results.RatePoint], standard: float, metric: results.Metric) -> int:
    """Return the index of the best rate; among equals, the one nearest to `standard`."""

    def key(number: int) -> tuple:
        return points[number].worth(metric), -abs(math.log(points[number].rate / standard))

    return max(range(len(points)), key=key)


def described(task: Task) -> dict[str, Any]:
    """Return the name, task and sizes of the data that was trained on."""
    dataset, shape = task.dataset, task.dataset.x_train.shape[1:]
    return {
        "name": dataset.name,
        "task": data.REGRESSION if dataset.is_regression else data.CLASSIFICATION,
        "features": math.prod(shape),
        "shape": list(shape),
        "targets": math.prod(dataset.y_train.shape[1:]),
        "classes": list(dataset.classes),
        "training_rows": len(dataset.x_train),
        "validation_rows": len(dataset.x_validation),
        "steps_per_epoch": task.steps_per_epoch,
        "preparation": dataset.preparation,
    }
