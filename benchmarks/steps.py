"""Steps of ours and of Keras' on the same weights and gradients, and their comparison."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import backend, problem
from benchmarks.contenders import KERAS, OURS, Case
from benchmarks.problem import Gradient, Shape

# Relative to the weight plus the largest step taken by any weight of the variable.
TOLERANCE = 1e-5


def new(
    case: Case,
    side: str,
    shapes: list[Shape],
    mode: str,
    gradients: Sequence[Gradient] | None = None,
    **more: Any,
) -> Any:
    """Return steps of a new optimizer on new variables.

    Args:
        case: The optimizer.
        side: `OURS` or `KERAS`.
        shapes: Shapes of the variables.
        mode: One of `backend.MODES`.
        gradients: Their gradients; None for dense random ones.
        more: Further arguments of the constructor.
    """
    if gradients is None:
        gradients = problem.gradients(shapes)
    optimizer = case.make(side, mode, **more)
    held = backend.held(gradients, mode)
    return backend.Step(optimizer, problem.variables(shapes), held, mode)


def of_sides(case: Case, shapes: list[Shape], mode: str) -> dict[str, Any]:
    """Return steps of ours and, if there is one, of the built-in."""
    return {side: new(case, side, shapes, mode) for side in case.sides}


def difference(steps: dict[str, Any], shapes: list[Shape]) -> float:
    """Take one step of both sides, and compare the weights.

    Args:
        steps: Steps of `OURS` and `KERAS`, none taken yet.
        shapes: Shapes of the variables.

    Returns:
        The largest difference in units of the tolerance: up to 1, weights count as equal.
    """
    for step in steps.values():
        step.run(1)
    sides = (problem.variables(shapes), steps[KERAS].weights(), steps[OURS].weights())
    largest = 0.0
    for variable, expected, found in zip(*sides, strict=True):
        travelled = np.abs(expected - variable.numpy()).max()
        tolerated = TOLERANCE * (np.abs(expected) + travelled)
        largest = max(largest, float((np.abs(found - expected) / tolerated).max()))
    return largest


def agreement(differences: dict[str, float]) -> str:
    """Return a sentence on the comparison of the weights."""
    apart = [f"{name} ({value:.0f})" for name, value in differences.items() if not value <= 1]
    if apart:
        return (
            f"AFTER ONE STEP THE WEIGHTS DIFFER from the built-in's, by this many times the "
            f"{TOLERANCE:.0e} allowed: {', '.join(apart)}."
        )
    return (
        f"Checked before timing: one step gives the built-in's weights to {TOLERANCE:.0e} in "
        f"{len(differences)} of {len(differences)} cases compared."
    )
