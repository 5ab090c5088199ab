"""Argument check shared by the schedules that consist of intervals."""

from itertools import pairwise


def check_boundaries(boundaries: list, name: str, pieces: list) -> None:
    """Check that boundaries increase and that there is one more piece than boundaries.

    Args:
        boundaries: Step numbers.
        name: Name of the argument that lists the pieces.
        pieces: Items for the intervals between the boundaries.

    Raises:
        ValueError: If either check fails.
    """
    if len(pieces) != len(boundaries) + 1:
        raise ValueError(
            f"`{name}` must have one more item than `boundaries`, one per interval. "
            f"Received: {len(pieces)} {name} and {len(boundaries)} boundaries ({boundaries})."
        )
    if any(left >= right for left, right in pairwise(boundaries)):
        raise ValueError(
            "`boundaries` must be strictly increasing; sort them and remove duplicates. "
            f"Received: boundaries={boundaries}."
        )
