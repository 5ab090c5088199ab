"""The version of this package, and the oldest Keras that it supports."""

import re

__version__ = "0.2.0"

# Released on 2025-10-27; the tests run on it and on the newest Keras.
OLDEST_KERAS = "3.12"


def check_keras(version: str) -> None:
    """Raise an `ImportError` if a version of Keras is too old."""
    found, oldest = (
        tuple(int(number) for number in re.findall(r"\d+", text)[:2])
        for text in (version, OLDEST_KERAS)
    )
    if found < oldest:
        raise ImportError(
            f"keras-optlab needs Keras >= {OLDEST_KERAS}. Received: keras {version}. "
            "What to do: pip install --upgrade keras"
        )
