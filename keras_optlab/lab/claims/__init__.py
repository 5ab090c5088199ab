"""14 common claims about optimizers and schedules, each measured.

>>> from keras_optlab.lab import claims
>>> evidence = claims.measure(1)
>>> evidence.verdict
'holds'
>>> claims.draw(evidence, "claim_1.png")  # doctest: +SKIP
"""

# Importing these modules registers their claims.
from keras_optlab.lab.claims import adaptive, momentum, regularization, schedules  # noqa: F401
from keras_optlab.lab.claims.evidence import MEASURED_BY, Evidence, Measurement, draw, png
from keras_optlab.lab.claims.picture import Line, Panel, figure

__all__ = ["CLAIMS", "Evidence", "Line", "Measurement", "Panel", "draw", "figure", "measure", "png"]

# The function that measures each claim, by number.
CLAIMS = dict(sorted(MEASURED_BY.items()))


def measure(number: int) -> Evidence:
    """Measure a claim.

    Args:
        number: Integer, 1 to 14.

    Returns:
        `Evidence`: the figures, whether the claim holds as commonly put, and a picture.

    Raises:
        ValueError: If no claim has that number.
    """
    if number not in CLAIMS:
        raise ValueError(f"`number` must be 1 to {len(CLAIMS)}. Received: number={number!r}")
    return CLAIMS[number]()
