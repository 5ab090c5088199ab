"""torch: a step runs eagerly; ours may also be compiled."""

from collections.abc import Sequence
from typing import Any, final

import keras
import numpy as np
import torch

from benchmarks import problem
from benchmarks.measure import Runner
from benchmarks.problem import Gradient, SparseGradient

MODES = {"eager": {}, "compiled": {"jit_compile": True}}
RIVAL = "torch fused"
SPARSE_REFUSAL = (RuntimeError,), "sparse"
STREAM_NAME = "torch"


@final
class Step:
    """Runs update steps of an optimizer.

    Args:
        optimizer: Optimizer that is not built yet. If its steps are compiled, it does so itself.
        variables: Variables to update.
        gradients: Their gradients, as `held` returns them, the same in each step.
        mode: One of `MODES`.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list[keras.Variable],
        gradients: list[Any],
        mode: str,
    ) -> None:
        optimizer.build(variables)
        self.optimizer = optimizer
        self.variables = variables
        self.gradients = gradients

    def run(self, repeats: int) -> None:
        """Run a number of steps, and wait until the last is done."""
        with torch.no_grad():
            for _ in range(repeats):
                self.optimizer.apply(self.gradients, self.variables)
        _wait()

    def weights(self) -> list[np.ndarray]:
        """Return the current weights."""
        return [np.array(variable.numpy()) for variable in self.variables]


def held(gradients: Sequence[Gradient], mode: str) -> list[Any]:
    """Return gradients in memory, in the form that a step of any mode reads."""
    return [_tensor(gradient) for gradient in gradients]


def _tensor(gradient: Gradient) -> torch.Tensor:
    if isinstance(gradient, SparseGradient):
        rows = keras.ops.convert_to_tensor(gradient.rows)
        indices = keras.ops.convert_to_tensor(gradient.indices[None, :])
        return torch.sparse_coo_tensor(indices, rows, gradient.shape, check_invariants=True)
    return keras.ops.convert_to_tensor(gradient)


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class _RivalStep:
    """Runs update steps of an optimizer of `torch.optim`."""

    def __init__(self, make: Any, shapes: list[tuple[int, ...]]) -> None:
        weights = [variable.value for variable in problem.variables(shapes)]
        for weight, gradient in zip(weights, problem.gradients(shapes), strict=True):
            weight.grad = _tensor(gradient)
        self.optimizer = make(weights)

    def run(self, repeats: int) -> None:
        """Run a number of steps, and wait until the last is done."""
        for _ in range(repeats):
            self.optimizer.step()
        _wait()


def rival(name: str, shapes: list[tuple[int, ...]]) -> _RivalStep | None:
    """Return steps of torch's fused optimizer for a case; None if it has none."""
    makers = {
        "SGD momentum": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, fused=True),
        "SGD Nesterov": lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, nesterov=True, fused=True),
        "Adagrad": lambda p: torch.optim.Adagrad(p, 1e-3, fused=True),
        "Adam": lambda p: torch.optim.Adam(p, 1e-3, fused=True),
        "AMSGrad": lambda p: torch.optim.Adam(p, 1e-3, amsgrad=True, fused=True),
        "AdamW": lambda p: torch.optim.AdamW(p, 1e-3, weight_decay=0.004, fused=True),
    }
    return _RivalStep(makers[name], shapes) if name in makers else None


def stream(size: int) -> Runner:
    """Return a runner of x += y on vectors of `size` float32 numbers."""
    x, y = (keras.ops.ones((size,)) for _ in range(2))

    def run(repeats: int) -> None:
        for _ in range(repeats):
            x.add_(y)
        _wait()

    return run


def gpu() -> str | None:
    """Return the name of the GPU in use, or None."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def fresh_start() -> None:
    """Discard everything compiled in memory, and disable the caches on disk."""
    keras.utils.clear_session()
    torch.compiler.reset()
    torch.compiler.config.force_disable_caches = True


def compiled(step: Step) -> None:
    """Return None: there is no compiled program to inspect."""


@final
class Memory:
    """GPU memory, as the backend accounts for it."""

    def used(self) -> int:
        """Return the bytes in use, and count the peak from now on."""
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()

    def peak(self) -> int:
        """Return the largest number of bytes in use at once."""
        return torch.cuda.max_memory_allocated()
