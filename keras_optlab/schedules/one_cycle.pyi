# Written by tests/stubs.py from the tables of arguments. Do not edit.

from types import ModuleType
from typing import Any, Literal, final

from keras_optlab.arguments.domain import Choice
from keras_optlab.arguments.schedule import Schedule

ANNEAL: Choice

def phase_ends(total_steps: int, pct_start: float, three_phase: bool) -> list[float]: ...
def anneal_through(
    levels: list[float], ends: list[float], anneal: str, step: Any, ops: ModuleType
) -> Any: ...

@final
class OneCycleLearningRate(Schedule):
    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int,
        pct_start: float = 0.3,
        anneal: Literal["cosine", "linear"] = "cosine",
        div_factor: float = 25.0,
        final_div_factor: float = 10000.0,
        three_phase: bool = False,
        name: str = "OneCycleLearningRate",
    ) -> None: ...
    @property
    def max_learning_rate(self) -> float: ...
    @property
    def total_steps(self) -> int: ...
    @property
    def pct_start(self) -> float: ...
    @property
    def anneal(self) -> Literal["cosine", "linear"]: ...
    @property
    def div_factor(self) -> float: ...
    @property
    def final_div_factor(self) -> float: ...
    @property
    def three_phase(self) -> bool: ...
    name: str

    def value(self, step: Any, ops: ModuleType) -> Any: ...

@final
class OneCycleMomentum(Schedule):
    def __init__(
        self,
        total_steps: int,
        base_momentum: float = 0.85,
        max_momentum: float = 0.95,
        pct_start: float = 0.3,
        anneal: Literal["cosine", "linear"] = "cosine",
        three_phase: bool = False,
        name: str = "OneCycleMomentum",
    ) -> None: ...
    @property
    def total_steps(self) -> int: ...
    @property
    def base_momentum(self) -> float: ...
    @property
    def max_momentum(self) -> float: ...
    @property
    def pct_start(self) -> float: ...
    @property
    def anneal(self) -> Literal["cosine", "linear"]: ...
    @property
    def three_phase(self) -> bool: ...
    name: str

    def value(self, step: Any, ops: ModuleType) -> Any: ...
