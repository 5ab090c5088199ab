"""Optimizers that train at one point and evaluate at another, in Keras' training loops."""

from typing import Any, final

import keras

from keras_optlab.engine.optimizer import Optimizer, optimizers_of

# Callbacks that act on every batch but have no use for the weights.
INDIFFERENT = (
    keras.callbacks.ProgbarLogger,
    keras.callbacks.TensorBoard,
    keras.callbacks.TerminateOnNaN,
)


def two_point_optimizers(model: Any) -> list[Optimizer]:
    """The optimizers of a model, wrapped ones included, that evaluate elsewhere than they train."""
    return [optimizer for optimizer in optimizers_of(model) if optimizer.evaluates_elsewhere]


def looks_at_weights_each_batch(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback may save or read the weights after a batch; to be sure, most may."""
    if isinstance(callback, INDIFFERENT) or getattr(callback, "save_freq", None) == "epoch":
        return False
    if type(callback).__module__.startswith("keras_optlab."):
        return False
    base = keras.callbacks.Callback
    return (
        getattr(callback.on_train_batch_end, "__func__", None) is not base.on_train_batch_end
        or getattr(callback.on_batch_end, "__func__", None) is not base.on_batch_end
    )


@final
class PointSwitch(keras.callbacks.Callback):
    """Has the variables at the training point during a step and at the evaluation point else.

    Args:
        others: The other callbacks. Only if one of them may look at the weights after each
            batch are they moved after each batch.
    """

    def __init__(self, others: list[keras.callbacks.Callback]) -> None:
        super().__init__()
        self.watched = any(looks_at_weights_each_batch(callback) for callback in others)
        self.training = False
        self.at_training_point = False
        self.left: list[Optimizer] = []

    def leave(self) -> None:
        """Move to the evaluation point."""
        self.at_training_point = False
        for optimizer in two_point_optimizers(self.model):
            if optimizer.built and not optimizer.is_evaluating:
                optimizer.to_evaluation_point()
                self.left.append(optimizer)

    def come_back(self) -> None:
        """Move to the training point, where this callback or a saved state has left it."""
        for optimizer in two_point_optimizers(self.model):
            optimizer.to_training_point()
        self.left = []
        self.at_training_point = True

    def on_train_begin(self, logs: Any = None) -> None:
        self.training = True
        self.at_training_point = False

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if not self.at_training_point:
            self.come_back()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.watched:
            self.leave()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.leave()

    def on_train_end(self, logs: Any = None) -> None:
        self.training = False

    def on_test_begin(self, logs: Any = None) -> None:
        self.leave()

    def on_test_end(self, logs: Any = None) -> None:
        self.return_to_own_loop()

    def on_predict_begin(self, logs: Any = None) -> None:
        self.leave()

    def on_predict_end(self, logs: Any = None) -> None:
        self.return_to_own_loop()

    def return_to_own_loop(self) -> None:
        """Outside `fit`, leave the variables as they were found."""
        if not self.training:
            for optimizer in self.left:
                optimizer.to_training_point()
            self.left = []


def switch_for(
    model: Any, others: list[keras.callbacks.Callback]
) -> keras.callbacks.Callback | None:
    """The callback that a model's optimizer needs, if it needs one."""
    return PointSwitch(others) if two_point_optimizers(model) else None
