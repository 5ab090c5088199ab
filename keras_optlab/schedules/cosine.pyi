# Written by tests/stubs.py from the tables of arguments. Do not edit.

from types import ModuleType
from typing import Any, final

import keras

from keras_optlab.arguments.schedule import Schedule

def half_cosine(fraction: Any, ops: ModuleType) -> Any: ...

@final
class CosineDecay(Schedule):
    def __init__(
        self,
        initial_learning_rate: float | keras.Variable,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None: ...
    @property
    def initial_learning_rate(self) -> float: ...
    @property
    def decay_steps(self) -> float: ...
    @property
    def alpha(self) -> float: ...
    name: str

    @property
    def warmup_target(self) -> float | None: ...
    @property
    def warmup_steps(self) -> float: ...
    def value(self, step: Any, ops: ModuleType) -> Any: ...
    def decay(self, step: Any, ops: ModuleType) -> Any: ...

@final
class CosineDecayRestarts(Schedule):
    def __init__(
        self,
        initial_learning_rate: float | keras.Variable,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None: ...
    @property
    def initial_learning_rate(self) -> float: ...
    @property
    def first_decay_steps(self) -> float: ...
    @property
    def t_mul(self) -> float: ...
    @property
    def m_mul(self) -> float: ...
    @property
    def alpha(self) -> float: ...
    name: str

    def value(self, step: Any, ops: ModuleType) -> Any: ...
    def cycle(self, step: Any, ops: ModuleType) -> tuple[Any, Any, Any]: ...
