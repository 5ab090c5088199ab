"""Markdown from values, and files that change only where their content does."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(each) for each in line)} |" for line in lines)


def cell(text: str) -> str:
    """A text within a table's cell."""
    return " ".join(text.split()).replace("|", r"\|")


def code(text: str) -> str:
    """A text in code quotes."""
    return f"`{text}`"


def call(arguments: dict[str, object]) -> str:
    """Arguments as one types them."""
    if not arguments:
        return "defaults"
    return code(", ".join(f"{name}={value!r}" for name, value in arguments.items()))


def bullets(sentences: Iterable[str]) -> str:
    """A list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def write(path: Path, content: str) -> None:
    """Write a page, unless it is there already: Sphinx reads again what is newer."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.rstrip() + "\n"
    if not path.exists() or path.read_text() != content:
        path.write_text(content)
