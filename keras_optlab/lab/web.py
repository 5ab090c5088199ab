"""HTML pages that fetch nothing: templates by Jinja, charts by Plotly, in the colours of `palette`.

The `templates` folder holds the pages' words, styles and scripts. The script of Plotly, 5 MB, is in
each page, so that it can be opened anywhere.
"""

import re
from typing import Any

import jinja2
from markupsafe import Markup, escape
from plotly.colors import find_intermediate_color, hex_to_rgb, label_rgb
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from keras_optlab import palette

CLEAR = "rgba(0, 0, 0, 0)"
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif'


def render(template: str, data: dict[str, Any], **context: Any) -> str:
    """A whole page. The data are for its script; every context has `again` and `versions`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_optlab.lab"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["palette"] = palette
    environment.filters["code"] = code
    # Without `<`, which could end the script, whatever names it holds.
    themes = {"light": chart_template(palette.LIGHT), "dark": chart_template(palette.DARK)}
    return environment.get_template(template).render(
        script_data=Markup(to_json_plotly({**data, "templates": themes}, engine="json")),
        plotly=Markup(get_plotlyjs()),
        **context,
    )


def code(text: str) -> Markup:
    """Text with its `code` marked as such."""
    return Markup(re.sub("`(.+?)`", r"<code>\1</code>", str(escape(text))))


def chart_template(theme: dict[str, str]) -> dict[str, Any]:
    """Plotly's template for the colours of a page."""
    font = {"family": FONT, "size": 13, "color": theme["muted"]}
    ink = {**font, "color": theme["ink"]}
    axis = {
        "automargin": True,
        "gridcolor": theme["rule"],
        "linecolor": theme["rule"],
        "ticklabelstandoff": 6,
        "title": {"font": {"size": 13}, "standoff": 12},
        "zeroline": False,
    }
    layout = {
        "font": font,
        "hoverlabel": {"align": "left", "bgcolor": theme["panel"], "font": ink},
        "margin": {"l": 60, "r": 10, "t": 30, "b": 50},
        "modebar": {"bgcolor": CLEAR, "color": theme["muted"], "activecolor": theme["ours"]},
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "showlegend": False,
        "xaxis": axis,
        "yaxis": axis,
    }
    markers = {"color": theme["ink"], "line": {"color": theme["paper"]}}
    paper, first = hex_to_rgb(theme["paper"]), hex_to_rgb(palette.LINES[0])
    shade = label_rgb(find_intermediate_color(paper, first, 0.45))
    shades = [[0, shade], [1, theme["paper"]]]
    data = {"contour": [{"colorscale": shades}], "scatter": [{"marker": markers}]}
    return {"layout": layout, "data": data}


def dash(lengths: tuple[float, ...]) -> str:
    """A dash of the palette as Plotly takes it."""
    return ",".join(f"{1.5 * length:g}px" for length in lengths) or "solid"
