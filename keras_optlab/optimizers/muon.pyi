# Written by tests/stubs.py from the tables of arguments. Do not edit.

import collections.abc
from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, final

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.engine.groups import ParameterGroup
from keras_optlab.engine.transform import Transform
from keras_optlab.optimizers.base import (
    Algorithm,
    Optimizer,
    Slot,
    Values,
)

@final
class Muon(Optimizer):
    def __init__(
        self,
        learning_rate: float | keras.Variable | LearningRateSchedule | Callable[[], Any] = 0.001,
        adam_beta_1: float | LearningRateSchedule = 0.9,
        adam_beta_2: float | LearningRateSchedule = 0.999,
        adam_weight_decay: float | LearningRateSchedule | None = 0.004,
        epsilon: float | LearningRateSchedule = 1e-07,
        weight_decay: float | LearningRateSchedule | None = 0.004,
        clipnorm: float | LearningRateSchedule | None = None,
        clipvalue: float | LearningRateSchedule | None = None,
        global_clipnorm: float | LearningRateSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float | LearningRateSchedule = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: collections.abc.Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float | LearningRateSchedule = 3.4445,
        muon_b: float | LearningRateSchedule = -4.775,
        muon_c: float | LearningRateSchedule = 2.0315,
        adam_lr_ratio: float | LearningRateSchedule = 1,
        momentum: float | LearningRateSchedule = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | LearningRateSchedule | None = 0.2,
        *,
        decoupled_weight_decay: bool = True,
        groups: collections.abc.Sequence[ParameterGroup] | None = None,
        transforms: collections.abc.Sequence[Transform] | None = None,
        settable: collections.abc.Sequence[str] | None = None,
        jit_compile: Literal["auto", True, False] = "auto",
        lazy: bool = False,
        slot_dtype: Literal["bfloat16", "float32"] | None = None,
        rounding: Literal["compensated", "stochastic", "nearest"] = "compensated",
        nonfinite: Literal["apply", "skip", "raise"] = "apply",
        form: Literal["keras", "authors"] = "keras",
    ) -> None: ...
    @property
    def learning_rate(self) -> Any: ...
    @learning_rate.setter
    def learning_rate(
        self, value: float | keras.Variable | LearningRateSchedule | Callable[[], Any]
    ) -> None: ...
    @property
    def adam_beta_1(self) -> float | Any: ...
    @adam_beta_1.setter
    def adam_beta_1(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def adam_beta_2(self) -> float | Any: ...
    @adam_beta_2.setter
    def adam_beta_2(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def adam_weight_decay(self) -> float | Any: ...
    @adam_weight_decay.setter
    def adam_weight_decay(self, value: float | LearningRateSchedule | None) -> None: ...
    @property
    def epsilon(self) -> float | Any: ...
    @epsilon.setter
    def epsilon(self, value: float | LearningRateSchedule) -> None: ...
    exclude_layers: tuple[str, ...] | None
    exclude_embeddings: bool

    @property
    def muon_a(self) -> float | Any: ...
    @muon_a.setter
    def muon_a(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def muon_b(self) -> float | Any: ...
    @muon_b.setter
    def muon_b(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def muon_c(self) -> float | Any: ...
    @muon_c.setter
    def muon_c(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def adam_lr_ratio(self) -> float | Any: ...
    @adam_lr_ratio.setter
    def adam_lr_ratio(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def momentum(self) -> float | Any: ...
    @momentum.setter
    def momentum(self, value: float | LearningRateSchedule) -> None: ...
    ns_steps: int
    nesterov: bool

    @property
    def rms_rate(self) -> float | Any: ...
    @rms_rate.setter
    def rms_rate(self, value: float | LearningRateSchedule | None) -> None: ...
    form: Literal["keras", "authors"]

    def route(self, variable: Any) -> Algorithm: ...
    @cached_property
    def others(self) -> Algorithm: ...
    @cached_property
    def tables(self) -> Algorithm: ...
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def is_orthogonalized(self, variable: Any) -> bool: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...
    def step_of_authors(
        self, g: Any, s: Values, h: Values, scale: float
    ) -> tuple[Any, dict[str, Any]]: ...
    def orthogonalize(self, x: Any, h: Values) -> Any: ...

@final
class MuonOfTables(Algorithm):
    muon: Any

    def __init__(self, muon: Muon) -> None: ...
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...

def is_embedding(variable: Any) -> bool: ...

@final
class FallbackAdam(Algorithm):
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def derive(self, h: Values) -> dict[str, Any]: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...
