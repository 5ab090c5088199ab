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
class Adafactor(Optimizer):
    def __init__(
        self,
        learning_rate: float | keras.Variable | LearningRateSchedule | Callable[[], Any] = 0.001,
        beta_2_decay: float | LearningRateSchedule = -0.8,
        epsilon_1: float | LearningRateSchedule = 1e-30,
        epsilon_2: float | LearningRateSchedule = 0.001,
        clip_threshold: float | LearningRateSchedule = 1.0,
        relative_step: bool = True,
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
    ) -> None: ...
    @property
    def learning_rate(self) -> Any: ...
    @learning_rate.setter
    def learning_rate(
        self, value: float | keras.Variable | LearningRateSchedule | Callable[[], Any]
    ) -> None: ...
    @property
    def beta_2_decay(self) -> float | Any: ...
    @beta_2_decay.setter
    def beta_2_decay(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def epsilon_1(self) -> float | Any: ...
    @epsilon_1.setter
    def epsilon_1(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def epsilon_2(self) -> float | Any: ...
    @epsilon_2.setter
    def epsilon_2(self, value: float | LearningRateSchedule) -> None: ...
    @property
    def clip_threshold(self) -> float | Any: ...
    @clip_threshold.setter
    def clip_threshold(self, value: float | LearningRateSchedule) -> None: ...
    relative_step: bool

    def slots(self, variable: Any) -> dict[str, Slot]: ...
    def derive(self, h: Values) -> dict[str, Any]: ...
    def rows(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]: ...
    def columns(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]: ...
    def change(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]: ...
    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]: ...
    def velocity(self, g: Any, s: Values, h: Values) -> Any: ...
    def average(self, old: Any, new: Any, h: Values) -> Any: ...
