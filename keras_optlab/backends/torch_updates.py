"""How updates run on torch. Every path gives the numbers of the formula.

- **In a function that `torch.compile` traces** (dynamo), the optimizer is a graph break
  (`as_written` in `torch.py`). It runs as it does eagerly, by one of the next two paths. Tracing it
  would take longer to compile and hit dynamo's recompile limit, and some of torch's fused kernels
  have no fake implementation.
- **On CPU**, torch's fused kernels run if one computes the same (`torch_kernels`). Otherwise, small
  variables are updated many at a time, in bundles (`torch_bundles`) or gathered for the step
  (`torch_small`), and large ones in blocks that stay in the cache (`torch_blocks`).
- **On CUDA**, torch's fused kernels run if this build of torch has them for CUDA: one call for a
  list of all variables, as in `torch.optim`, without bundles. Otherwise, the plain formula updates
  a large variable or a bundle, with a kernel launch for each operation and without blocks. Small
  variables that are in no bundle are gathered as on CPU. Other devices have no fused kernels. No
  GPU has run any of this yet: the tests run the same code on CPU tensors.

`jit_compile=True` compiles a formula to one loop on every device, unless it takes its sums row by
row or has periodic work (branches cannot be traced). With `jit_compile=False`, and for any step in
a `keras.StatelessScope`, the formula runs on one whole variable after another.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from keras_optlab.backends import (
    torch_blocks,
    torch_bundles,
    torch_graph,
    torch_kernels,
    torch_small,
)
from keras_optlab.backends.torch_job import Job

if TYPE_CHECKING:
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.update import Update


def prepare(plans: "Sequence[Plan]", variables: Sequence[Any], held: Callable[[Any], Any]) -> None:
    """Bundle small variables, and note the tensor of each variable."""
    with torch.no_grad():
        torch_bundles.make(plans, variables, held)
    for plan, variable in zip(plans, variables, strict=True):
        plan.kept["tensor"] = held(variable)


def run(updates: "Sequence[Update]", jit_compile: str | bool) -> None:
    """Update all variables."""
    if jit_compile is False or not (updates and _is_ours(updates[0])):
        for update in updates:
            _run_through_keras(update)
        return
    bundles, others = torch_bundles.split(updates)
    for bundle, own in bundles:
        for job in _left_by_kernels([bundle.gather(own)], jit_compile):
            run_large(job, jit_compile is True)
        bundle.write_back()
    small = []
    for job in _left_by_kernels([Job.of(update) for update in others], jit_compile):
        if job.value.numel() < torch_bundles.LARGE:
            small.append(job)
        else:
            run_large(job, jit_compile is True)
    torch_small.run(small, jit_compile is True)


def start(condition: Any, updates: "Sequence[Update]") -> None:
    """Set the state of variables to what a step starts from, if a condition holds."""
    for update in updates if condition else ():
        plan = update.plan
        slots = {name: slot.value for name, slot in plan.slots.items()}
        new, new_slots = plan.formula.started(update.variable.value, slots, update.h, plan.starts)
        update.variable.assign(new)
        for name, new_slot in new_slots.items():
            plan.slots[name].assign(new_slot)


def measure(
    updates: "Sequence[Update]", number: int, jit_compile: str | bool
) -> list[dict[str, Any]]:
    """Run pass `number` over the model, and return each variable's part of its sums."""
    found = []
    for update in updates:
        job = Job.of(update)
        if jit_compile is not False and _is_ours(update) and torch_blocks.is_flat(job):
            found.append(torch_blocks.measure(job, number))
            continue
        parts = job.value, job.gradient, job.slots, job.h
        sums, new_slots = job.formula.measured(number, *parts)
        for name, new_slot in new_slots.items():
            update.plan.slots[name].assign(new_slot)
        found.append(sums)
    return found


def run_large(job: Job, compiled: bool) -> None:
    """Update one large variable or a bundle."""
    has_branches, by_rows = job.formula.has_branches, job.formula.is_cut_by_rows
    if compiled and not has_branches and not (by_rows and job.value.dim() == 2):
        torch_graph.run_compiled(job.formula, job.tensors, job.h)
    elif job.value.is_cpu:
        torch_blocks.run(job, compiled)
    else:
        job.run()


def _is_ours(update: "Update") -> bool:
    """Whether the variable's tensor is ours to write in place.

    In a `keras.StatelessScope`, variables stand for other tensors.
    """
    return update.variable.value is update.plan.kept["tensor"]


def _left_by_kernels(jobs: list[Job], jit_compile: str | bool) -> list[Job]:
    """Run the kernels that fit, and return the jobs left to the formula."""
    return torch_kernels.run(jobs) if jit_compile == "auto" else jobs


def _run_through_keras(update: "Update") -> None:
    """Update a variable with single operations, and let Keras assign the results."""
    slots = {name: slot.value for name, slot in update.plan.slots.items()}
    new, new_slots = update.plan.formula(update.variable.value, update.gradient, slots, update.h)
    update.variable.assign(new)
    for name, new_slot in new_slots.items():
        update.plan.slots[name].assign(new_slot)
