"""Noisy shapes: a small task on which constant learning rates need many epochs."""

import numpy as np

from keras_optlab.lab.data import Dataset, split

CLASSES, CORNERS, WIDTH, LENGTH = 10, 12, 20, 40


def shapes(examples: int = 2500) -> Dataset:
    """Ten curves, each example one of them shifted, stretched in height and in noise.

    In the manner of MNIST-1D (Greydanus & Kobak, 2020, "Scaling down Deep Learning").

    Args:
        examples: Integer, a fifth of which validate.
    """
    random = np.random.default_rng(0)
    curves = random.normal(size=(CLASSES, CORNERS))
    positions = np.linspace(0, CORNERS - 1, WIDTH)
    labels = np.arange(examples) % CLASSES
    features = 0.25 * random.normal(size=(examples, LENGTH))
    for row, label in enumerate(labels):
        drift = np.convolve(random.normal(size=LENGTH), np.ones(3) / 3, "same")
        height, start = 1 + 0.3 * random.normal(), random.integers(LENGTH - WIDTH + 1)
        features[row] += 0.3 * drift
        features[row, start : start + WIDTH] += height * np.interp(
            positions, np.arange(CORNERS), curves[label]
        )
    return split("noisy shapes", features, labels, 0)
