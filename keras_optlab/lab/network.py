"""The small network that comparisons train."""

import keras

HIDDEN_UNITS = 32


def build(features: int, classes: int, seed: int) -> keras.Model:
    """A network with one hidden layer; the same seed gives the same initial weights.

    Args:
        features: Number of inputs.
        classes: Number of outputs, which are logits.
        seed: Integer.
    """

    def layer(units: int, number: int, activation: str | None) -> keras.layers.Layer:
        initializer = keras.initializers.GlorotUniform(seed=seed + number)
        return keras.layers.Dense(units, activation, kernel_initializer=initializer)

    return keras.Sequential(
        [keras.Input((features,)), layer(HIDDEN_UNITS, 0, "tanh"), layer(classes, 1, None)]
    )
