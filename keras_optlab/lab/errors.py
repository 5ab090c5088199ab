"""What the user can put right, as against a fault of ours."""

import difflib
from collections.abc import Iterable
from typing import final


@final
class InputError(ValueError):
    """Wrong input: the command prints the message in one line and exits with 2."""


def pick(names: Iterable[str], there: Iterable[str], what: str) -> list[str]:
    """The names that are meant of those there are, each once, in upper or lower case.

    Each item may be several with commas between them. An `InputError` says `what` they name.
    """
    by_lower_case = {name.lower(): name for name in there}
    words = list(filter(None, map(str.strip, ",".join(names).split(","))))
    if not words:
        raise InputError(f"no {what} named: see `optlab list`")
    for word in words:
        if word.lower() not in by_lower_case:
            close = difflib.get_close_matches(word.lower(), by_lower_case, 1)
            hint = f"did you mean {by_lower_case[close[0]]}?" if close else "see `optlab list`"
            raise InputError(f"unknown {what} {word!r}: {hint}")
    return list(dict.fromkeys(by_lower_case[word.lower()] for word in words))


def pick_one(name: str, there: Iterable[str], what: str) -> str:
    """The one name that is meant, as `pick` finds it."""
    names = pick([name], there, what)
    if len(names) > 1:
        raise InputError(f"one name at a time. Received: {name}")
    return names[0]
