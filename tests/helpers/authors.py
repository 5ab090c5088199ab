"""Replays the trajectories in `tests/golden`, recorded from the authors' code."""

import json
from pathlib import Path

import keras
import numpy as np

BACKEND = keras.backend.backend()
GOLDEN = Path(__file__).parents[1] / "golden"
MANIFEST = json.loads((GOLDEN / "manifest.json").read_text())
PROBLEM = dict(np.load(GOLDEN / "problem.npz"))
VARIABLES = [key.removeprefix("w/") for key in PROBLEM if key.startswith("w/")]

# Names of the second point in the files.
POINTS = ("eval", "average", "ema")


def compiled(apply, optimizer, variables):
    """Return `apply` as a compiled training step runs it: through XLA, or plain on torch."""
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
    """Return the weights after each step, and the final ones at the evaluation point.

    Args:
        optimizer: The optimizer.
        dtype: Dtype of weights and gradients.
        is_compiled: Whether the step is compiled.
        after_first: Function called with the optimizer after the first step.
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
    """Return how far each variable is off, in units of the distance that it travelled.

    Args:
        make: Function that makes the optimizer.
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
    """Return how far weights in float32 may be off; see the README of the recordings."""
    entry = MANIFEST[algorithm]["configs"][configuration]
    if "f32_sensitivity_with_recorded_bases" in entry:
        # In float32, the oracle finds other bases; from the recorded ones it is off by about 1e-5.
        return 10 * max(entry["f32_sensitivity_with_recorded_bases"], 1e-5)
    return max(10 * max(entry.get("float32_distance", 0.0), entry["f32_sensitivity"]), 1e-5)


# For variables whose axes torch orders differently: the Keras axis of each torch axis.
AXES = {"kernel": (1, 0), "conv": (3, 2, 0, 1)}


def starting_bases(algorithm, configuration):
    """Return a function that sets an optimizer's bases to the oracle's after its first step.

    The bases of factors without full rank are partly arbitrary.
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
