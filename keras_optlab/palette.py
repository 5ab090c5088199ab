"""The colours, dashes and style of all pictures, those of matplotlib and those of the pages."""

from typing import Any

# For lines that are compared. Each has the contrast of 3:1 that WCAG 1.4.11 asks of graphics, on a
# light page and on a dark one, and all differ in any colour vision. More lines than colours have
# the colours again, with another dash.
LINES = ("#0078c8", "#dc6400", "#10a078", "#a050f8", "#ee2050", "#787890")
# As lengths of strokes and gaps, in units of which a line is about 1.5 wide; the first is solid.
DASHES = ((), (6, 2), (2, 1.5), (6, 1.5, 1.5, 1.5), (9, 2, 2, 2, 2, 2))

LIGHT = {
    "paper": "#ffffff",
    "panel": "#f6f7f9",
    "ink": "#1f2329",
    "muted": "#5c646e",
    "rule": "#d5dae0",
    "context": "#b9c1ca",
    "valley": "#8cc2e6",
    "ours": "#0078c8",
    "built-in": "#f0b040",
    "warning": "#a33b00",
}
DARK = {
    "paper": "#14171b",
    "panel": "#1c2026",
    "ink": "#e7eaee",
    "muted": "#a2abb6",
    "rule": "#363d46",
    "context": "#4d5661",
    "valley": "#0b4369",
    "ours": "#56b4e9",
    "built-in": "#9a6a0b",
    "warning": "#ff9d66",
}

# For `matplotlib.rc_context`. Of any keys, since its type names each one that it takes.
STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": LIGHT["rule"],
    "axes.grid": True,
    "axes.labelcolor": LIGHT["muted"],
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "font.size": 9,
    "grid.color": LIGHT["rule"],
    "grid.linewidth": 0.5,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "text.color": LIGHT["ink"],
    "xtick.color": LIGHT["muted"],
    "xtick.labelsize": 8,
    "ytick.color": LIGHT["muted"],
    "ytick.labelsize": 8,
    "ytick.minor.size": 0,
}


def line(number: int) -> tuple[str, tuple[float, ...]]:
    """The colour and the dash of a line, by its place among those it is compared with."""
    return LINES[number % len(LINES)], DASHES[number // len(LINES) % len(DASHES)]
