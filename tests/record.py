"""Record what other libraries compute, as reference values for the tests.

    pip install -e ".[oracles,jax]"
    python tests/record.py            # writes tests/recorded/*.npz
    python tests/record.py --check    # records again, and compares

Each array is named after the call or the arguments that produced it:

- `optimizers.npz`: the weights of all arrays of `problem(steps, dtype=...)` in
  `tests/helpers/training.py` (seed 0), concatenated, after `steps` steps. For schedule-free, both
  the training point and the evaluation point. `linear task, ...`: loss and kernel at the
  evaluation point after each of three epochs of `tests/helpers/training_task.py`.
- `schedules.npz`: the learning rates and momenta (two rows) at each step of torch's OneCycleLR,
  NaN where it divides by zero; the rates of optax's `join_schedules`. Random arguments use seed 0.

`versions` in each file holds the library versions. All numbers are float64, except where the name
says float32. Everything random is seeded: recording again with the same versions gives the same
files, up to the last bits on another processor.
"""

import argparse
import json
import sys
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "helpers"))

import jax
import optax
import schedulefree
import torch
from other_libraries import OPTAX, RATE, SCHEDULE_FREE, TORCH
from recordings import FOLDER, key, load
from training import flat, problem
from training_task import Task

ORACLES = ("jax", "optax", "schedulefree", "torch")


# Optimizers


def train_with_torch(make, start, gradients):
    """Return the weights after a step for each list of gradients, and the optimizer."""
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    optimizer = make(parameters)
    for gradient in gradients:
        for parameter, g in zip(parameters, gradient, strict=True):
            parameter.grad = torch.tensor(g)
        optimizer.step()
    return [parameter.detach().numpy().copy() for parameter in parameters], optimizer


def torch_optimizers():
    for case in TORCH:
        make = getattr(torch.optim, case.theirs)
        weights, _ = train_with_torch(
            lambda p, make=make, case=case: make(p, lr=RATE, **case.their_arguments),
            *problem(steps=12),
        )
        yield str(case), flat(weights)


def optax_optimizers():
    for case in OPTAX:
        transformation = getattr(optax, case.theirs)(RATE, **case.their_arguments)
        start, gradients = problem(steps=12)
        with jax.enable_x64(True):
            weights = [jax.numpy.array(w) for w in start]
            state = transformation.init(weights)
            for gradient in gradients:
                updates, state = transformation.update(gradient, state, weights)
                weights = optax.apply_updates(weights, updates)
            yield str(case), flat(weights)


def schedule_free(parameters, **arguments):
    optimizer = schedulefree.AdamWScheduleFree(parameters, **arguments)
    optimizer.train()
    return optimizer


def schedule_free_points():
    for case in SCHEDULE_FREE:
        at_training, optimizer = train_with_torch(
            lambda p, case=case: schedule_free(p, lr=RATE, **case.their_arguments),
            *problem(steps=20),
        )
        optimizer.eval()
        at_evaluation = [p.detach().numpy() for p in optimizer.param_groups[0]["params"]]
        yield f"{case}, training point", flat(at_training)
        yield f"{case}, evaluation point", flat(at_evaluation)


def schedule_free_in_float32():
    for steps, warmup_steps in ((50, 0), (30, 0), (30, 10)):
        arguments = {"lr": 0.0025, "betas": (0.9, 0.999), "warmup_steps": warmup_steps}
        weights, _ = train_with_torch(
            lambda p, arguments=arguments: schedule_free(p, **arguments),
            *problem(steps, dtype="float32"),
        )
        what = key(steps=steps, warmup_steps=warmup_steps)
        yield f"schedulefree in float32, {what}", flat(weights)


def schedule_free_on_the_linear_task():
    task = Task()
    kernel = torch.nn.Parameter(torch.tensor(task.kernel.copy()))
    optimizer = schedulefree.AdamWScheduleFree([kernel], lr=0.05, warmup_steps=5)

    def error(rows=slice(None)):
        x, y = torch.tensor(task.x[rows]), torch.tensor(task.y[rows])
        return ((x @ kernel - y) ** 2).mean()

    losses, kernels = [], []
    for _ in range(3):
        optimizer.train()
        for start in range(0, 64, 16):
            optimizer.zero_grad()
            error(slice(start, start + 16)).backward()
            optimizer.step()
        optimizer.eval()
        losses.append(error().item())
        kernels.append(kernel.detach().numpy().copy())
    yield "linear task, losses in float32", np.array(losses)
    yield "linear task, kernels in float32", np.array(kernels)


# Schedules

PEAK = 0.1
TORCH_ANNEAL = {"cosine": "cos", "linear": "linear"}


def one_cycle_arguments():
    """Yield the arguments of the recorded cycles."""
    for three_phase in (False, True):
        for anneal in ("cosine", "linear"):
            for total_steps, pct_start in ((100, 0.3), (37, 0.25), (64, 0.5), (2, 0.1), (10, 0.1)):
                shape = {"anneal": anneal, "three_phase": three_phase}
                yield {"total_steps": total_steps, "pct_start": pct_start, **shape}
    yield {"total_steps": 50}
    random = np.random.default_rng(0)
    for _ in range(60):
        yield {
            "total_steps": int(random.integers(1, 121)),
            "pct_start": round(random.uniform(), 3),
            "anneal": str(random.choice(["cosine", "linear"])),
            "three_phase": bool(random.integers(2)),
            "div_factor": round(random.uniform(1, 100), 3),
            "final_div_factor": round(10 ** random.uniform(0, 6), 3),
            "base_momentum": round(random.uniform(0, 0.99), 3),
            "max_momentum": round(random.uniform(0, 0.99), 3),
        }


def one_cycles():
    for arguments in one_cycle_arguments():
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0, momentum=0.9)
        theirs = {**arguments, "anneal_strategy": TORCH_ANNEAL[arguments.get("anneal", "cosine")]}
        theirs.pop("anneal", None)
        values = []
        try:
            scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, **theirs)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # No optimizer step: torch warns.
                for step in range(arguments["total_steps"]):
                    group = optimizer.param_groups[0]
                    values.append((group["lr"], group["momentum"]))
                    if step + 1 < arguments["total_steps"]:
                        scheduler.step()
        except ZeroDivisionError:
            values = [(np.nan, np.nan)]
        yield f"OneCycleLR {key(**arguments)}", np.transpose(values)


def joined_schedules():
    random = np.random.default_rng(0)
    for _ in range(30):
        count = int(random.integers(1, 4))
        boundaries = sorted(int(b) for b in random.choice(np.arange(1, 201), count, replace=False))
        rates = [round(random.uniform(0.001, 1.0), 3) for _ in range(count + 1)]
        joined = optax.join_schedules(
            [optax.exponential_decay(rate, 50, 0.9) for rate in rates], boundaries
        )
        near = {b + shift for b in boundaries for shift in (-1, 0, 1)}
        steps = sorted({0, 300, *near})
        name = f"join_schedules {key(boundaries=boundaries, rates=rates, steps=steps)}"
        yield name, np.array([float(joined(step)) for step in steps])


RECORDED = {
    "optimizers": (
        torch_optimizers,
        optax_optimizers,
        schedule_free_points,
        schedule_free_in_float32,
        schedule_free_on_the_linear_task,
    ),
    "schedules": (one_cycles, joined_schedules),
}


def record(name):
    """Return all arrays of a file, by name."""
    return {what: array for source in RECORDED[name] for what, array in source()}


def check(name):
    """Raise an error if the installed libraries give numbers other than those recorded."""
    before, now = dict(load(name)), record(name)
    del before["versions"]
    if set(before) != set(now):
        raise AssertionError(f"Recorded, or to be recorded, alone: {set(before) ^ set(now)}")
    for what, array in now.items():
        single = "float32" in what or "join_schedules" in what
        np.testing.assert_allclose(
            array,
            before[what],
            rtol=1e-6 if single else 1e-12,
            atol=1e-7 if single else 1e-14,
            err_msg=what,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    arguments = parser.parse_args()
    for name in RECORDED:
        if arguments.check:
            check(name)
        else:
            versions = json.dumps({oracle: metadata.version(oracle) for oracle in ORACLES})
            FOLDER.mkdir(exist_ok=True)
            np.savez_compressed(FOLDER / f"{name}.npz", versions=versions, **record(name))


if __name__ == "__main__":
    main()
