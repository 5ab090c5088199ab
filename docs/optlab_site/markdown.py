"""Markdown from values, and files written only if their content changes."""

from collections.abc import Iterable, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, whose cells may contain Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell(each) for each in line)} |" for line in lines)


def cell(text: str) -> str:
    """Return text for a table cell."""
    return " ".join(text.split()).replace("|", r"\|")


def code(text: str) -> str:
    """Return text in backticks."""
    return f"`{text}`"


def call(arguments: dict[str, object]) -> str:
    """Return arguments as a user types them, a class by its name."""
    if not arguments:
        return "defaults"
    shown = {
        name: value.__name__ if isinstance(value, type) else repr(value)
        for name, value in arguments.items()
    }
    return code(", ".join(f"{name}={text}" for name, text in shown.items()))


def bullets(sentences: Iterable[str]) -> str:
    """Return a bulleted list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def write(path: Path, content: str) -> None:
    """Write a page unless it is unchanged: Sphinx rereads newer files."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = content.rstrip() + "\n"
    if not path.exists() or path.read_text() != content:
        path.write_text(content)
