"""Self-contained HTML pages: Jinja templates, and Plotly charts in the colours of `palette`.

The `templates` folder holds the pages' text, styles and scripts. Each page fetches nothing: it
embeds Plotly's script, 5 MB, so that it opens anywhere.
"""

from typing import Any

import jinja2
from markupsafe import Markup
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from keras_optlab import palette


def render(template: str, data: dict[str, Any], **context: Any) -> str:
    """Render a whole page. `data` is for its script; every context has `again` and `versions`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_optlab.lab"),
        autoescape=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals["palette"] = palette
    themes = {"light": palette.LIGHT, "dark": palette.DARK}
    # Plotly escapes `<`, which could end the script, whatever names the data holds.
    text = to_json_plotly({**data, "themes": themes}, engine="json")
    return environment.get_template(template).render(
        script_data=Markup(text), plotly=Markup(get_plotlyjs()), **context
    )


def dash(lengths: tuple[float, ...]) -> str:
    """Convert a dash of the palette to the form that Plotly takes."""
    return ",".join(f"{1.5 * length:g}px" for length in lengths) or "solid"
