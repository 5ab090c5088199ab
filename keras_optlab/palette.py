"""Colours, dashes and style of all figures, in matplotlib and on HTML pages."""

from typing import Any

# For lines that are compared. Each has the 3:1 contrast that WCAG 1.4.11 requires of graphics, on
# light and dark pages, and all are distinguishable with any colour vision. If there are more lines
# than colours, the colours repeat with another dash.
LINES = ("#0078c8", "#dc6400", "#10a078", "#a050f8", "#ee2050", "#787890")
# Lengths of strokes and gaps, in units in which a line is about 1.5 wide; the first is solid.
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

# For `matplotlib.rc_context`, whose type hint lists every allowed key: hence `Any`.
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
    """Return the colour and dash of a line, given its place among the lines being compared."""
    return LINES[number % len(LINES)], DASHES[number // len(LINES) % len(DASHES)]
