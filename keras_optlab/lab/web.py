"""HTML pages that fetch nothing: templates by Jinja, charts by Plotly, in the colours of `palette`.

The `templates` folder holds the pages' words, styles and scripts. The script of Plotly, 5 MB, is in
each page, so that it can be opened anywhere.
"""

from typing import Any

import jinja2
from markupsafe import Markup
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from keras_optlab import palette


def render(template: str, data: dict[str, Any], **context: Any) -> str:
    """A whole page. The data are for its script; every context has `again` and `versions`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_optlab.lab"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["palette"] = palette
    themes = {"light": palette.LIGHT, "dark": palette.DARK}
    # Without `<`, which could end the script, whatever names it holds.
    text = to_json_plotly({**data, "themes": themes}, engine="json")
    return environment.get_template(template).render(
        script_data=Markup(text), plotly=Markup(get_plotlyjs()), **context
    )


def dash(lengths: tuple[float, ...]) -> str:
    """A dash of the palette as Plotly takes it."""
    return ",".join(f"{1.5 * length:g}px" for length in lengths) or "solid"
