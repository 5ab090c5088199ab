# Written by tests/stubs.py from the tables of arguments. Do not edit.

import collections.abc
from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.schedule import (
    LearningRateSchedule,
    Schedule,
)

@final
class Sequence(Schedule):
    def __init__(
        self,
        schedules: collections.abc.Sequence[float | LearningRateSchedule],
        boundaries: collections.abc.Sequence[int],
        name: str = "Sequence",
    ) -> None: ...
    @property
    def schedules(self) -> tuple[float | LearningRateSchedule, ...]: ...
    @property
    def boundaries(self) -> tuple[int, ...]: ...
    name: str

    def validate(self) -> None: ...
    def value(self, step: Any, ops: ModuleType) -> Any: ...
