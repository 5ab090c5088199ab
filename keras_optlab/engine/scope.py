"""How much of a model a formula must see at a time."""

from enum import Enum
from typing import final


@final
class Scope(Enum):
    """What each element of a result depends on.

    Attributes:
        ELEMENT: Only the same element of parameter, gradient and slots: no norm, mean or matrix
            product. Only such a formula can run on any block of a variable, or on several
            variables joined together.
        ROW: Only the same row (along the first axis) of these, as for a norm of each row of an
            embedding table. The formula can run on a subset of the rows.
        VARIABLE: The whole variable. The safe assumption, and the default.
        MODEL: All variables of a step. Only sums can have this scope; see `sums`.
    """

    ELEMENT = "element"
    ROW = "row"
    VARIABLE = "variable"
    MODEL = "model"

    @property
    def is_within_rows(self) -> bool:
        """Whether each row can be processed without the others."""
        return self in (Scope.ELEMENT, Scope.ROW)
