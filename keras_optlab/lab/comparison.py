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
from keras_optlab.lab.random_state import random_state
from keras_optlab.lab.results import Results, Settings
from keras_optlab.lab.terminal import progress_bar


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
        y: Array of one label a row: integers or text.
        model: Function without arguments that builds a new model, with one output a class (logits
            or probabilities), or its name, `"module:function"`. Any `compile` of its own is
            undone. Defaults to a network with one hidden layer of 32 units, for which the
            features are standardized; a model of your own gets them as they are.
        validation_data: Tuple of the features and labels to validate on. Defaults to a random
            fifth of the rows.
        optimizers: Names of algorithms.
        schedules: Names of schedules, `"OneCycle"` among them, which are tried with SGD. All of
            both where neither is given.
        epochs: Integer >= 1. Defaults to `5`.
        batch_size: Integer >= 1. Defaults to `32`.
        seed: Integer >= 0, the first random seed. Defaults to `0`.
        seeds: Integer >= 1, how many seeds. Defaults to `1`.
        sweep: Whether each row is tried with five learning rates, from a tenth to ten times its
            usual one, of which the best in validation is shown; or the factors to try. Defaults to
            `False`.
        target: Float in (0, 1], the accuracy to which the time is taken. Defaults to 95 % of the
            best row's final accuracy.
        built_in: Whether Keras' own is trained beside. Defaults to `True`.
        jobs: Integer >= 1, processes that train at a time. Defaults to `1`.
        dask: Address of the scheduler of a Dask cluster, whose workers train in place of this
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
    check_target(target)
    if dask is not None and jobs != 1:
        raise ValueError(f"`jobs` is for one machine, `dask` for a cluster. Received: {jobs=}")
    if fresh and folder is None:
        raise ValueError("`fresh` deletes the runs in `folder`. Received: folder=None")
    put_back = random_state()
    own = {"x": x, "y": y, "validation_data": validation_data}
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
        )
        plan = Plan(
            dataset=dataset_of(**own, seed=seed, standardize=model is None),
            settings=settings,
            model=model,
            farm=Farm(jobs, dask),
            runs_folder=None if folder is None else Path(folder) / "runs",
            fresh=fresh,
            again=typed_call(settings, own, model),
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


def check_target(target: Any) -> None:
    """Refuse what is no accuracy."""
    if target is None:
        return
    if isinstance(target, bool) or not isinstance(target, numbers.Real):
        raise TypeError(f"`target` must be a number in the range (0, 1]. Received: {target!r}")
    # `numbers.Real` declares no comparison with a number on the left.
    accuracy: Any = target
    if not 0 < accuracy <= 1:
        raise ValueError(f"`target` must be a number in the range (0, 1]. Received: {target!r}")


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


def dataset_of(x: Any, y: Any, validation_data: Any, seed: int, standardize: bool) -> data.Dataset:
    """The user's arrays, or the digits."""
    if x is None and y is None and validation_data is None:
        return data.digits(seed)
    if x is None or y is None:
        raise InputError("`x` and `y` belong together. Received: only one of them")
    if validation_data is None:
        return data.from_arrays("arrays", (x, y), seed, standardize)
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) != 2:
        raise InputError(
            f"`validation_data` must be features and labels. Received: {type(validation_data)}"
        )
    return data.from_arrays("arrays", (x, y, *validation_data), seed, standardize)


def typed_call(settings: Settings, own: dict[str, Any], model: Any) -> str:
    """The call that gives the same again, with the names of what cannot be typed."""
    given = [f"{name}={name}" for name, value in own.items() if value is not None]
    if model is not None:
        name = getattr(model, "__qualname__", "model")
        given.append(f"model={model!r}" if isinstance(model, str) else f"model={name}")
    given += [f"{name}={list(getattr(settings, name))!r}" for name in ("optimizers", "schedules")]
    usual = Settings((), ())
    for name in ("epochs", "batch_size", "seed", "seeds", "sweep", "target", "built_in"):
        value = getattr(settings, name)
        if value != getattr(usual, name):
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
