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
    Scalar,
    Slot,
    Values,
)

@final
class ScheduleFreeSGD(Optimizer):
    def __init__(
        self,
        learning_rate: float | keras.Variable | LearningRateSchedule | Callable[[], Any] = 1.0,
        momentum: float | LearningRateSchedule = 0.9,
        warmup_steps: int = 0,
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
        polynomial_power: float | LearningRateSchedule = 0.0,
        rate_power: float | LearningRateSchedule = 2.0,
    ) -> None: ...
    @property
    def learning_rate(self) -> Any: ...
    @learning_rate.setter
    def learning_rate(
        self, value: float | keras.Variable | LearningRateSchedule | Callable[[], Any]
    ) -> None: ...
    @property
    def momentum(self) -> float | Any: ...
    @momentum.setter
    def momentum(self, value: float | LearningRateSchedule) -> None: ...
    warmup_steps: int

    @property
    def polynomial_power(self) -> float | Any: ...
    @polynomial_power.setter
    def polynomial_power(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def rate_power(self) -> float | Any: ...
    @rate_power.setter
    def rate_power(self, value: float | LearningRateSchedule) -> None: ...
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def scalars(self) -> dict[str, Scalar]: ...
    def derive(self, h: Values) -> dict[str, Any]: ...
    def advance(self, state: Values, sums: Values, h: Values) -> dict[str, Any]: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...
    def evaluation_point(self, p: Any, s: Values, h: Values) -> Any: ...
    def training_point(self, p: Any, s: Values, h: Values) -> Any: ...
