# Written by tests/stubs.py from the tables of arguments. Do not edit.

from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.schedule import LearningRateSchedule, Schedule

@final
class LinearWarmup(Schedule):
    def __init__(
        self,
        steps: int,
        then: float | LearningRateSchedule,
        initial_fraction: float = 0.0,
        name: str = "LinearWarmup",
    ) -> None: ...
    @property
    def steps(self) -> int: ...
    @property
    def then(self) -> float | LearningRateSchedule: ...
    @property
    def initial_fraction(self) -> float: ...
    name: str

    def value(self, step: Any, ops: ModuleType) -> Any: ...
