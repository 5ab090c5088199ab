"""How much of a model a formula has to see at a time."""

from enum import Enum
from typing import final


@final
class Scope(Enum):
    """What one element of a result depends on.

    Attributes:
        ELEMENT: The same element of parameter, gradient and slots alone: no norm, mean or product
            of matrices. Only such a formula may be run on any block of a variable, or on several
            variables joined.
        ROW: The same row (along the first axis) of these alone, such as a norm of each row of an
            embedding table. The formula may be run on some rows.
        VARIABLE: The whole variable. The safe assumption, and the default.
        MODEL: All variables of a step. Only sums can have it, see `sums`.
    """

    ELEMENT = "element"
    ROW = "row"
    VARIABLE = "variable"
    MODEL = "model"

    @property
    def is_within_rows(self) -> bool:
        """Whether rows can be taken one by one."""
        return self in (Scope.ELEMENT, Scope.ROW)
