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
class MARS(Optimizer):
    def __init__(
        self,
        learning_rate: float | keras.Variable | LearningRateSchedule | Callable[[], Any] = 0.003,
        beta_1: float | LearningRateSchedule = 0.95,
        beta_2: float | LearningRateSchedule = 0.99,
        gamma: float | LearningRateSchedule = 0.025,
        epsilon: float | LearningRateSchedule = 1e-08,
        weight_decay: float | LearningRateSchedule | None = None,
        clipnorm: float | LearningRateSchedule | None = None,
        clipvalue: float | LearningRateSchedule | None = None,
        global_clipnorm: float | LearningRateSchedule | None = None,
        use_ema: bool = False,
        ema_momentum: float | LearningRateSchedule = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
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
        amsgrad: bool = False,
        optimize_1d: bool = False,
        learning_rate_ratio_1d: float | LearningRateSchedule = 1.0,
        beta_1_1d: float | LearningRateSchedule = 0.9,
        beta_2_1d: float | LearningRateSchedule = 0.95,
        weight_decay_1d: float | LearningRateSchedule | None = 0.1,
    ) -> None: ...
    @property
    def learning_rate(self) -> Any: ...
    @learning_rate.setter
    def learning_rate(
        self, value: float | keras.Variable | LearningRateSchedule | Callable[[], Any]
    ) -> None: ...
    @property
    def beta_1(self) -> float | Any: ...
    @beta_1.setter
    def beta_1(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def beta_2(self) -> float | Any: ...
    @beta_2.setter
    def beta_2(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def gamma(self) -> float | Any: ...
    @gamma.setter
    def gamma(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def epsilon(self) -> float | Any: ...
    @epsilon.setter
    def epsilon(self, value: float | LearningRateSchedule) -> None: ...
    amsgrad: bool
    optimize_1d: bool

    @property
    def learning_rate_ratio_1d(self) -> float | Any: ...
    @learning_rate_ratio_1d.setter
    def learning_rate_ratio_1d(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def beta_1_1d(self) -> float | Any: ...
    @beta_1_1d.setter
    def beta_1_1d(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def beta_2_1d(self) -> float | Any: ...
    @beta_2_1d.setter
    def beta_2_1d(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def weight_decay_1d(self) -> float | Any: ...
    @weight_decay_1d.setter
    def weight_decay_1d(self, value: float | LearningRateSchedule | None) -> None: ...
    def route(self, variable: Any) -> Algorithm: ...
    @cached_property
    def others(self) -> Algorithm: ...
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def derive(self, h: Values) -> dict[str, Any]: ...
    def norm(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]: ...
    def corrected(self, g: Any, s: Values, h: Values) -> Any: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...

@final
class FallbackAdamW(Algorithm):
    amsgrad: Any

    def __init__(self, amsgrad: bool) -> None: ...
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def derive(self, h: Values) -> dict[str, Any]: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...

def slots_of_adamw(amsgrad: bool) -> dict[str, Slot]: ...
def step_of_adamw(
    m: Any, v: Any, p: Any, s: Values, rate: Any, h: Values, amsgrad: bool
) -> tuple[Any, dict[str, Any]]: ...
