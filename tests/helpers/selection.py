"""Choose which values a test always runs with, and which only when slow tests run."""

import keras
import pytest

# Elementwise without and with slots, with norms of a variable, with matrices, with two points.
REPRESENTATIVE = ("SGD", "Adam", "Lamb", "Muon", "ScheduleFreeAdamW")

# One of each kind of formula: without slots, elementwise, with scalar state, by rows, with norms,
# with a pass before the step, with matrices, and with two points.
KINDS = ("SGD", "Adam", "Nadam", "Adafactor", "Lamb", "Ftrl", "Muon", "ScheduleFreeAdamW")

# Repeats for every algorithm what other tests run for one of each kind: CI skips it.
EXHAUSTIVE = (pytest.mark.slow, pytest.mark.exhaustive)

# The same on all backends, or covered on each by other tests: CI runs it on one backend.
SLOW_ON_ONE = (pytest.mark.slow,) if keras.backend.backend() == "tensorflow" else EXHAUSTIVE


def quick(values, wanted=REPRESENTATIVE, others=(pytest.mark.slow,)):
    """Return values to parametrize with, with marks on those not in `wanted`.

    Args:
        values: Values that the test runs with when slow tests run.
        wanted: Values that it always runs with: a collection, or a predicate that takes the
            test's arguments.
        others: Marks for the other values.
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
