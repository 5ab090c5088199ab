"""`keras_optlab.lab.compare`: what `optlab compare` does, from Python."""

import contextlib
import importlib.util
import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_optlab.lab import data
from keras_optlab.lab.comparison_plan import NO_SWEEP, SWEEP, Plan, Progress, chosen_names
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.farm import Farm
from keras_optlab.lab.objective import Choice
from keras_optlab.lab.results import Results, Settings
from keras_optlab.lab.terminal import progress_bar
from keras_optlab.lab.trace import random_state


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
) -> Results:
    """Train the same model by several algorithms and schedules, ours and the built-in.

    Every run of a row begins with the same initial weights and meets the same batches as those of
    the other rows. A run ends early if it diverges, or if it is still no better than guessing when
    half of the epochs, and at least two, are over.

    Args:
        x: Array of features, of shape (rows, ...). Defaults to scikit-learn's digits.
        y: Array of one label a row, integers or text; or of targets, of shape (rows, ...).
        model: Function without arguments that builds a new model, or its name,
            `"module:function"`. Classes need one output each, logits or probabilities. If the
            function compiles the model, its loss and metrics are used. Defaults to a network with
            one hidden layer of 32 units, a GRU for features of shape (rows, time, channels), for
            which features and targets are standardized; other models get them as they are.
        validation_data: Tuple of the features and the labels or targets to validate on. Defaults
            to a random fifth of the rows.
        optimizers: Names of algorithms.
        schedules: Names of schedules, `"OneCycle"` among them, which are tried with SGD. All of
            both where neither is given.
        epochs: Integer >= 1. Defaults to `5`.
        batch_size: Integer >= 1. Defaults to `32`.
        seed: Integer >= 0, the first random seed. Defaults to `0`.
        seeds: Integer >= 1, how many seeds. Defaults to `1`.
        sweep: Whether each row is tried with five learning rates, from a tenth to ten times the
            one that it has without, of which the best in validation is shown; or the factors to
            try. Defaults to `False`.
        tune: Integer >= 0, in how many trials each row's learning rate, decay rates, weight decay
            and similar arguments are searched for, by Optuna. Trials that fall behind end early.
            Defaults to `0`, no search.
        task: `"classification"` or `"regression"`. Defaults to regression if any target is not
            whole.
        metric: Any metric that `compile` takes, `"loss"`, or `"module:function"`: the rates and
            trials that are best in it are shown. Defaults to the model's first, or else the
            accuracy or the mean absolute error.
        higher_is_better: Whether the metric is better where it is higher. Defaults to what Keras
            says of it.
        target: The metric to which the time is taken, for an accuracy in (0, 1]. Defaults to one
            that is 5 % worse than the best row's.
        built_in: Whether Keras' own is trained too. Defaults to `True`.
        jobs: Integer >= 1, processes that train at a time. Defaults to `1`.
        dask: Address of the scheduler of a Dask cluster, whose workers train instead of this
            machine. Needs the extra `dask`.
        folder: Where finished runs are kept, so that the same call goes on if it is interrupted.
            Defaults to nowhere.
        fresh: Whether the finished runs in the folder are deleted first. Defaults to `False`.

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
    whole_numbers = {"epochs": epochs, "batch_size": batch_size, "seeds": seeds, "jobs": jobs}
    for name, value in whole_numbers.items():
        check_integer(name, value, 1)
    check_integer("seed", seed, 0)
    check_integer("tune", tune, 0)
    check_number("target", target)
    if task not in (None, *data.TASKS):
        raise ValueError(f"`task` must be one of {', '.join(data.TASKS)}. Received: {task!r}")
    if metric is not None and not isinstance(metric, str):
        raise TypeError(f"`metric` must be a name, or 'module:function'. Received: {metric!r}")
    if dask is not None and jobs != 1:
        raise ValueError(f"`jobs` is for one machine, `dask` for a cluster. Received: {jobs=}")
    if fresh and folder is None:
        raise ValueError("`fresh` deletes the runs in `folder`. Received: folder=None")
    put_back = random_state()
    arrays = {"x": x, "y": y, "validation_data": validation_data}
    asked = {"task": task, "metric": metric, "higher_is_better": higher_is_better}
    try:
        settings = Settings(
            *chosen_names(as_names("optimizers", optimizers), as_names("schedules", schedules)),
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            seeds=seeds,
            sweep=factors(sweep),
            target=target,
            built_in=bool(built_in),
            tune=tune,
        )
        plan = Plan(
            dataset=dataset_of(**arrays, seed=seed, standardize=model is None, task=task),
            settings=settings,
            model=model,
            farm=Farm(jobs, dask),
            runs_folder=None if folder is None else Path(folder) / "runs",
            fresh=fresh,
            again=typed_call(settings, arrays, model, asked),
            metric=Choice(metric, higher_is_better),
        )
        with progress_where_possible() as progress:
            return plan.carry_out(progress)
    except InputError as error:
        raise ValueError(str(error)) from error
    finally:
        put_back()


def check_integer(name: str, value: Any, low: int) -> None:
    """Refuse what is no integer of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be an integer >= {low}. Received: {value!r}")
    if value < low:
        raise ValueError(f"`{name}` must be an integer >= {low}. Received: {value!r}")


def check_number(name: str, value: Any) -> None:
    """Refuse what is neither None nor a finite number."""
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be a number. Received: {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be a finite number. Received: {value!r}")


def as_names(name: str, value: Any) -> list[str] | None:
    """A list of names; a single one may stand alone."""
    if value is None:
        return None
    names = [value] if isinstance(value, str) else list(value)
    if not all(isinstance(item, str) for item in names):
        raise TypeError(
            f"`{name}` must be names, as `optlab list` prints them. Received: {value!r}"
        )
    return names


def factors(sweep: bool | Sequence[float]) -> tuple[float, ...]:
    """The factors of a sweep."""
    if isinstance(sweep, bool):
        return SWEEP if sweep else NO_SWEEP
    try:
        chosen = tuple(float(factor) for factor in sweep)
    except (TypeError, ValueError):
        raise TypeError(
            f"`sweep` must be a boolean, or factors of the learning rate. Received: {sweep!r}"
        ) from None
    if not chosen or not all(math.isfinite(factor) and factor > 0 for factor in chosen):
        raise ValueError(f"`sweep` must be factors > 0. Received: {sweep!r}")
    return chosen


def dataset_of(
    x: Any, y: Any, validation_data: Any, seed: int, standardize: bool, task: str | None
) -> data.Dataset:
    """The user's arrays, or the digits."""
    if x is None and y is None and validation_data is None:
        return data.digits(seed, task)
    if x is None or y is None:
        raise InputError("`x` and `y` belong together. Received: only one of them")
    if validation_data is None:
        return data.from_arrays("arrays", (x, y), seed, standardize, task)
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
        raise InputError(
            f"`validation_data` must be features and labels. Received: {type(validation_data)}"
        )
    return data.from_arrays("arrays", (x, y, *validation_data), seed, standardize, task)


def typed_call(
    settings: Settings, arrays: dict[str, Any], model: Any, asked: dict[str, Any]
) -> str:
    """The call that gives the same again, with the names of what cannot be typed."""
    given = [f"{name}={name}" for name, value in arrays.items() if value is not None]
    if model is not None:
        name = getattr(model, "__qualname__", "model")
        given.append(f"model={model!r}" if isinstance(model, str) else f"model={name}")
    given += [f"{name}={list(getattr(settings, name))!r}" for name in ("optimizers", "schedules")]
    given += [f"{name}={value!r}" for name, value in asked.items() if value is not None]
    without = Settings((), ())
    for name in ("epochs", "batch_size", "seed", "seeds", "sweep", "tune", "target", "built_in"):
        value = getattr(settings, name)
        if value != getattr(without, name):
            given.append(f"{name}={value!r}")
    return f"keras_optlab.lab.compare({', '.join(given)})"


@contextlib.contextmanager
def progress_where_possible() -> Iterator[Progress]:
    """A progress bar, if rich is there to draw one."""
    if importlib.util.find_spec("rich") is None:
        yield lambda name, done, to_do: None
        return
    with progress_bar() as progress:
        yield progress
