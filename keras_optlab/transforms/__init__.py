"""What goes around an algorithm, one file each.

    optimizer = keras_optlab.optimizers.AdamW(
        1e-3, transforms=[keras_optlab.transforms.Cautious(), keras_optlab.transforms.Lookahead()]
    )

The optimizer stays what it is: learning rate, callbacks, files and groups work as before. With
several transforms, gradients, steps and weights go through all of them in the order of the list.
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
