"""Result of a range test: losses by learning rate, suggested rates, and a plot."""

import math
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, final

import numpy as np

from keras_optlab import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
@dataclass(frozen=True)
class LearningRateRange:
    """Result of a range test, and the learning rates that it suggests.

    `str` returns a small table. Each loss is that of a batch before the update with its rate, as
    in fastai.

    Args:
        learning_rates: Tuple of floats, the rate of each update.
        losses: Tuple of floats, the loss at each rate; the mean if an update takes several batches.
        smoothed_losses: Tuple of floats, their moving average.
        steepest: Float, the rate at which the smoothed loss falls fastest, on a logarithmic scale
            of rates. This and the next two are None if the loss did not fall at any rate.
        valley: Float, the rate in the middle of the longest fall of the smoothed loss.
        minimum_tenth: Float, a tenth of the rate at which the smoothed loss is lowest.
        diverged_at: Float, the rate at which the loss diverged, or None if it did not.
    """

    learning_rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed_losses: tuple[float, ...]
    steepest: float | None
    valley: float | None
    minimum_tenth: float | None
    diverged_at: float | None

    @property
    def suggestion(self) -> float:
        """The suggested rate: `valley`, as in fastai.

        Raises:
            ValueError: If the loss did not fall at any rate.
        """
        if self.valley is None:
            raise ValueError(
                "No learning rate can be suggested, since the loss did not fall at any of the "
                f"rates tried. Received: {self.tried()}. Look at `.plot()`, and try a smaller "
                "`start`, a larger `end`, more `steps` or less `smoothing`."
            )
        return self.valley

    def suggestions(self) -> dict[str, float]:
        """Return the suggested rates by name; empty if the loss did not fall at any rate."""
        names = ("valley", "steepest", "a tenth of minimum")
        rates = (self.valley, self.steepest, self.minimum_tenth)
        return {name: rate for name, rate in zip(names, rates, strict=True) if rate is not None}

    def tried(self) -> str:
        """Return the range of rates that were tried, in words."""
        end = self.diverged_at or self.learning_rates[-1]
        outcome = "where the loss diverged" if self.diverged_at else "without diverging"
        return f"learning rates from {self.learning_rates[0]:.3g} to {end:.3g}, {outcome}"

    def __str__(self) -> str:
        lines = [f"{len(self.losses)} steps at {self.tried()}"]
        lines += [f"    {name:20}{rate:.3g}" for name, rate in self.suggestions().items()]
        last = "none, since the loss did not fall" if self.valley is None else f"{self.valley:.3g}"
        return "\n".join([*lines, f"suggestion: {last}"])

    def plot(self, path: str | PathLike | None = None) -> "Figure":
        """Plot the loss over the learning rate, with the suggestions, as a matplotlib `Figure`.

        If `path` is given, the figure is also saved there, in the format of its extension.
        """
        figure = drawing.new_figure()
        axes = figure.axes[0]
        rates, smoothed = np.array(self.learning_rates), np.array(self.smoothed_losses)
        axes.plot(rates, self.losses, color="#b9c1ca", linewidth=0.8, label="loss")
        axes.plot(rates, smoothed, color="#1f2329", linewidth=1.6, label="smoothed")
        looks = (("#0072b2", "o"), ("#f0b040", "s"), ("#009e73", "^"))
        for (name, rate), (colour, marker) in zip(self.suggestions().items(), looks, strict=False):
            loss = np.interp(math.log(rate), np.log(rates), smoothed)
            axes.axvline(rate, color=colour, linewidth=0.8)
            axes.plot(rate, loss, marker, color=colour, label=f"{name}: {rate:.2g}", ls="none")
        # A single batch that blew up would flatten everything else.
        low, high = min(self.losses), smoothed[: max(1, int(smoothed.argmin()))].max()
        margin = 0.25 * (high - low) or 1.0
        axes.set_ylim(low - margin, high + margin)
        axes.set(xscale="log", xlabel="learning rate", ylabel="loss")
        axes.legend(frameon=False)
        drawing.save(figure, path)
        return figure


def suggest(rates: np.ndarray, losses: np.ndarray) -> dict[str, float | None]:
    """Return the suggestions by the names of their fields in `LearningRateRange`."""
    # Skip the first tenth, as in fastai: the average of the first few losses says little.
    head = len(losses) // 10
    lowest = head + int(losses[head:].argmin())
    if lowest == head:
        return dict.fromkeys(("steepest", "valley", "minimum_tenth"))
    rates, losses = rates[head : lowest + 1], losses[head : lowest + 1]
    # After a skipped update, a rate may appear twice.
    new = np.append(np.diff(rates) > 0, True)
    rates, losses = rates[new], losses[new]
    slopes = np.diff(losses) / np.diff(np.log(rates))
    # The length of the longest decreasing subsequence that ends at each loss.
    lengths = np.ones(len(losses), int)
    for n, loss in enumerate(losses):
        lengths[n] = 1 + lengths[:n][losses[:n] > loss].max(initial=0)
    last, length = int(lengths.argmax()), int(lengths.max())
    # The middle of the longest fall: halfway through the second of its three parts.
    middle = max(0, last - length + length // 3 + length // 6)
    return {
        "steepest": float(rates[slopes.argmin()]),
        "valley": float(rates[middle]),
        "minimum_tenth": float(rates[-1] / 10),
    }
