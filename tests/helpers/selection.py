"""Which of many values a test is tried with each time, and which only where slow tests run."""

import keras
import pytest

# Elementwise with and without slots, by norms of a variable, by matrices, and at two points.
REPRESENTATIVE = ("SGD", "Adam", "Lamb", "Muon", "ScheduleFreeAdamW")

# One of each kind of formula: without slots, elementwise, with scalars of its own, by rows, with
# norms, with a pass before the step, by matrices, and at two points.
KINDS = ("SGD", "Adam", "Nadam", "Adafactor", "Lamb", "Ftrl", "Muon", "ScheduleFreeAdamW")

# What repeats for every algorithm what others run for one of each kind: CI leaves it out.
EXHAUSTIVE = (pytest.mark.slow, pytest.mark.exhaustive)

# What is the same on all backends, or covered on each by other tests: CI runs it on one.
SLOW_ON_ONE = (pytest.mark.slow,) if keras.backend.backend() == "tensorflow" else EXHAUSTIVE


def quick(values, wanted=REPRESENTATIVE, others=(pytest.mark.slow,)):
    """Values to parametrize with: those that are not wanted are marked.

    Args:
        values: What the test is tried with where slow tests run.
        wanted: What it is tried with each time: a collection of values, or a function that takes
            what the test takes.
        others: Marks of those that are not wanted.
    """
    chosen = []
    for value in values:
        if not hasattr(value, "marks"):
            value = pytest.param(*(value if isinstance(value, tuple) else (value,)))
        if not (wanted(*value.values) if callable(wanted) else value.values[0] in wanted):
            marks = [*value.marks, *others]
            value = pytest.param(*value.values, marks=marks, id=value.id)
        chosen.append(value)
    return chosen
