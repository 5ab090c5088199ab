# Written by tests/stubs.py from the tables of arguments. Do not edit.

import collections.abc
from collections.abc import Callable
from typing import Any, Literal, final

import keras
from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.engine.groups import ParameterGroup
from keras_optlab.engine.transform import Transform
from keras_optlab.optimizers.base import (
    Optimizer,
    Slot,
    Values,
)

@final
class ADOPT(Optimizer):
    def __init__(
        self,
        learning_rate: float | keras.Variable | LearningRateSchedule | Callable[[], Any] = 0.001,
        beta_1: float | LearningRateSchedule = 0.9,
        beta_2: float | LearningRateSchedule = 0.9999,
        epsilon: float | LearningRateSchedule = 1e-06,
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
        clip_scale: float | LearningRateSchedule | None = 1.0,
        clip_exponent: float | LearningRateSchedule = 0.25,
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
    def epsilon(self) -> float | Any: ...
    @epsilon.setter
    def epsilon(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def clip_scale(self) -> float | Any: ...
    @clip_scale.setter
    def clip_scale(self, value: float | LearningRateSchedule | None) -> None: ...
    @property
    def clip_exponent(self) -> float | Any: ...
    @clip_exponent.setter
    def clip_exponent(self, value: float | LearningRateSchedule) -> None: ...
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def derive(self, h: Values) -> dict[str, Any]: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...
