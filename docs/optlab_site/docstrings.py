"""Docstrings for autodoc: equations, names in backticks and short signatures."""

import inspect
import re
import textwrap
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

import keras_optlab
from keras_optlab import callbacks, lab, optimizers, schedules, testing, transforms
from keras_optlab.engine.optimizer import Optimizer

from .equations import latex_of_block

# The text before the first of these sections may contain equations.
SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:", "Source:", "Sources:", "Example:")


def public_names() -> dict[str, str]:
    """Return the full names of all documented objects, by short name."""
    modules = (optimizers, transforms, schedules, callbacks, lab, keras_optlab, testing)
    return {
        name: f"{module.__name__}.{name}"
        for module in modules
        for name in module.__all__
        if callable(getattr(module, name))
    }


def render_equations(lines: list[str]) -> None:
    """Turn the indented blocks of a docstring into equations or literal blocks.

    Prose that reStructuredText would read as markup is escaped.

    Args:
        lines: The docstring's lines, modified in place.
    """
    head = next((n for n, line in enumerate(lines) if line.startswith(SECTIONS)), len(lines))
    rest = [escaped(line) for line in lines[head:]]
    lines[:] = [new for block in blocks(lines[:head]) for new in rendered(block)] + rest


def blocks(lines: list[str]) -> Iterator[list[str]]:
    """Yield groups of lines, alternately unindented and indented."""
    kept: list[str] = []
    for is_indented, group in groupby(lines, key=lambda line: line.startswith("    ")):
        # Indentation within a list does not start a block.
        if is_indented and (not kept or kept[-1].strip() == ""):
            yield kept
            yield list(group)
            kept = []
        else:
            kept.extend(group)
    yield kept


def rendered(block: list[str]) -> list[str]:
    """Return a block in reStructuredText."""
    if not block or not block[0].startswith("    "):
        return [escaped(line) for line in block]
    plain = textwrap.dedent("\n".join(block)).split("\n")
    latex = latex_of_block(plain)
    directive, content = ("code-block:: text", plain)
    if latex is not None:
        directive, content = ("math::", latex.split("\n"))
    return [f".. {directive}", "", *(f"   {line}" for line in content), ""]


def escaped(line: str) -> str:
    """Escape the bars in a line of prose, so that they are not read as markup."""
    if line.startswith((">>>", "...")):
        return line
    return re.sub(r"(`[^`]*`)|\|", lambda found: found[1] or r"\|", line)


def process_docstring(app: Sphinx, what: str, name: str, item: Any, *rest: Any) -> None:
    """Handle Sphinx' event `autodoc-process-docstring`."""
    render_equations(rest[-1])


def process_signature(
    app: Sphinx, what: str, name: str, item: Any, *rest: Any
) -> tuple[str, None] | None:
    """Return an optimizer's signature without the arguments that all optimizers share."""
    if not (inspect.isclass(item) and issubclass(item, Optimizer) and item is not Optimizer):
        return None
    shared = Optimizer.declared_arguments.values()
    own = [each.parameter() for each in item.declared_arguments.values() if each not in shared]
    own.sort(key=lambda parameter: parameter.kind)
    own.append(inspect.Parameter("shared_arguments", inspect.Parameter.VAR_KEYWORD))
    return str(inspect.Signature(own)), None


class NameRole(SphinxRole):
    """Code in single backticks, a link if the site has an entry of that name."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        literal = nodes.literal(self.rawtext, self.text, classes=["code"])
        is_ours = "." not in self.text or self.text.startswith("keras_optlab.")
        target = public_names().get(self.text.rpartition(".")[2]) if is_ours else None
        if target is None:
            return [literal], []
        link = pending_xref(
            self.rawtext,
            literal,
            refdomain="py",
            reftype="obj",
            reftarget=target,
            refexplicit=True,
            refwarn=False,
            refdoc=self.env.docname,
        )
        return [link], []


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to autodoc, ahead of napoleon, which reads the sections."""
    app.connect("autodoc-process-docstring", process_docstring, priority=400)
    app.connect("autodoc-process-signature", process_signature)
    app.add_role("name", NameRole())
    return {"parallel_read_safe": True, "parallel_write_safe": True}
