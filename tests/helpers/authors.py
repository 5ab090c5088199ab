"""Replays the trajectories of tests/golden, which the authors' own code gave."""

import json
from pathlib import Path

import keras
import numpy as np

BACKEND = keras.backend.backend()
GOLDEN = Path(__file__).parents[1] / "golden"
MANIFEST = json.loads((GOLDEN / "manifest.json").read_text())
PROBLEM = dict(np.load(GOLDEN / "problem.npz"))
VARIABLES = [key.removeprefix("w/") for key in PROBLEM if key.startswith("w/")]

# How a second point is called in the files.
POINTS = ("eval", "average", "ema")


def compiled(apply, optimizer, variables):
    """An `apply` as a compiled training step has it: XLA, or what torch runs in one."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda gradients: apply(gradients, variables), jit_compile=True)
    if BACKEND == "torch":
        return lambda gradients: apply(gradients, variables)
    import jax

    step = jax.jit(optimizer.stateless_apply)

    def run(gradients):
        state = [v.value for v in optimizer.variables], gradients, [v.value for v in variables]
        new, new_state = step(*state)
        for variable, value in zip(
            [*variables, *optimizer.variables], [*new, *new_state], strict=True
        ):
            variable.assign(value)

    return run


def replay(optimizer, dtype, is_compiled=False, after_first=None):
    """The weights after each step, and at the end those of the evaluation point.

    Args:
        optimizer: The optimizer.
        dtype: Dtype of weights and gradients.
        is_compiled: Whether the step is compiled.
        after_first: Function that is called with the optimizer after the first step.
    """
    variables = [
        keras.Variable(PROBLEM[f"w/{name}"].astype(dtype), dtype=dtype, name=name)
        for name in VARIABLES
    ]
    optimizer.build(variables)
    step = lambda gradients: optimizer.apply(gradients, variables)  # noqa: E731
    if is_compiled:
        step = compiled(optimizer.apply, optimizer, variables)
    steps = []
    for t in range(len(PROBLEM["g/kernel"])):
        gradients = [PROBLEM[f"g/{name}"][t].astype(dtype) for name in VARIABLES]
        step([keras.ops.convert_to_tensor(g) for g in gradients])
        if t == 0 and after_first:
            after_first(optimizer)
        steps.append([np.array(keras.ops.convert_to_numpy(v)) for v in variables])
    optimizer.to_evaluation_point()
    return steps, [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def distances(make, algorithm, configuration, dtype, **how):
    """How far each variable is off, in units of the distance that it travelled.

    Args:
        make: Makes the optimizer.
        algorithm: Name of the recorded algorithm.
        configuration: Name of one of its configurations.
        dtype: Dtype of weights and gradients.
        **how: Further arguments of `replay`.
    """
    steps, evaluated = replay(make(), dtype, **how)
    recorded = dict(np.load(GOLDEN / f"{algorithm}.npz"))
    found = {}
    for number, variable in enumerate(VARIABLES):
        expected = recorded.get(f"{configuration}/{variable}")
        if expected is None:
            continue
        travelled = np.abs(expected - PROBLEM[f"w/{variable}"]).max()
        ours = np.stack([step[number].astype("float64") for step in steps])
        found[variable] = np.abs(ours - expected).max() / travelled
        for point in POINTS:
            at_evaluation = recorded.get(f"{configuration}/{variable}@{point}")
            if at_evaluation is not None:
                off = np.abs(evaluated[number].astype("float64") - at_evaluation[-1]).max()
                found[f"{variable}@{point}"] = off / travelled
    return found


def bound_in_float32(algorithm, configuration):
    """How far weights in float32 may be off, see the README of the recordings."""
    entry = MANIFEST[algorithm]["configs"][configuration]
    if "f32_sensitivity_with_recorded_bases" in entry:
        # The oracle in float32 finds other bases; from the recorded ones it is off by about 1e-5.
        return 10 * max(entry["f32_sensitivity_with_recorded_bases"], 1e-5)
    return max(10 * max(entry.get("float32_distance", 0.0), entry["f32_sensitivity"]), 1e-5)


# For variables that torch orients differently, the axis in Keras of each of its axes.
AXES = {"kernel": (1, 0), "conv": (3, 2, 0, 1)}


def starting_bases(algorithm, configuration):
    """A function that gives an optimizer the bases which the oracle has found in the first step.

    Those of factors without full rank are arbitrary in part.
    """
    recorded = dict(np.load(GOLDEN / f"{algorithm}.npz"))

    def set_bases(optimizer):
        for number, variable in enumerate(VARIABLES):
            for key, basis in recorded.items():
                if key.startswith(f"{configuration}/@Q0/{variable}/"):
                    axis = int(key.rpartition("/")[2])
                    axis = AXES[variable][axis] if variable in AXES else axis
                    optimizer.engine.plans[number].slots[f"basis_{axis}"].assign(basis)

    return set_bases
