"""Has `fit` warn or raise where a compiled step, which can do neither, has skipped a batch."""

from typing import Any, final

import keras

from keras_optlab.backends import backend
from keras_optlab.engine.optimizer import optimizers_of

# On JAX a callback that looks at the model has all variables brought up to date, which takes time.
BATCHES_BETWEEN_LOOKS = 100 if backend.step_sees_only_its_variables else 1


@final
class FaultWatch(keras.callbacks.Callback):
    """Reports the steps that an optimizer has skipped, see `Optimizer.report_faults`."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0

    def look(self) -> None:
        """Have the optimizers report."""
        for optimizer in optimizers_of(self.model):
            optimizer.report_faults()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.batches += 1
        if self.batches % BATCHES_BETWEEN_LOOKS == 0:
            self.look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.look()


def watch_for(model: Any, others: list[keras.callbacks.Callback]) -> FaultWatch | None:
    """The callback that a model's optimizer needs, if it needs one."""
    watched = any(optimizer.nonfinite != "apply" for optimizer in optimizers_of(model))
    return FaultWatch() if watched else None
