# Written by tests/stubs.py from the tables of arguments. Do not edit.

from types import ModuleType
from typing import Any, final

import keras

from keras_optlab.arguments.schedule import Schedule

@final
class ExponentialDecay(Schedule):
    def __init__(
        self,
        initial_learning_rate: float | keras.Variable,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None: ...
    @property
    def initial_learning_rate(self) -> float: ...
    @property
    def decay_steps(self) -> float: ...
    @property
    def decay_rate(self) -> float: ...
    @property
    def staircase(self) -> bool: ...
    name: str

    def value(self, step: Any, ops: ModuleType) -> Any: ...
