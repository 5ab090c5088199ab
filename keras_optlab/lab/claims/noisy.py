"""A bowl with noise in its gradients, as stochastic gradients have it."""

from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.lab.claims.descent import Descent, Points, sweep
from keras_optlab.optimizers import SGD

DIRECTIONS = 20


@final
class NoisyBowl:
    """½ Σ c x² in 20 directions, whose gradient has noise of variance c in each.

    Source: Zhang et al., 2019, "Which Algorithmic Choices Matter at Which Batch Sizes?" (the noisy
    quadratic model).

    Args:
        steps: Integer, the length of a training.
        seeds: Integer, how many starts and noises, along an axis of their own.
        smallest: Float, the smallest curvature c; the largest is 1.
        distance: Float, the spread of the starts in units of 1 / √c.
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
        """Training at the optimizer's own learning rate, which observes the loss of each seed."""

        def gradient(points: Points, noise: Any) -> Points:
            return [self.gradient(points[0], noise)]

        return Descent(optimizer, [self.start], gradient, lambda points: self.loss(points[0]))

    def final_losses(self, rate: Any, rates: np.ndarray) -> np.ndarray:
        """The loss of gradient descent after the last step, of shape (rates, seeds).

        Args:
            rate: Schedule whose highest value is 1, or 1.0.
            rates: What multiplies it.
        """
        losses = sweep(SGD(rate), rates, self.start, self.gradient, self.loss).run(self.noise)[-1]
        return np.nan_to_num(losses, nan=np.inf)
