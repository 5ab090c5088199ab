"""The variables that `exclude_from_weight_decay` names."""

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, final

from keras_optlab.arguments.domain import Pattern
from keras_optlab.engine.groups import path_of


@final
class Exclusions(NamedTuple):
    """Variables that weight decay leaves alone.

    Args:
        identities: What Keras tells such variables apart by.
        pattern: Regular expression that is searched in names and paths, or None.
    """

    identities: Collection[Any] = frozenset()
    pattern: re.Pattern | None = None

    @classmethod
    def of(cls, identities: Iterable[Any], var_names: Iterable[str] | None) -> "Exclusions":
        """The exclusions that a user asks for.

        Raises:
            ValueError: If a name is no regular expression.
            TypeError: If `var_names` is not a list of strings.
        """
        if isinstance(var_names, str):
            raise TypeError(
                f"`var_names` must be a list of regular expressions. Received: var_names="
                f"{var_names!r}. Put it into a list."
            )
        names = list(var_names or ())
        for name in names:
            Pattern().check("var_names", name)
        return cls(set(identities), re.compile("|".join(names)) if names else None)

    def contain(self, variable: Any, identity: Any) -> bool:
        """Whether a variable, which Keras knows by an identity, is among them."""
        if identity in self.identities:
            return True
        search = self.pattern.search if self.pattern else lambda text: None
        return bool(search(variable.name) or search(path_of(variable)))
