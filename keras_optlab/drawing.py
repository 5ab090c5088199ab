"""Figures, if matplotlib is installed."""

import importlib.util
from os import PathLike
from typing import TYPE_CHECKING

from keras_optlab.palette import LINES, STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 6.4
CURVE = LINES[0]
MISSING = (
    "A plot needs matplotlib, which is not installed. "
    'Install it with `pip install "keras-optlab[lab]"` or `pip install matplotlib`.'
)


def new_figure(panels: int = 1, height: float = 3.2) -> "Figure":
    """Return a figure with panels stacked vertically that share the horizontal axis.

    Args:
        panels: Integer >= 1.
        height: Float > 0, height of a panel in inches.

    Returns:
        A matplotlib `Figure` that no window holds, so nothing has to be closed. A notebook shows
        it if it is the last value of a cell.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(MISSING)
    # Through pyplot, since a notebook shows no figure made without it.
    from matplotlib import pyplot, rc_context

    with rc_context(STYLE):
        figure = pyplot.figure(figsize=(WIDTH, height * panels), layout="constrained")
        pyplot.close(figure)
        figure.subplots(panels, sharex=True, squeeze=False)
    return figure


def save(figure: "Figure", path: str | PathLike | None) -> None:
    """Save a figure in the format of the path's extension; do nothing if the path is None."""
    if path is not None:
        figure.savefig(path, dpi=150)
