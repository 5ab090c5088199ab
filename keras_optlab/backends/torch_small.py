"""torch: small variables that are in no bundle, updated many at a time.

On a small tensor, torch takes longer to start an operation than to compute it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

from keras_optlab.backends import torch_bundles, torch_graph
from keras_optlab.backends.torch_job import Job

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula


def run(jobs: Sequence[Job], compiled: bool) -> None:
    """Update small variables, grouped by kind."""
    by_kind: dict[tuple, list[Job]] = {}
    for job in jobs:
        shape = None if job.formula.elementwise else tuple(job.value.shape)
        dtypes = tuple(tensor.dtype for tensor in job.tensors.values())
        kind = (job.formula, job.update.plan.key, job.value.device, dtypes, shape)
        by_kind.setdefault(kind, []).append(job)
    for (formula, *_), alike in by_kind.items():
        _run_alike(formula, alike, compiled)


def _run_alike(formula: "Formula", alike: list[Job], compiled: bool) -> None:
    """Update variables of one kind, as many at a time as fill a bundle."""
    start = 0
    while start < len(alike):
        end, elements = start, 0
        while end < len(alike) and (end == start or elements < torch_bundles.LARGE):
            elements += alike[end].value.numel()
            end += 1
        jobs = alike[start:end]
        if formula.elementwise:
            _run_joined(formula, jobs, compiled)
        elif not (len(jobs) > 1 and _run_stacked(formula, jobs)):
            for job in jobs:
                job.run()
        start = end


def _run_joined(formula: "Formula", jobs: list[Job], compiled: bool) -> None:
    """Update variables as one long vector; only for elementwise formulas."""
    tensors = [job.tensors for job in jobs]
    lists = {name: [each[name] for each in tensors] for name in tensors[0]}
    joined = {
        name: torch.cat([tensor.reshape(-1) for tensor in alike]) for name, alike in lists.items()
    }
    h = jobs[0].h
    if compiled:
        torch_graph.run_compiled(formula, joined, h)
    else:
        torch_graph.update(formula, (), joined, h).bound(h)(*joined.values())
    sizes = [job.value.numel() for job in jobs]
    for name, vector in joined.items():
        if name != "gradient":
            parts = zip(vector.split(sizes), lists[name], strict=True)
            torch_bundles.copy_all(lists[name], [part.view(x.shape) for part, x in parts])


def _run_stacked(formula: "Formula", jobs: list[Job]) -> bool:
    """Update variables of one shape in a stack, each as a whole variable.

    Returns:
        Whether it was done. `torch.vmap` refuses what it cannot vectorize, such as a branch on a
        tensor.
    """
    if not formula.cache.get("stacked", formula.may_be_stacked):
        return False
    lists = {name: [job.slots[name] for job in jobs] for name in jobs[0].slots}
    stacked = {name: torch.stack(tensors) for name, tensors in lists.items()}
    values, gradients = [job.value for job in jobs], [job.gradient for job in jobs]
    h = jobs[0].h

    def update(parameter: Any, gradient: Any, slots: Any) -> Any:
        return formula(parameter, gradient, slots, h)

    try:
        new, new_slots = torch.vmap(update)(torch.stack(values), torch.stack(gradients), stacked)
    except RuntimeError:
        formula.cache["stacked"] = False
        return False
    torch_bundles.copy_all(values, list(new))
    for name, new_slot in new_slots.items():
        torch_bundles.copy_all(lists[name], list(new_slot))
    return True
