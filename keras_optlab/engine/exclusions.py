"""Variables that `exclude_from_weight_decay` excludes from weight decay."""

import re
from collections.abc import Collection, Iterable
from typing import Any, NamedTuple, final

from keras_optlab.arguments.domain import Pattern
from keras_optlab.engine.groups import path_of


@final
class Exclusions(NamedTuple):
    """Variables that weight decay leaves alone.

    Args:
        identities: Keys by which Keras identifies variables.
        pattern: Regular expression searched in names and paths, or None.
    """

    identities: Collection[Any] = frozenset()
    pattern: re.Pattern | None = None

    @classmethod
    def of(cls, identities: Iterable[Any], var_names: Iterable[str] | None) -> "Exclusions":
        """Create exclusions from variable identities and name patterns.

        Raises:
            ValueError: If a name is not a regular expression.
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
        """Whether a variable, which Keras identifies by `identity`, is excluded."""
        if identity in self.identities:
            return True
        search = self.pattern.search if self.pattern else lambda text: None
        return bool(search(variable.name) or search(path_of(variable)))
