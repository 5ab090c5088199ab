"""Interleaved timing: contenders take turns, so that noise affects them alike."""

import gc
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

# Takes a number of steps, and returns once the last is done.
Runner = Callable[[int], None]

# The first step compiles, and torch may compile again on the second.
WARM_UP_STEPS = 3


@final
@dataclass(frozen=True)
class Spread:
    """Median and quartiles over the rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return the spread of values, one per round."""
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        return cls(float(median), float(low), float(high))

    @classmethod
    def of_ratio(cls, ours: Sequence[float], others: Sequence[float]) -> Self:
        """Return the spread of the ratio, taken within each round."""
        return cls.of([mine / other for mine, other in zip(ours, others, strict=True)])


def in_turns(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call each contender once per round, every second round in reverse; return the results."""
    results: dict[str, list[float]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(rounds):
        gc.collect()
        for name in order:
            results[name].append(contenders[name]())
        order.reverse()
    return results


def step_seconds(
    runners: dict[str, Runner], rounds: int, batch_seconds: float
) -> dict[str, list[float]]:
    """Return the seconds per step of each runner, one figure per round.

    Args:
        runners: The contenders.
        rounds: Number of times each of them runs.
        batch_seconds: Minimum time of each run, which takes as many steps as needed to fill it.
    """
    contenders = {name: batch(runner, batch_seconds) for name, runner in runners.items()}
    return in_turns(contenders, rounds)


def batch(runner: Runner, seconds: float) -> Callable[[], float]:
    """Return a function that times enough steps to fill `seconds`, and returns those per step."""
    runner(WARM_UP_STEPS)
    repeats = 1
    while (needed := timed(runner, repeats)) < seconds / 4:
        repeats *= 2
    repeats = max(1, math.ceil(repeats * seconds / needed))
    return lambda: timed(runner, repeats) / repeats


def timed(function: Callable[..., Any], *arguments: Any) -> float:
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean."""
    return math.exp(sum(math.log(value) for value in values) / len(values))
