"""The version of this package, and the oldest Keras that it works with."""

import re

__version__ = "0.2.0"

# Released on 2025-10-27; the suite runs on it and on the newest.
OLDEST_KERAS = "3.12"


def check_keras(version: str) -> None:
    """Raise an `ImportError` for a version of Keras that is too old."""
    found, oldest = (
        tuple(int(number) for number in re.findall(r"\d+", text)[:2])
        for text in (version, OLDEST_KERAS)
    )
    if found < oldest:
        raise ImportError(
            f"keras-optlab needs Keras >= {OLDEST_KERAS}. Received: keras {version}. "
            "What to do: pip install --upgrade keras"
        )
