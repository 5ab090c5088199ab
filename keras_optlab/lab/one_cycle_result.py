"""What a training by 1cycle did: the history, the rates and momenta of its updates, and a plot."""

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, final

import keras

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
        cycled = {"learning rate": self.learning_rates, "momentum": self.momenta}
        panels = {name: values for name, values in cycled.items() if values}
        figure = drawing.new_figure(1 + len(panels), height=2.2)
        losses, *others = figure.axes
        updates = len(self.learning_rates)
        for name, label in (("loss", "training"), ("val_loss", "validation")):
            values = self.history.history.get(name, [])
            ends = [updates * (epoch + 1) / len(values) for epoch in range(len(values))]
            if values:
                losses.plot(ends, values, marker="o", label=label)
        losses.set_ylabel("loss")
        losses.legend(frameon=False)
        for axes, (name, values) in zip(others, panels.items(), strict=True):
            axes.plot(values, color=drawing.CURVE)
            axes.set_ylabel(name)
        figure.axes[-1].set_xlabel("update")
        drawing.save(figure, path)
        return figure
