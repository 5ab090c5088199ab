"""Errors the user can fix, as opposed to bugs."""

import difflib
from collections.abc import Iterable
from typing import final


@final
class InputError(ValueError):
    """Invalid input: the command prints the message on one line and exits with 2."""


def pick(names: Iterable[str], there: Iterable[str], what: str) -> list[str]:
    """Resolve names to available ones, ignoring case and dropping duplicates.

    Each item may hold several names, separated by commas. An `InputError` refers to them as `what`.
    """
    by_lower_case = {name.lower(): name for name in there}
    words = list(filter(None, map(str.strip, ",".join(names).split(","))))
    choices = f"choose from {', '.join(by_lower_case.values())}"
    if not words:
        raise InputError(f"expected at least one {what}: {choices}")
    for word in words:
        if word.lower() not in by_lower_case:
            close = difflib.get_close_matches(word.lower(), by_lower_case, 1)
            hint = f"did you mean {by_lower_case[close[0]]}?" if close else choices
            raise InputError(f"unknown {what} {word!r}: {hint}")
    return list(dict.fromkeys(by_lower_case[word.lower()] for word in words))


def pick_one(name: str, there: Iterable[str], what: str) -> str:
    """Resolve a single name, as `pick` does."""
    names = pick([name], there, what)
    if len(names) > 1:
        raise InputError(f"expected a single name. Received: {name}")
    return names[0]
