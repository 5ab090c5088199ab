# Written by tests/stubs.py from the tables of arguments. Do not edit.

import collections.abc
from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.schedule import Schedule

@final
class PiecewiseConstantDecay(Schedule):
    def __init__(
        self,
        boundaries: collections.abc.Sequence[float],
        values: collections.abc.Sequence[float],
        name: str = "PiecewiseConstant",
    ) -> None: ...
    @property
    def boundaries(self) -> tuple[float, ...]: ...
    @property
    def values(self) -> tuple[float, ...]: ...
    name: str

    def validate(self) -> None: ...
    def value(self, step: Any, ops: ModuleType) -> Any: ...
