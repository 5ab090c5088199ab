"""Fused kernels of torch, for the formulas that one of them computes exactly.

One pass over memory, where single operations need ten. Which class has one stands above the engine,
in `keras_optlab/optimizers/fused_on_torch.py`; where none fits, the formula itself runs.
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
            where no kernel computes the formula with these numbers.
        operation: The kernel's name in torch, which says on which devices there is one.
        decays_before: Whether it knows a decay that comes before the update.
    """

    run: Callable[[Any, dict[str, list], dict[str, float]], bool]
    operation: str
    decays_before: bool


# Of these classes alone, whatever others are called.
KERNELS: dict[type, Kernel] = {}

# has_kernel(operation, key): torch has it under this name only.
has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key

# The devices that such kernels are written for, and how torch's dispatcher calls them.
DISPATCH_KEYS = {"cpu": "CPU", "cuda": "CUDA"}


def run(jobs: list[Job]) -> list[Job]:
    """Update the variables that a kernel fits, and return the others."""
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
    """Whether a kernel updates a list of tensors on a device as fast as one joined tensor."""
    return device.type == "cuda"


def takes_list_of(formula: "Formula", device: torch.device) -> bool:
    """Whether a kernel updates the variables of a formula on a device without joining them."""
    kernel = _kernel_for(formula)
    return takes_lists(device) and kernel is not None and _exists(kernel.operation, device.type)


def _kernel_for(formula: "Formula") -> Kernel | None:
    """The kernel that computes a formula, from the table."""
    if "kernel" not in formula.compiled:
        kernel = KERNELS.get(type(formula.algorithm))
        decays = formula.weight_decay and formula.is_decoupled
        # None of them knows a transform.
        fits = kernel and not formula.transforms and (kernel.decays_before or not decays)
        formula.compiled["kernel"] = kernel if fits else None
    return formula.compiled["kernel"]


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
    """Whether this build of torch has a kernel for a type of device."""
    key = DISPATCH_KEYS.get(device)
    return key is not None and has_kernel(operation, key)
