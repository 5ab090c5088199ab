"""Small variables of one kind, updated as one long vector.

For many small tensors, torch takes longer to start an operation on each than to compute it. The
slots of such variables are moved into one buffer, so that a step gathers only weights and
gradients. The variables keep their tensors.
"""

import operator
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, final

import torch

from keras_optlab.backends import torch_kernels
from keras_optlab.backends.torch_job import Job

if TYPE_CHECKING:
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.update import Update

# From this many elements on, a variable is not small and a bundle is full. What a formula holds of
# a bundle fits into the processor's cache.
LARGE = 1 << 18

# copy_all(to, from): copy a list of tensors in one call. torch has no public name for it.
copy_all = torch._foreach_copy_  # pyright: ignore[reportPrivateImportUsage]


@final
class Bundle:
    """Small variables packed into one flat buffer, for an elementwise formula.

    Args:
        plans: Their plans, with the same formula and group.
        variables: The Keras variables.
        held: Function that returns what a Keras variable holds, ignoring any scope.
        room: Two vectors to gather weights and gradients in, at least as long as the bundle.
    """

    def __init__(
        self,
        plans: Sequence["Plan"],
        variables: Sequence[Any],
        held: Callable[[Any], torch.Tensor],
        room: tuple[torch.Tensor, torch.Tensor],
    ) -> None:
        self.plans = list(plans)
        self.held = held
        self.sizes = [held(variable).numel() for variable in variables]
        starts = [0, *accumulate(self.sizes)]
        self.slots: dict[str, torch.Tensor] = {}
        # Variables and slots. The bundle is valid while they hold these tensors at these addresses.
        self.holders = list(variables)
        for name in plans[0].slots:
            own = [plan.slots[name] for plan in plans]
            self.slots[name] = flat = torch.cat([held(slot).detach().view(-1) for slot in own])
            for slot, start, size in zip(own, starts, self.sizes, strict=False):
                tensor = held(slot)
                tensor.data = flat[start : start + size].view(tensor.shape)
            self.holders += own
        self.tensors = [held(holder) for holder in self.holders]
        self.places = [tensor.data_ptr() for tensor in self.tensors]
        self.values = [held(variable).detach() for variable in variables]
        self.room = [vector[: starts[-1]] for vector in room]
        self.room_of_values, self.room_of_gradients = (
            [
                part.view(x.shape)
                for part, x in zip(vector.split(self.sizes), self.values, strict=True)
            ]
            for vector in self.room
        )
        for plan in plans:
            plan.kept["bundle"] = self

    def takes(self, updates: Sequence["Update"]) -> bool:
        """Whether these are the updates of all its variables, none of which has moved."""
        gradients = [update.gradient for update in updates]
        return (
            len(updates) == len(self.plans)
            and all(update.plan is plan for update, plan in zip(updates, self.plans, strict=True))
            and all(map(operator.is_, map(self.held, self.holders), self.tensors))
            and list(map(torch.Tensor.data_ptr, self.tensors)) == self.places
            and {gradient.dtype for gradient in gradients} == {self.room[1].dtype}
            and list(map(torch.Tensor.numel, gradients)) == self.sizes
        )

    def gather(self, updates: Sequence["Update"]) -> Job:
        """Return the whole bundle as one job, with copies of weights and gradients."""
        copy_all(self.room_of_values, self.values)
        copy_all(self.room_of_gradients, [update.gradient for update in updates])
        value, gradient = self.room
        return Job(updates[0], value, gradient, self.slots)

    def write_back(self) -> None:
        """Copy the new weights back to the variables."""
        copy_all(self.values, self.room_of_values)


def make(
    plans: Sequence["Plan"], variables: Sequence[Any], held: Callable[[Any], torch.Tensor]
) -> None:
    """Bundle the variables that can be bundled."""
    alike: dict[tuple, list[tuple[Plan, Any]]] = {}
    for plan, variable in zip(plans, variables, strict=True):
        tensor, slots = held(variable), [held(slot) for slot in plan.slots.values()]
        if (
            plan.formula.elementwise
            and not plan.frozen
            and not torch_kernels.takes_list_of(plan.formula, tensor.device)
            and 0 < tensor.numel() < LARGE
            and all(x.is_contiguous() and x.shape == tensor.shape for x in (tensor, *slots))
        ):
            kind = (plan.formula, plan.key, tensor.dtype, tensor.device)
            alike.setdefault(kind, []).append((plan, variable))
    for (*_, dtype, device), members in alike.items():
        bundles: list[list] = [[]]
        elements = 0
        for member in members:
            bundles[-1].append(member)
            elements += held(member[1]).numel()
            if elements >= LARGE:
                bundles.append([])
                elements = 0
        bundles = [bundle for bundle in bundles if len(bundle) > 1]
        # Bundles are updated one by one and share vectors: a new one for each would take longer.
        length = max((sum(held(v).numel() for _, v in bundle) for bundle in bundles), default=0)
        room = (
            torch.empty(length, dtype=dtype, device=device),
            torch.empty(length, dtype=dtype, device=device),
        )
        for bundle in bundles:
            plans, variables = zip(*bundle, strict=True)
            Bundle(plans, variables, held, room)


def split(
    updates: "Sequence[Update]",
) -> tuple[list[tuple[Bundle, "list[Update]"]], "list[Update]"]:
    """Return the bundles that are updated as a whole, with their updates, and all other updates."""
    by_bundle: dict[Bundle, list[Update]] = {}
    others: list[Update] = []
    for update in updates:
        bundle = update.plan.kept.get("bundle")
        (others if bundle is None else by_bundle.setdefault(bundle, [])).append(update)
    whole = []
    for bundle, own in by_bundle.items():
        if bundle.takes(own):
            whole.append((bundle, own))
        else:
            others += own
    return whole, others
