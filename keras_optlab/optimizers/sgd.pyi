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
class SGD(Optimizer):
    def __init__(
        self,
        learning_rate: float | keras.Variable | LearningRateSchedule | Callable[[], Any] = 0.01,
        momentum: float | LearningRateSchedule = 0.0,
        nesterov: bool = False,
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
        learning_rate_in_velocity: bool = True,
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
    nesterov: bool
    learning_rate_in_velocity: bool

    def rests_at_zero(self) -> bool: ...
    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...
