"""Fused kernels of `torch.optim` that compute algorithms of this package exactly.

Each function here calls a kernel with the settings that reproduce the formula, or returns False if
there are none. Adam's kernel is called through torch's functional interface
(`torch.optim.adam.adam`), whose overhead exceeds the time to update one block of a variable.
Kernels that run block by block on CPU are therefore called directly. On CUDA, a kernel takes all
tensors in one call.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch.optim.adam import adam

from keras_optlab.backends import torch_kernels
from keras_optlab.backends.torch_kernels import KERNELS, Kernel
from keras_optlab.optimizers.adagrad import Adagrad
from keras_optlab.optimizers.adam import Adam
from keras_optlab.optimizers.adamw import AdamW
from keras_optlab.optimizers.sgd import SGD

# Step count at which torch's bias correction is 1, even after torch adds 1 to the count in float32.
# Our bias correction is part of the learning rate that torch gets.
CORRECTED = 1e9

# Elements per block, few enough that a second kernel finds in the cache what the first one wrote.
BLOCK = 1 << 20

# Private functions that `torch.optim` calls too; torch's type hints leave them out.
native: Any = torch


def _adam(optimizer: Any, lists: dict[str, list], h: dict[str, float]) -> bool:
    alpha = h["alpha"]
    decoupled = optimizer.decoupled_weight_decay
    decay = h["decay"]
    if decay and decoupled:
        if alpha == 0:
            return False
        # torch multiplies the decay by its learning rate, which is alpha here.
        decay *= h["learning_rate"] / alpha
    adam(
        lists["value"],
        lists["gradient"],
        lists["momentum"],
        lists["velocity"],
        lists.get("velocity_hat", []),
        _steps(lists["value"], CORRECTED),
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
    rate, momentum, decay = h["learning_rate"], h.get("momentum", 0.0), h["decay"]
    values, gradients = lists["value"], lists["gradient"]
    if "momentum" not in lists:
        _fused_sgd(values, gradients, [], rate, decay=decay)
        return True
    velocities, nesterov = lists["momentum"], optimizer.nesterov
    if momentum == 0.0:
        # With a momentum of 0, torch's kernel does not update the velocity; the formula does.
        return False
    if not optimizer.learning_rate_in_velocity:
        _fused_sgd(values, gradients, velocities, rate, momentum, nesterov=nesterov, decay=decay)
    elif not nesterov:
        # v ← β v − η g and θ ← θ + v, in torch's terms: (1 − dampening) = −η, rate −1.
        _fused_sgd(values, gradients, velocities, -1.0, momentum, 1.0 + rate, decay=decay)
    elif decay:
        return False
    else:
        for p, g, v in _batches(values, gradients, velocities):
            # θ ← θ + β v with the new v, then θ ← θ − η g.
            _fused_sgd(p, g, v, -momentum, momentum, 1.0 + rate)
            native._foreach_add_(p, g, alpha=-rate)
    return True


def _batches(*lists: list[torch.Tensor]) -> Iterator[tuple[list[torch.Tensor], ...]]:
    """Yield batches: on CPU, small tensors together and large ones by block; else all at once."""
    if torch_kernels.takes_lists(lists[0][0].device):
        yield lists
        return
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
    momentum: float = 0.0,
    dampening: float = 0.0,
    nesterov: bool = False,
    decay: float = 0.0,
) -> None:
    native._fused_sgd_(
        values,
        gradients,
        velocities,
        weight_decay=decay,
        momentum=momentum,
        lr=rate,
        dampening=dampening,
        nesterov=nesterov,
        maximize=False,
        is_first_step=False,
    )


def _adagrad(optimizer: Any, lists: dict[str, list], h: dict[str, float]) -> bool:
    if not optimizer.epsilon_inside_root or h["epsilon"] == 0:
        _fused_adagrad(*_three(lists), h["learning_rate"], h["decay"], h["epsilon"])
        return True
    if h["decay"]:
        return False
    largest = max(min(tensor.numel(), BLOCK) for tensor in lists["value"])
    room = lists["value"][0].new_empty(largest)
    for p, g, s in _batches(*_three(lists)):
        # √((s + ε) + g²): the kernel adds g² to its sum, and has no ε inside the root.
        if len(s) == 1 and s[0].numel() <= largest:
            size = s[0].numel()
            shifted = [torch.add(s[0], h["epsilon"], out=room[:size].view(s[0].shape))]
        else:
            shifted = native._foreach_add(s, h["epsilon"])
        _fused_adagrad(p, g, shifted, h["learning_rate"], 0.0, 0.0)
        native._foreach_addcmul_(s, g, g)
    return True


def _three(lists: dict[str, list]) -> tuple[list, list, list]:
    return lists["value"], lists["gradient"], lists["accumulator"]


def _fused_adagrad(
    values: list, gradients: list, sums: list, rate: float, decay: float, epsilon: float
) -> None:
    native._fused_adagrad_(
        values,
        gradients,
        sums,
        # The step count, which only matters with a decay of the learning rate.
        _steps(values, 1.0),
        lr=rate,
        lr_decay=0.0,
        weight_decay=decay,
        eps=epsilon,
        maximize=False,
    )


def _steps(tensors: list[torch.Tensor], count: float) -> list[torch.Tensor]:
    """Return a step count for each tensor, created on its device to avoid a copy."""
    return [torch.full((), count, device=tensors[0].device)] * len(tensors)


KERNELS |= {
    Adam: Kernel(_adam, "aten::_fused_adam_", decays_before=True),
    AdamW: Kernel(_adam, "aten::_fused_adamw_", decays_before=True),
    SGD: Kernel(_sgd, "aten::_fused_sgd_", decays_before=False),
    Adagrad: Kernel(_adagrad, "aten::_fused_adagrad_", decays_before=False),
}
