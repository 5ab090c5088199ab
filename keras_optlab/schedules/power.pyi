# Written by tests/stubs.py from the tables of arguments. Do not edit.

from types import ModuleType
from typing import Any, final

import keras

from keras_optlab.arguments.schedule import Schedule

@final
class PowerDecay(Schedule):
    def __init__(
        self,
        initial_learning_rate: float | keras.Variable,
        decay_steps: float,
        power: float = 1.0,
        name: str = "PowerDecay",
    ) -> None: ...
    @property
    def initial_learning_rate(self) -> float: ...
    @property
    def decay_steps(self) -> float: ...
    @property
    def power(self) -> float: ...
    name: str

    def value(self, step: Any, ops: ModuleType) -> Any: ...
