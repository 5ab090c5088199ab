"""Small problems to train on, with several starts at once along an axis of seeds."""

from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab import data
from keras_optlab.lab.claims.descent import Descent, sweep
from keras_optlab.lab.data import Dataset
from keras_optlab.optimizers import SGD

BATCH = 32
DIRECTIONS = 20
CLASSES, CORNERS, WIDTH, LENGTH = 10, 12, 20, 40


@final
class NoisyBowl:
    """½ Σ c x² in 20 directions, whose gradient has noise of variance c in each.

    The curvatures c lie between `smallest` and 1. Each seed has a start and a noise; `distance` is
    the spread of the starts in units of 1 / √c.

    Source: Zhang et al., 2019, "Which Algorithmic Choices Matter at Which Batch Sizes?" (the noisy
    quadratic model).
    """

    def __init__(
        self, steps: int, seeds: int, smallest: float = 0.01, distance: float = 1.0
    ) -> None:
        random = np.random.default_rng(0)
        curvature = np.geomspace(smallest, 1, DIRECTIONS).astype("float32")
        self.steps = steps
        self.noise = random.normal(size=(steps, seeds, DIRECTIONS)).astype("float32")
        self.start = distance * random.normal(size=(seeds, DIRECTIONS)) / np.sqrt(curvature)
        self.curvature = ops.convert_to_tensor(curvature)
        self.deviation = ops.convert_to_tensor(np.sqrt(curvature))

    def gradient(self, x: Any, noise: Any) -> Any:
        """The gradient with the noise of a step."""
        return self.curvature * x + self.deviation * noise

    def loss(self, x: Any) -> Any:
        """The height without noise, over the last axis."""
        return 0.5 * ops.sum(self.curvature * ops.square(x), axis=-1)

    def descent(self, optimizer: keras.optimizers.Optimizer) -> Descent:
        """Training at the optimizer's learning rate, which observes the loss of each seed."""
        return Descent(optimizer, self.start, self.gradient, self.loss)

    def final_losses(self, rate: Any, rates: np.ndarray) -> np.ndarray:
        """The loss of gradient descent after the last step, of shape (rates, seeds).

        The rate is 1.0, or a schedule whose highest value is 1, and is multiplied by `rates`.
        """
        losses = sweep(SGD(rate), rates, self.start, self.gradient, self.loss).run(self.noise)[-1]
        return np.nan_to_num(losses, nan=np.inf)


def shapes(examples: int = 2500) -> Dataset:
    """Noisy shapes: a small task on which constant learning rates need many epochs.

    There are ten curves, each example one of them shifted, stretched in height and in noise, in
    the manner of MNIST-1D (Greydanus & Kobak, 2020, "Scaling down Deep Learning"). A fifth of the
    examples validate.
    """
    random = np.random.default_rng(0)
    curves = random.normal(size=(CLASSES, CORNERS))
    positions = np.linspace(0, CORNERS - 1, WIDTH)
    labels = np.arange(examples) % CLASSES
    features = 0.25 * random.normal(size=(examples, LENGTH))
    for row, label in enumerate(labels):
        drift = np.convolve(random.normal(size=LENGTH), np.ones(3) / 3, "same")
        height, start = 1 + 0.3 * random.normal(), random.integers(LENGTH - WIDTH + 1)
        curve = np.interp(positions, np.arange(CORNERS), curves[label])
        features[row] += 0.3 * drift
        features[row, start : start + WIDTH] += height * curve
    return data.from_arrays("noisy shapes", (features, labels), 0, standardize=True)


@final
class SoftmaxRegression:
    """Softmax regression on the digits, by a matrix for each learning rate and seed.

    The seed decides which fifth of the digits validates.
    """

    def __init__(self, seed: int) -> None:
        digits = data.digits(seed)
        classes = np.eye(len(digits.classes), dtype="float32")
        x, x_validation = (
            np.pad(features, ((0, 0), (0, 1)), constant_values=1)
            for features in (digits.x_train, digits.x_validation)
        )
        # Features, a constant among them, and classes.
        self.shape = (x.shape[1], len(classes))
        self.rows = len(x)
        self.x, self.y = ops.convert_to_tensor(x), ops.convert_to_tensor(classes[digits.y_train])
        self.x_validation = ops.convert_to_tensor(x_validation)
        self.y_validation = ops.convert_to_tensor(classes[digits.y_validation])

    def batches(self, steps: int, seeds: int, seed: int) -> np.ndarray:
        """Which training rows each step sees, as an array of shape (steps, seeds, 32)."""
        random = np.random.default_rng(seed)
        return random.integers(0, self.rows, (steps, seeds, BATCH)).astype("int32")

    def gradient(self, matrices: Any, batch: Any) -> Any:
        """Gradients of the mean cross-entropy of each seed's batch, for each rate and seed."""
        x = ops.take(self.x, batch, axis=0)
        error = ops.softmax(ops.matmul(x, matrices)) - ops.take(self.y, batch, axis=0)
        return ops.matmul(ops.swapaxes(x, 1, 2), error) / BATCH

    def validation_loss(self, matrices: Any) -> Any:
        """Mean cross-entropy on the validation rows, of shape (rates, seeds)."""
        logs = ops.log_softmax(ops.matmul(self.x_validation, matrices))
        return -ops.mean(ops.sum(logs * self.y_validation, axis=-1), axis=-1)


@final
class Perceptron:
    """softmax(tanh(x A + a) B + b), by the mean cross-entropy, for several rates and seeds."""

    def __init__(self, dataset: Dataset, hidden: int = 32) -> None:
        self.rows, features = dataset.x_train.shape
        classes = np.eye(len(dataset.classes), dtype="float32")
        self.shapes = (features, hidden), (1, hidden), (hidden, len(classes)), (1, len(classes))
        self.x = ops.convert_to_tensor(dataset.x_train)
        self.y = ops.convert_to_tensor(classes[dataset.y_train])
        self.validation = dataset.x_validation, dataset.y_validation
        # The rows that fill no batch are left out.
        self.steps_an_epoch = self.rows // BATCH

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
        """Training from Glorot's uniform weights and zero biases, other ones for each seed."""
        random = np.random.default_rng(0)
        start = []
        for shape in self.shapes:
            bound = (6 / sum(shape)) ** 0.5 if shape[0] > 1 else 0.0
            start.append(random.uniform(-bound, bound, (seeds, *shape)))
        return Descent(optimizer, start, self.gradient, rates=rates)

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

    def accuracy(self, descent: Descent) -> np.ndarray:
        """Accuracy on the validation rows, of shape (rates, seeds)."""
        a_kernel, a_bias, b_kernel, b_bias = map(to_numpy, descent.point())
        x, y = self.validation
        logits = np.tanh(x @ a_kernel + a_bias) @ b_kernel + b_bias
        return (logits.argmax(axis=-1) == y).mean(axis=-1)
