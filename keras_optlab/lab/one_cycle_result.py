"""What a training by 1cycle did: the history, the rates and momenta of its updates, and a plot."""

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, final

import keras
import numpy as np

from keras_optlab import drawing
from keras_optlab.lab.learning_rate_range import LearningRateRange

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class OneCycleResult:
    """What `fit_one_cycle` did.

    Args:
        history: Keras' `History`. Its `history` has the metrics, and the last `learning_rate` and
            `momentum` of each epoch.
        learning_rates: Tuple of floats, the learning rate of each update.
        momenta: Tuple of floats, the momentum of each update; empty if it was not cycled.
        learning_rate_range: `LearningRateRange` of the range test, or None if the learning rate
            was given.
    """

    history: keras.callbacks.History
    learning_rates: tuple[float, ...]
    momenta: tuple[float, ...]
    learning_rate_range: LearningRateRange | None

    def plot(self, path: str | PathLike | None = None) -> "Figure":
        """Draw the loss of each epoch, and the learning rate and the momentum of each update.

        Args:
            path: File to write, whose ending says the format, or None. Defaults to `None`.

        Returns:
            The matplotlib `Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        figure = drawing.new_figure(3 if self.momenta else 2, height=2.2)
        losses, rates, *momenta = figure.axes
        for name, label in (("loss", "training"), ("val_loss", "validation")):
            values = self.history.history.get(name, [])
            if values:
                ends = np.linspace(0, len(self.learning_rates), len(values) + 1)[1:]
                losses.plot(ends, values, marker="o", label=label)
        losses.set_ylabel("loss")
        losses.legend(frameon=False)
        rates.plot(self.learning_rates, color=drawing.CURVE)
        rates.set_ylabel("learning rate")
        for axes in momenta:
            axes.plot(self.momenta, color=drawing.CURVE)
            axes.set_ylabel("momentum")
        figure.axes[-1].set_xlabel("update")
        drawing.save(figure, path)
        return figure
