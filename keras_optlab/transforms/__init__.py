"""Transforms, which extend any algorithm, one per file.

    optimizer = keras_optlab.optimizers.AdamW(
        1e-3, transforms=[keras_optlab.transforms.Cautious(), keras_optlab.transforms.Lookahead()]
    )

It is still the same optimizer: learning rate, callbacks, files and groups work as before. Several
transforms process gradients, steps and weights in the order of the list.
"""

from keras_optlab.transforms.adaptive_gradient_clipping import AdaptiveGradientClipping
from keras_optlab.transforms.average import Average
from keras_optlab.transforms.cautious import Cautious
from keras_optlab.transforms.gradient_centralization import GradientCentralization
from keras_optlab.transforms.lookahead import Lookahead

__all__ = [
    "AdaptiveGradientClipping",
    "Average",
    "Cautious",
    "GradientCentralization",
    "Lookahead",
]
