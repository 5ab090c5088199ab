# Written by tests/stubs.py from the tables of arguments. Do not edit.

import collections.abc
from typing import Any, Literal

from keras.optimizers.schedules import LearningRateSchedule

from keras_optlab.arguments.declaration import Declared
from keras_optlab.arguments.hyperparameter import (
    Hyperparameter,
)
from keras_optlab.engine.groups import ParameterGroup
from keras_optlab.engine.transform import Transform

ENGINE_HYPERPARAMETERS: tuple[str, ...]

class SharedArguments(Declared):
    def __init__(
        self,
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
    def weight_decay(self) -> float | Any: ...
    @weight_decay.setter
    def weight_decay(self, value: float | LearningRateSchedule | None) -> None: ...
    @property
    def clipnorm(self) -> float | Any: ...
    @clipnorm.setter
    def clipnorm(self, value: float | LearningRateSchedule | None) -> None: ...
    @property
    def clipvalue(self) -> float | Any: ...
    @clipvalue.setter
    def clipvalue(self, value: float | LearningRateSchedule | None) -> None: ...
    @property
    def global_clipnorm(self) -> float | Any: ...
    @global_clipnorm.setter
    def global_clipnorm(self, value: float | LearningRateSchedule | None) -> None: ...
    use_ema: bool

    @property
    def ema_momentum(self) -> float | Any: ...
    @ema_momentum.setter
    def ema_momentum(self, value: float | LearningRateSchedule) -> None: ...
    ema_overwrite_frequency: int | None
    loss_scale_factor: float | None
    gradient_accumulation_steps: int | None
    name: str | None
    decoupled_weight_decay: bool
    groups: tuple[ParameterGroup, ...] | None

    @property
    def transforms(self) -> tuple[Transform, ...] | None: ...
    settable: tuple[str, ...] | None
    jit_compile: Literal["auto", True, False]
    lazy: bool
    slot_dtype: Literal["bfloat16", "float32"] | None
    rounding: Literal["compensated", "stochastic", "nearest"]
    nonfinite: Literal["apply", "skip", "raise"]

    @classmethod
    def hyperparameters(cls) -> dict[str, Hyperparameter]: ...
    @classmethod
    def formula_hyperparameters(cls) -> dict[str, Hyperparameter]: ...
