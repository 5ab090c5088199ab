"""torch: steps run eagerly, and must not be recorded for differentiation.

`torch_updates` explains how updates run on CPU, on CUDA and under `torch.compile`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar, final

import torch

from keras_optlab.backends import torch_updates
from keras_optlab.backends.protocol import Backend

if TYPE_CHECKING:
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.update import Update


@final
class Torch(Backend):
    """The torch backend."""

    lookups_are_summed: ClassVar[bool] = True

    def run(self, updates: "Sequence[Update]", jit_compile: str | bool) -> None:
        torch_updates.run(updates, jit_compile)

    def measure(
        self, updates: "Sequence[Update]", number: int, jit_compile: str | bool
    ) -> list[dict[str, Any]]:
        return torch_updates.measure(updates, number, jit_compile)

    def start(self, condition: Any, updates: "Sequence[Update]") -> None:
        torch_updates.start(condition, updates)

    def prepare(
        self, plans: "Sequence[Plan]", variables: Sequence[Any], held: Callable[[Any], Any]
    ) -> None:
        torch_updates.prepare(plans, variables, held)

    def as_written(self, function: Callable) -> Callable:
        # A graph break for `torch.compile`; see `torch_updates` for why.
        return torch.compiler.disable(function)

    def no_gradient(self) -> AbstractContextManager:
        return torch.no_grad()

    def random_state(self) -> list[int]:
        # On torch, Keras' layers draw from torch's generator.
        return torch.get_rng_state().tolist()

    def set_random_state(self, state: list[int]) -> None:
        torch.set_rng_state(torch.tensor(state, dtype=torch.uint8))

    def read_rows(self, variable: Any, rows: Any) -> Any:
        return variable.value.index_select(0, rows)

    def write_rows(self, variable: Any, rows: Any, values: Any) -> None:
        variable.value.index_copy_(0, rows.long(), values)

    def is_sparse(self, gradient: Any) -> bool:
        return isinstance(gradient, torch.Tensor) and gradient.is_sparse

    def lookups(self, gradient: Any) -> tuple[Any, Any] | None:
        if not self.is_sparse(gradient) or gradient.sparse_dim() != 1:
            return None
        gradient = gradient.coalesce()
        return gradient.indices()[0].to(torch.int32), gradient.values()

    def lookups_from(self, rows: Any, values: Any, shape: tuple[int, ...]) -> torch.Tensor:
        # The rows come from a gradient that has been checked.
        return torch.sparse_coo_tensor(rows[None], values, shape, check_invariants=False)

    def dense(self, gradient: Any) -> Any:
        return gradient.to_dense() if self.is_sparse(gradient) else gradient

    def bits_of(self, x: Any) -> Any:
        return x.view(torch.int32)

    def float_of(self, bits: Any) -> Any:
        return bits.view(torch.float32)

    def maximum(self, x: Any, y: Any) -> Any:
        return torch.maximum(torch.as_tensor(x), torch.as_tensor(y))

    def minimum(self, x: Any, y: Any) -> Any:
        return torch.minimum(torch.as_tensor(x), torch.as_tensor(y))


BACKEND = Torch()
