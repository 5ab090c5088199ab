"""One variable's update on torch: the tensors to read and write."""

from typing import TYPE_CHECKING, Any, NamedTuple, Self, final

import torch

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula
    from keras_optlab.engine.update import Update


@final
class Job(NamedTuple):
    """An update with its tensors.

    Args:
        update: The update.
        value: The variable's tensor.
        gradient: The gradient.
        slots: The slots' tensors by name.
    """

    update: "Update"
    value: torch.Tensor
    gradient: torch.Tensor
    slots: dict[str, torch.Tensor]

    @classmethod
    def of(cls, update: "Update") -> Self:
        """Return the job for an update.

        Its tensors are detached, since torch's compiler refuses views of tensors that may require
        a gradient.
        """
        slots = {name: slot.value.detach() for name, slot in update.plan.slots.items()}
        return cls(update, update.variable.value.detach(), update.gradient.detach(), slots)

    @property
    def formula(self) -> "Formula":
        """The formula that computes the update."""
        return self.update.plan.formula

    @property
    def h(self) -> dict[str, Any]:
        """The hyperparameters by name."""
        return self.update.h

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """All tensors by name: `value`, `gradient` and the slots."""
        return {"value": self.value, "gradient": self.gradient, **self.slots}

    def run(self) -> None:
        """Update the variable with the plain formula, one operation after another."""
        new, new_slots = self.formula(self.value, self.gradient, self.slots, self.h)
        self.value.copy_(new)
        for name, new_slot in new_slots.items():
            self.slots[name].copy_(new_slot)
