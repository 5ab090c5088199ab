"""Softmax regression on the digits, for several learning rates and seeds at once."""

from typing import Any, final

import numpy as np
from keras import ops

from keras_optlab.lab import data


@final
class SoftmaxRegression:
    """The task of telling digits apart by one matrix.

    Args:
        seed: Integer >= 0, decides which fifth of the digits validates.

    Attributes:
        shape: Shape of the matrix: features, a constant among them, and classes.
    """

    def __init__(self, seed: int) -> None:
        digits = data.digits(seed)
        classes = np.eye(len(digits.classes), dtype="float32")
        self.rows = len(digits.x_train)
        self.shape = (digits.x_train.shape[1] + 1, len(classes))
        self.x, self.x_validation = (
            ops.convert_to_tensor(np.pad(x, ((0, 0), (0, 1)), constant_values=1))
            for x in (digits.x_train, digits.x_validation)
        )
        self.y, self.y_validation = (
            ops.convert_to_tensor(classes[y]) for y in (digits.y_train, digits.y_validation)
        )

    def batches(self, steps: int, seeds: int, seed: int, size: int = 32) -> np.ndarray:
        """Which training rows each step sees, as an array of shape (steps, seeds, size)."""
        random = np.random.default_rng(seed)
        return random.integers(0, self.rows, (steps, seeds, size)).astype("int32")

    def gradient(self, matrices: Any, batch: Any) -> Any:
        """Gradients of the mean cross-entropy of each seed's batch.

        Args:
            matrices: Tensor of shape (rates, seeds, features, classes).
            batch: Tensor of shape (seeds, size) from `batches`.
        """
        x = ops.take(self.x, batch, axis=0)
        error = ops.softmax(ops.matmul(x, matrices)) - ops.take(self.y, batch, axis=0)
        return ops.matmul(ops.swapaxes(x, 1, 2), error) / batch.shape[-1]

    def validation_loss(self, matrices: Any) -> Any:
        """Mean cross-entropy on the validation rows, of shape (rates, seeds)."""
        logs = ops.log_softmax(ops.matmul(self.x_validation, matrices))
        return -ops.mean(ops.sum(logs * self.y_validation, axis=-1), axis=-1)
