"""The cost of checking gradients for NaN and infinity, when there are none.

python -m benchmarks.nonfinite --backend tensorflow
"""

import argparse
import functools

import keras
import numpy as np

from benchmarks import measure, options, problem, variants
from benchmarks.contenders import OURS, Case
from benchmarks.training import BATCH_SIZE, Training

VARIANTS = {mode: {"nonfinite": mode} for mode in ("apply", "skip", "raise")}


def main() -> None:
    """Measure and report."""
    parser = options.parser("nonfinite", "Step time with a check.", rounds=5, modes=True)
    options.add_count(parser, "--size", 25_000_000, "elements of the matrix")
    options.add_count(parser, "--steps", 10, "training steps that count in a round")
    options.add_cases(parser, ["SGD momentum", "Adam"])
    options.add_batch_seconds(parser)
    chosen = options.parse(parser)
    results = {}
    for name, seconds in variants.time_variants(VARIANTS, chosen).items():
        results[f"{name}, update"] = seconds
    for case in chosen.cases:
        results[f"{case.name}, training step"] = training_steps(case, chosen)
    note = (
        "Training step: forward and back through a dense layer of that matrix, batches of "
        f"{BATCH_SIZE}, mean squared error, update; median of {chosen.steps} steps of a fit."
    )
    variants.publish("A check for non-finite gradients", results, chosen, [note])


def training_steps(case: Case, chosen: argparse.Namespace) -> dict[str, list[float]]:
    """Return the seconds of a whole training step of each variant in each round."""
    rows, columns = problem.matrix(chosen.size)

    def network() -> keras.Model:
        dense = keras.layers.Dense(columns, use_bias=False)
        return keras.Sequential([keras.Input((rows,)), dense])

    def targets(random: np.random.Generator, samples: int) -> np.ndarray:
        return random.standard_normal((samples, columns), np.float32)

    contenders = {}
    for name, arguments in VARIANTS.items():
        training = Training(
            network,
            targets,
            optimizer=case.make(OURS, chosen.mode, **arguments),
            loss="mean_squared_error",
            jit_compile=chosen.mode == "jit",
        )
        contenders[name] = functools.partial(training.step, chosen.steps)
    return measure.in_turns(contenders, chosen.rounds)


if __name__ == "__main__":
    main()
