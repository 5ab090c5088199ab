"""What is said of optimizers and schedules: 14 claims, each measured.

>>> from keras_optlab.lab import claims
>>> evidence = claims.measure(1)
>>> evidence.verdict
'holds'
>>> claims.draw(evidence, "claim_1.png")  # doctest: +SKIP
"""

from collections.abc import Callable

from keras_optlab.lab.claims import adaptive, momentum, regularization, schedules
from keras_optlab.lab.claims.evidence import Evidence, Measurement, draw, png
from keras_optlab.lab.claims.picture import Line, Panel, figure

__all__ = ["CLAIMS", "Evidence", "Line", "Measurement", "Panel", "draw", "figure", "measure", "png"]

# What measures each claim, by its number.
CLAIMS: dict[int, Callable[[], Evidence]] = {
    1: momentum.speed_on_a_slope,
    2: momentum.plateau_and_bump,
    3: momentum.overshoot,
    4: momentum.nesterov_on_a_bowl,
    5: adaptive.adagrad,
    6: adaptive.rmsprop_goes_on,
    7: adaptive.bias_correction,
    8: adaptive.adamax_and_nadam,
    9: regularization.weight_decay,
    10: regularization.generalisation,
    11: schedules.largest_rate,
    12: schedules.every_schedule,
    13: schedules.super_convergence,
    14: schedules.reduce_on_plateau,
}


def measure(number: int) -> Evidence:
    """Measure a claim.

    Args:
        number: Integer, 1 to 14.

    Returns:
        `Evidence`: the figures, whether the claim holds as it is commonly put, and a picture.

    Raises:
        ValueError: If there is no claim of that number.
    """
    if number not in CLAIMS:
        raise ValueError(f"`number` must be 1 to {len(CLAIMS)}. Received: number={number!r}")
    return CLAIMS[number]()
