"""A network of one hidden layer, trained with several learning rates and seeds at once."""

from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.lab.claims.descent import Descent, scales
from keras_optlab.lab.data import Dataset

BATCH = 32


@final
class Perceptron:
    """softmax(tanh(x A + a) B + b) with the mean cross-entropy of batches of 32.

    Each learning rate and seed has weights of its own, along two leading axes.

    Args:
        dataset: `Dataset` to train on.
        hidden: Integer, units of the hidden layer.
    """

    def __init__(self, dataset: Dataset, hidden: int = 32) -> None:
        self.shapes = (
            (dataset.x_train.shape[1], hidden),
            (1, hidden),
            (hidden, len(dataset.classes)),
            (1, len(dataset.classes)),
        )
        targets = np.eye(len(dataset.classes), dtype="float32")[dataset.y_train]
        self.x, self.y = ops.convert_to_tensor(dataset.x_train), ops.convert_to_tensor(targets)
        self.rows = len(dataset.x_train)
        self.validation = dataset.x_validation, dataset.y_validation

    @property
    def steps_an_epoch(self) -> int:
        """Batches in an epoch; the rows that fill none are left out."""
        return self.rows // BATCH

    def start(self, seeds: int) -> list[np.ndarray]:
        """Initial weights of each seed: Glorot's uniform, and zero."""
        random = np.random.default_rng(0)
        arrays = []
        for shape in self.shapes:
            bound = (6 / sum(shape)) ** 0.5 if shape[0] > 1 else 0.0
            arrays.append(random.uniform(-bound, bound, (seeds, *shape)).astype("float32"))
        return arrays

    def epochs(self, count: int, seeds: int) -> np.ndarray:
        """Rows of each step's batch, of shape (steps, seeds, 32): a shuffle for each epoch."""
        random = np.random.default_rng(1)
        used = self.steps_an_epoch * BATCH
        orders = [
            [random.permutation(self.rows)[:used].reshape(-1, BATCH) for _ in range(seeds)]
            for _ in range(count)
        ]
        return np.concatenate(np.swapaxes(orders, 1, 2)).astype("int32")

    def descent(
        self, optimizer: keras.optimizers.Optimizer, rates: np.ndarray, seeds: int
    ) -> Descent:
        """Training at several learning rates at once; see `sweep` for how."""
        scale = scales(optimizer, rates).reshape(-1, 1, 1, 1)
        factor = ops.convert_to_tensor(scale)

        def gradient(points: list[Any], batch: Any) -> list[Any]:
            weights = [factor * point for point in points]
            return [factor * slope for slope in self.gradient(weights, batch)]

        start = [array[None] / scale for array in self.start(seeds)]
        return Descent(optimizer, start, gradient, lambda points: ops.zeros(()))

    def gradient(self, weights: list[Any], batch: Any) -> list[Any]:
        """Gradients of the loss on each seed's batch."""
        a_kernel, a_bias, b_kernel, b_bias = weights
        x, y = ops.take(self.x, batch, axis=0), ops.take(self.y, batch, axis=0)
        hidden = ops.tanh(ops.matmul(x, a_kernel) + a_bias)
        outer = (ops.softmax(ops.matmul(hidden, b_kernel) + b_bias) - y) / BATCH
        inner = ops.matmul(outer, ops.swapaxes(b_kernel, -1, -2)) * (1 - ops.square(hidden))
        return [
            ops.matmul(ops.swapaxes(x, -1, -2), inner),
            ops.sum(inner, axis=-2, keepdims=True),
            ops.matmul(ops.swapaxes(hidden, -1, -2), outer),
            ops.sum(outer, axis=-2, keepdims=True),
        ]

    def accuracy(self, descent: Descent, rates: np.ndarray) -> np.ndarray:
        """Accuracy on the validation rows, of shape (rates, seeds)."""
        scale = scales(descent.optimizer, rates).reshape(-1, 1, 1, 1)
        a_kernel, a_bias, b_kernel, b_bias = (scale * value for value in descent.values())
        x, y = self.validation
        logits = np.tanh(x @ a_kernel + a_bias) @ b_kernel + b_bias
        return (logits.argmax(axis=-1) == y).mean(axis=-1)
