"""Fused kernels of torch, for the formulas that one of them computes exactly.

A kernel takes one pass over memory, single operations take ten. A module above the engine,
`keras_optlab/optimizers/fused_on_torch.py`, says which classes have a kernel. If none fits, the
formula itself runs.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, final

import torch

from keras_optlab.backends.torch_job import Job

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula


@final
class Kernel(NamedTuple):
    """A fused kernel for the formula of one class.

    Args:
        run: Function of the optimizer, lists of tensors by name (`"value"`, `"gradient"` and the
            slots) and numbers by name. It updates the tensors and returns True, or returns False
            if no kernel computes the formula with these numbers.
        operation: The kernel's name in torch, by which to look up the devices that have it.
        decays_before: Whether it supports decoupled weight decay, before the update.
    """

    run: Callable[[Any, dict[str, list], dict[str, float]], bool]
    operation: str
    decays_before: bool


# For exactly these classes, never for others that share a name.
KERNELS: dict[type, Kernel] = {}

# has_kernel(operation, key): torch has no public name for it.
has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key

# The devices that may have such kernels, with their keys in torch's dispatcher.
DISPATCH_KEYS = {"cpu": "CPU", "cuda": "CUDA"}


def run(jobs: list[Job]) -> list[Job]:
    """Update the variables that a kernel fits, and return the jobs of the others."""
    by_kernel: dict[tuple[Kernel, Formula, Any, torch.dtype, torch.device], list[Job]] = {}
    rest = []
    for job in jobs:
        kernel = _kernel_for(job.formula)
        if kernel and _takes(kernel, job):
            value = job.value
            kind = (kernel, job.formula, job.update.plan.key, value.dtype, value.device)
            by_kernel.setdefault(kind, []).append(job)
        else:
            rest.append(job)
    for (kernel, formula, *_), alike in by_kernel.items():
        tensors = [job.tensors for job in alike]
        lists = {name: [each[name] for each in tensors] for name in tensors[0]}
        numbers = {name: float(value) for name, value in alike[0].update.h.items()}
        numbers["decay"] = numbers[formula.weight_decay] if formula.weight_decay else 0.0
        if not kernel.run(formula.algorithm, lists, numbers):
            rest += alike
    return rest


def takes_lists(device: torch.device) -> bool:
    """Whether kernels update a list of tensors on a device as fast as one joined tensor."""
    return device.type == "cuda"


def takes_list_of(formula: "Formula", device: torch.device) -> bool:
    """Whether a kernel updates the variables of a formula on a device without joining them."""
    kernel = _kernel_for(formula)
    return takes_lists(device) and kernel is not None and _exists(kernel.operation, device.type)


def _kernel_for(formula: "Formula") -> Kernel | None:
    """Return the kernel that computes a formula, or None if the table has none."""
    if "kernel" not in formula.cache:
        kernel = KERNELS.get(type(formula.algorithm))
        decays = formula.weight_decay and formula.is_decoupled
        # No kernel supports transforms.
        fits = kernel and not formula.transforms and (kernel.decays_before or not decays)
        formula.cache["kernel"] = kernel if fits else None
    return formula.cache["kernel"]


def _takes(kernel: Kernel, job: Job) -> bool:
    """Whether a kernel can update these tensors."""
    dtype, device = job.value.dtype, job.value.device
    return (
        dtype in (torch.float32, torch.float64)
        and job.value.numel() > 0
        and _exists(kernel.operation, device.type)
        and all(
            tensor.dtype == dtype and tensor.device == device and tensor.is_contiguous()
            for tensor in job.tensors.values()
        )
    )


@cache
def _exists(operation: str, device: str) -> bool:
    """Whether this build of torch has a kernel for a device type."""
    key = DISPATCH_KEYS.get(device)
    return key is not None and has_kernel(operation, key)
