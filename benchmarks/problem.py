"""Weights and gradients of a given size, without a model."""

import math
from dataclasses import dataclass
from typing import final

import keras
import numpy as np

Shape = tuple[int, ...]

WEIGHT_SCALE = 0.05
GRADIENT_SCALE = 0.01


@final
@dataclass(frozen=True)
class SparseGradient:
    """Gradient of a table after a few of its rows were looked up.

    Args:
        rows: Gradients of the rows looked up, float32.
        indices: Indices of those rows, int64; a row may occur more than once.
        shape: Shape of the table.
    """

    rows: np.ndarray
    indices: np.ndarray
    shape: Shape

    def dense(self) -> np.ndarray:
        """Return the gradient of the whole table."""
        gradient = np.zeros(self.shape, np.float32)
        np.add.at(gradient, self.indices, self.rows)
        return gradient


Gradient = np.ndarray | SparseGradient


def matrix(size: int) -> Shape:
    """Return the shape of a nearly square matrix of about `size` elements."""
    rows = math.isqrt(size)
    return rows, size // rows


def elements(shapes: list[Shape]) -> int:
    """Return the total number of weights."""
    return sum(math.prod(shape) for shape in shapes)


def variables(shapes: list[Shape], dtype: str = "float32") -> list[keras.Variable]:
    """Return new variables, with the same values each time."""
    random = np.random.default_rng(0)
    return [keras.Variable(normal(random, shape, WEIGHT_SCALE), dtype=dtype) for shape in shapes]


def gradients(shapes: list[Shape]) -> list[np.ndarray]:
    """Return a gradient for each shape, with the same values each time."""
    random = np.random.default_rng(1)
    return [normal(random, shape, GRADIENT_SCALE) for shape in shapes]


def normal(random: np.random.Generator, shape: Shape, scale: float) -> np.ndarray:
    """Return normally distributed float32 values."""
    return random.standard_normal(shape, np.float32) * np.float32(scale)
