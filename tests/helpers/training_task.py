"""A small training task that several test folders share."""

import keras
import numpy as np


class Task:
    """A linear regression small enough to follow by hand, and a network that learns it."""

    def __init__(self) -> None:
        generator = np.random.default_rng(7)
        self.x = generator.normal(size=(64, 4)).astype("float32")
        self.y = (self.x @ generator.normal(size=(4, 2))).astype("float32")
        self.kernel = generator.normal(size=(4, 2)).astype("float32")

    def linear(self, optimizer, **compile_arguments) -> keras.Model:
        """Return a model of one matrix without bias, from the same start each time."""
        layers = [keras.layers.Input((4,)), keras.layers.Dense(2, use_bias=False, name="only")]
        model = keras.Sequential(layers)
        model.set_weights([self.kernel.copy()])
        model.compile(optimizer, "mse", **compile_arguments)
        return model

    def network(self, optimizer, **compile_arguments) -> keras.Model:
        """Return a model of two dense layers, `first` and `last`, from the same start each time."""
        keras.utils.set_random_seed(3)
        layers = [
            keras.layers.Input((4,)),
            keras.layers.Dense(6, activation="relu", name="first"),
            keras.layers.Dense(2, name="last"),
        ]
        model = keras.Sequential(layers, name="network")
        model.compile(optimizer, "mse", **compile_arguments)
        return model

    def fit(self, model, epochs=1, **arguments) -> list[np.ndarray]:
        """Train on the same four batches each epoch, and return the weights."""
        arguments = {"batch_size": 16, "shuffle": False, "verbose": 0, **arguments}
        model.fit(self.x, self.y, epochs=epochs, **arguments)
        return [np.array(weight) for weight in model.get_weights()]

    def gradient(self, kernel, batch) -> np.ndarray:
        """Return the gradient of the linear model's loss on batch 0 to 3, in float64."""
        rows = slice(16 * batch, 16 * batch + 16)
        x, y = self.x[rows].astype("float64"), self.y[rows].astype("float64")
        return 2 * x.T @ (x @ kernel - y) / y.size
