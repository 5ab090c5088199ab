"""The optimizers to measure: ours, and the built-in where Keras has one."""

import dataclasses
from typing import Any, final

import keras
import numpy as np

from benchmarks import backend
from keras_optlab import optimizers

FLOAT32_BYTES = 4
OURS, KERAS = "ours", "Keras"


@final
@dataclasses.dataclass(frozen=True)
class Case:
    """An optimizer with its arguments.

    Args:
        name: Name in tables.
        class_name: Name of its class, here and in Keras if it has one.
        slots: Full-size slots that a step reads and writes.
        written_slots: Full-size slots that a step writes without reading.
        arguments: Arguments of both constructors.
        same: Whether both are the same algorithm, so that weights can be compared.
    """

    name: str
    class_name: str
    slots: int
    written_slots: int = 0
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)
    same: bool = True

    @property
    def sides(self) -> tuple[str, ...]:
        """`OURS`, preceded by `KERAS` if there is a built-in."""
        return (KERAS, OURS) if hasattr(keras.optimizers, self.class_name) else (OURS,)

    @property
    def bytes_per_element(self) -> int:
        """Bytes that a float32 step must move for each weight."""
        gradient, parameter = 1, 2
        return FLOAT32_BYTES * (gradient + parameter + 2 * self.slots + self.written_slots)

    def make(self, side: str, mode: str | None = None, **more: Any) -> keras.optimizers.Optimizer:
        """Make a new optimizer.

        Args:
            side: `OURS` or `KERAS`.
            mode: One of `backend.MODES`, whose arguments ours gets; None for no arguments.
            more: Further arguments.
        """
        if side == KERAS:
            return getattr(keras.optimizers, self.class_name)(**self.arguments, **more)
        more |= backend.MODES[mode] if mode else {}
        return getattr(optimizers, self.class_name)(**self.arguments, **more)


def with_defaults(name: str) -> Case:
    """Return the case of an algorithm with default arguments and no built-in to compare."""
    slots = getattr(optimizers, name)().slots(keras.Variable(np.zeros((2, 2), "float32")))
    return Case(name, name, sum(slot.shape is None for slot in slots.values()), same=False)


OF_KERAS = {
    case.name: case
    for case in (
        Case("SGD momentum", "SGD", 1, arguments={"momentum": 0.9}),
        Case("SGD Nesterov", "SGD", 1, arguments={"momentum": 0.9, "nesterov": True}),
        Case("Adagrad", "Adagrad", 1),
        Case("RMSprop", "RMSprop", 1),
        Case("Adadelta", "Adadelta", 2),
        Case("Adam", "Adam", 2),
        Case("AMSGrad", "Adam", 3, arguments={"amsgrad": True}),
        Case("AdamW", "AdamW", 2),
        Case("Adamax", "Adamax", 2),
        Case("Nadam", "Nadam", 2),
        Case("Lion", "Lion", 1),
        Case("Lamb", "Lamb", 2),
        Case("Adafactor", "Adafactor", 0, written_slots=1),
        Case("Ftrl", "Ftrl", 2),
        Case("Muon", "Muon", 1),
        Case("ScheduleFreeAdamW", "ScheduleFreeAdamW", 2, same=False),
    )
}
BEYOND_KERAS = {
    name: with_defaults(name)
    for name in optimizers.__all__
    if name not in {case.class_name for case in OF_KERAS.values()}
}
CASES = OF_KERAS | BEYOND_KERAS
# Their matrix products take minutes for a matrix of 25 million elements.
OF_MATRICES = ("Muon", "SOAP")
