"""Reports skipped steps from the host during `fit`; compiled code can neither warn nor raise."""

from typing import Any, final

import keras

from keras_optlab.backends import backend
from keras_optlab.engine.optimizer import optimizers_of

# On JAX, Keras syncs all variables for a callback that accesses the model, which takes time.
BATCHES_BETWEEN_LOOKS = 100 if backend.step_sees_only_its_variables else 1


@final
class FaultWatch(keras.callbacks.Callback):
    """Reports the steps that an optimizer has skipped; see `Optimizer.report_faults`."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    def look(self) -> None:
        """Let the optimizers report skipped steps."""
        for optimizer in optimizers_of(self.model):
            optimizer.report_faults()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches += 1
        if self.batches % BATCHES_BETWEEN_LOOKS == 0:
            self.look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.look()


def watch_for(model: Any, others: list[keras.callbacks.Callback]) -> FaultWatch | None:
    """Return the callback that a model's optimizers need, or None."""
    watched = any(optimizer.nonfinite != "apply" for optimizer in optimizers_of(model))
    return FaultWatch() if watched else None
