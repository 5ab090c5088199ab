"""Keras' training loops for optimizers that train at one point and evaluate at another."""

from typing import Any, final

import keras

from keras_optlab.engine.optimizer import Optimizer, optimizers_of

# Callbacks that act on every batch but do not use the weights.
INDIFFERENT = (
    keras.callbacks.ProgbarLogger,
    keras.callbacks.TensorBoard,
    keras.callbacks.TerminateOnNaN,
)


def two_point_optimizers(model: Any) -> list[Optimizer]:
    """Return a model's optimizers, wrapped ones included, whose two points differ."""
    return [optimizer for optimizer in optimizers_of(model) if optimizer.evaluates_elsewhere]


def looks_at_weights_each_batch(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback may save or read the weights after a batch; if in doubt, it may."""
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
    """Keeps variables at the training point during steps and at the evaluation point otherwise.

    Args:
        others: The other callbacks. The variables are moved after each batch only if one of these
            may look at the weights then.
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
        """Move to the training point if this callback or a saved state has left it."""
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
        """Outside `fit`, move the variables back to where they were found."""
        if not self.training:
            for optimizer in self.left:
                optimizer.to_training_point()
            self.left = []


def switch_for(
    model: Any, others: list[keras.callbacks.Callback]
) -> keras.callbacks.Callback | None:
    """Return the callback that a model's optimizers need, or None."""
    return PointSwitch(others) if two_point_optimizers(model) else None
