"""Equations as MathML, which browsers render natively: no script or font to fetch.

docutils, on which Sphinx is built, translates LaTeX to MathML; Sphinx' built-in renderers need
MathJax from the network or an installed LaTeX.
"""

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

# Commands for which docutils has another name.
SYNONYMS = {r"\dots": r"\ldots"}


def mathml(node: nodes.Element, as_block: bool) -> str:
    """Return a formula as MathML or, with a warning, as LaTeX if docutils cannot read it.

    Args:
        node: The formula.
        as_block: Whether it is on separate lines; fractions then have their full size.
    """
    latex = node.astext()
    for theirs, ours in SYNONYMS.items():
        latex = re.sub(rf"{re.escape(theirs)}\b", re.escape(ours), latex)
    try:
        formula = latex2mathml.tex2mathml(latex, as_block=as_block)
    except MathError as error:
        logger.warning("%s in %s", error, latex, location=node)
        return f"<code>{html.escape(latex)}</code>"
    return formula.replace("<mtable", '<mtable displaystyle="true"')


def visit_inline(translator: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    translator.body.append(mathml(node, as_block=False))
    raise nodes.SkipNode


def visit_block(translator: Any, node: nodes.math_block) -> None:
    """Write a displayed formula."""
    translator.body.append(f'<div class="math">{mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer as `html_math_renderer = "mathml"`."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
