"""The fused kernels of `torch.optim`, for the formulas that one of them computes exactly.

One pass over memory, where single operations need ten. A kernel here gives the numbers of the
formula in `optimizers/`, with whatever settings it takes to make it; where none does, it is left
out. The kernels are called by torch's functional interface (`torch.optim.adam.adam` and so on).
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam
from torch.optim.sgd import sgd

if TYPE_CHECKING:
    from keras_optlab.engine.update import Update

# So many steps that torch's own bias correction is 1; ours stands in its learning rate.
CORRECTED = 1e9

# Elements of a block in which a second kernel still finds in the cache what the first wrote.
BLOCK = 1 << 19


def run(updates: "list[Update]") -> "list[Update]":
    """Update the variables that a kernel fits, and return the others."""
    kernels: dict[tuple, list] = {}
    rest = []
    for update in updates:
        kernel = KERNELS.get(_update_of(update).__qualname__)
        if kernel and _same_dtype_on_cpu(update) and not _decays_before(update, kernel):
            kernels.setdefault((update.plan.formula, update.plan.key), []).append(update)
        else:
            rest.append(update)
    for alike in kernels.values():
        kernel = KERNELS[_update_of(alike[0]).__qualname__]
        lists = {name: [] for name in ("value", "gradient", *alike[0].plan.slots)}
        for update in alike:
            lists["value"].append(update.variable.value)
            lists["gradient"].append(update.gradient)
            for name, slot in update.plan.slots.items():
                lists[name].append(slot.value)
        formula = alike[0].plan.formula
        numbers = {name: float(value) for name, value in alike[0].h.items()}
        numbers["decay"] = numbers[formula.weight_decay] if formula.weight_decay else 0.0
        if not kernel(formula.optimizer, lists, numbers):
            rest += alike
    return rest


def _update_of(update: "Update") -> Callable:
    return type(update.plan.formula.optimizer).update


def _same_dtype_on_cpu(update: "Update") -> bool:
    tensors = [update.variable.value, update.gradient]
    tensors += [slot.value for slot in update.plan.slots.values()]
    return all(
        tensor.device.type == "cpu"
        and tensor.dtype == tensors[0].dtype
        and tensor.dtype in (torch.float32, torch.float64)
        and tensor.is_contiguous()
        and tensor.numel() > 0
        for tensor in tensors
    )


def _decays_before(update: "Update", kernel: Callable) -> bool:
    """Whether a decoupled decay comes before the update, which only Adam's kernel knows."""
    formula = update.plan.formula
    decoupled = formula.weight_decay and formula.optimizer.decoupled_weight_decay
    return bool(decoupled) and kernel is not _adam


def _adam(optimizer: Any, lists: dict[str, list], h: dict[str, float]) -> bool:
    alpha = h["alpha"]
    decoupled = optimizer.decoupled_weight_decay
    decay = h["decay"]
    if decay and decoupled:
        # For float64 weights the decay is the built-in's, which is rounded (`torch.decayed`).
        if alpha == 0 or lists["value"][0].dtype == torch.float64:
            return False
        # torch multiplies its decay by its learning rate, which here is alpha.
        decay *= h["learning_rate"] / alpha
    adam(
        lists["value"],
        lists["gradient"],
        lists["momentum"],
        lists["velocity"],
        lists.get("velocity_hat", []),
        [torch.tensor(CORRECTED) for _ in lists["value"]],
        fused=True,
        decoupled_weight_decay=decoupled,
        amsgrad="velocity_hat" in lists,
        beta1=1.0 - h["one_minus_beta_1"],
        beta2=1.0 - h["one_minus_beta_2"],
        lr=alpha,
        weight_decay=decay,
        eps=h["epsilon_hat"],
        maximize=False,
    )
    return True


def _sgd(optimizer: Any, lists: dict[str, list], h: dict[str, float]) -> bool:
    rate, momentum = h["learning_rate"], h.get("momentum", 0.0)
    shared = {"weight_decay": h["decay"], "maximize": False}
    values, gradients = lists["value"], lists["gradient"]
    nothing = [None] * len(values)
    if "momentum" not in lists:
        _fused_sgd(values, gradients, nothing, rate, 0.0, 0.0, False, **shared)
    elif momentum == 0.0:
        # torch's kernel leaves the velocity alone then, the formula does not.
        return False
    elif not optimizer.learning_rate_in_velocity:
        velocities = lists["momentum"]
        _fused_sgd(values, gradients, velocities, rate, momentum, 0.0, optimizer.nesterov, **shared)
    elif not optimizer.nesterov:
        # v ← β v − η g and θ ← θ + v, in torch's terms: (1 − dampening) = −η, rate −1.
        _fused_sgd(
            values, gradients, lists["momentum"], -1.0, momentum, 1.0 + rate, False, **shared
        )
    elif h["decay"]:
        return False
    else:
        for p, g, v in _batches(values, gradients, lists["momentum"]):
            # θ ← θ + β v with the new v, then θ ← θ − η g.
            _fused_sgd(p, g, v, -momentum, momentum, 1.0 + rate, False, **shared)
            _fused_sgd(p, g, [None] * len(p), rate, 0.0, 0.0, False, **shared)
    return True


def _batches(*lists: list[torch.Tensor]) -> Iterator[tuple[list[torch.Tensor], ...]]:
    """Small tensors all together, and each block of a large one by itself."""
    alike = list(zip(*lists, strict=True))
    small = [tensors for tensors in alike if tensors[0].numel() <= BLOCK]
    if small:
        yield tuple(map(list, zip(*small, strict=True)))
    for tensors in alike:
        if tensors[0].numel() > BLOCK:
            for parts in zip(*(x.view(-1).split(BLOCK) for x in tensors), strict=True):
                yield tuple([part] for part in parts)


def _fused_sgd(
    values: list,
    gradients: list,
    velocities: list,
    rate: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    **shared: Any,
) -> None:
    sgd(
        values,
        gradients,
        velocities,
        fused=True,
        lr=rate,
        momentum=momentum,
        dampening=dampening,
        nesterov=nesterov,
        **shared,
    )


def _adagrad(optimizer: Any, lists: dict[str, list], h: dict[str, float]) -> bool:
    if optimizer.epsilon_inside_root and h["epsilon"] > 0:
        return False
    adagrad(
        lists["value"],
        lists["gradient"],
        lists["accumulator"],
        [torch.tensor(1.0) for _ in lists["value"]],
        fused=True,
        lr=h["learning_rate"],
        weight_decay=h["decay"],
        lr_decay=0.0,
        eps=h["epsilon"],
        maximize=False,
    )
    return True


KERNELS = {"Adam.update": _adam, "SGD.update": _sgd, "Adagrad.update": _adagrad}
