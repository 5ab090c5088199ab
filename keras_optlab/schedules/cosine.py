"""Cosine decay, with warmup and with restarts."""

import math
from types import ModuleType
from typing import Any, final

from keras_optlab.arguments.declaration import argument
from keras_optlab.arguments.domain import INITIAL_RATE, NON_NEGATIVE, POSITIVE, Name, Optional, Real
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.schedules.rounding import floor


def half_cosine(fraction: Any, ops: ModuleType) -> Any:
    """Return a half cosine that falls from 1 to 0 as the fraction rises from 0 to 1."""
    return 0.5 * (1 + ops.cos(math.pi * fraction))


@final
class CosineDecay(Schedule):
    """Decay along half a cosine, after an optional linear warmup.

        η(t) = η₀ + (η₁ - η₀) t/w                                  where t < w
        η(t) = η₁ ((1 - α) (1 + cos(π min((t - w)/s, 1))) / 2 + α)     from t = w on

    Without a `warmup_target`, η₁ is η₀ and w is 0, whatever `warmup_steps` is, as in Keras.

    Args:
        initial_learning_rate: η₀, the value at step 0; >= 0, or a variable, whose current value
            is used.
        decay_steps: s, the number of steps of the decay, after the warmup; > 0.
        alpha: α, the end value as a fraction of the value at the start of the decay; >= 0.
            Defaults to `0.0`.
        name: String. Name of the operations in a graph. Defaults to `"CosineDecay"`.
        warmup_target: η₁, the value at the end of the warmup; >= 0, or `None` for no warmup.
            Defaults to `None`.
        warmup_steps: w, the number of steps of the warmup; >= 0. Defaults to `0`.

    Raises:
        ValueError: For an argument outside its range.
        TypeError: For an argument of the wrong type.

    Source:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), and
        `keras.optimizers.schedules.CosineDecay`: arguments, defaults and values. An integer
        `initial_learning_rate=0`, as in Keras' example, makes Keras compute in integers, which
        gives 0.0 at every step on JAX and torch, and an error on TensorFlow. Here, 0 means 0.0.

    Example:

    >>> from keras_optlab.schedules import CosineDecay
    >>> schedule = CosineDecay(0.0, decay_steps=10, warmup_target=0.1, warmup_steps=2)
    >>> [round(schedule.at(step), 6) for step in (0, 1, 2, 7, 12)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    """

    initial_learning_rate: float = argument(INITIAL_RATE)
    decay_steps: float = argument(POSITIVE, keras_says="Argument `decay_steps` must be > 0.")
    alpha: float = argument(NON_NEGATIVE, default=0.0)
    name: str = argument(Name(), default="CosineDecay")
    warmup_target: float | None = argument(Optional(NON_NEGATIVE), default=None)
    warmup_steps: float = argument(NON_NEGATIVE, default=0)

    def value(self, step: Any, ops: ModuleType) -> Any:
        if self.warmup_target is None or self.warmup_steps == 0:
            return self.decay(step, ops)
        slope = (self.warmup_target - self.initial_learning_rate) / self.warmup_steps
        decay = self.decay(ops.clip(step - self.warmup_steps, 0, math.inf), ops)
        return ops.where(step < self.warmup_steps, self.initial_learning_rate + slope * step, decay)

    def decay(self, step: Any, ops: ModuleType) -> Any:
        """Return the value of the decay, at a step counted from the end of the warmup."""
        target = self.warmup_target
        start = self.initial_learning_rate if target is None else target
        fraction = ops.clip(step / self.decay_steps, 0, 1)
        return start * ((1 - self.alpha) * half_cosine(fraction, ops) + self.alpha)


@final
class CosineDecayRestarts(Schedule):
    """Cosine decay with warm restarts, in cycles of growing length.

        η(t) = η₀ ((1 - α) mⁱ (1 + cos(π (t - Sᵢ) / Tᵢ)) / 2 + α)         where Sᵢ <= t < Sᵢ₊₁
        Tᵢ = s kⁱ            steps of cycle i
        Sᵢ = T₀ + ... + Tᵢ₋₁     its first step

    Args:
        initial_learning_rate: η₀, the value at step 0; >= 0, or a variable, whose current value
            is used.
        first_decay_steps: s, the number of steps of the first cycle; > 0.
        t_mul: k, the length of each cycle relative to the previous one; >= 1. Defaults to `2.0`.
        m_mul: m, the height of each cycle relative to the previous one; >= 0. Defaults to `1.0`.
        alpha: α, the lowest value as a fraction of η₀; >= 0. Defaults to `0.0`.
        name: String. Name of the operations in a graph. Defaults to `"SGDRDecay"`.

    Raises:
        ValueError: For an argument outside its range. Keras also accepts `t_mul` below 1, but
            returns NaN from step s / (1 - k) on, where no more cycles fit.
        TypeError: For an argument of the wrong type.

    Source:
        Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts" (2017), and
        `keras.optimizers.schedules.CosineDecayRestarts`: arguments, defaults and values. Values
        differ only where float32, in which Keras computes, is not precise enough. With η₀ = 1,
        Keras gives 0.0 instead of 0.25 at the first step of a cycle (step 24573 with s = 3,
        m = 0.9, k = 2), 0.524 instead of 0.510 for k near 1 (step 10^5 with s = 100, k = 1.001),
        and 1.0 instead of 0.75 at step 10^9 with s = 3, k = 1.

    Example:

    >>> from keras_optlab.schedules import CosineDecayRestarts
    >>> schedule = CosineDecayRestarts(0.1, first_decay_steps=10, m_mul=0.5)
    >>> [round(schedule.at(step), 6) for step in (0, 5, 10, 20, 30)]
    [0.1, 0.05, 0.05, 0.025, 0.025]
    """

    initial_learning_rate: float = argument(INITIAL_RATE)
    first_decay_steps: float = argument(
        POSITIVE, keras_says="Argument `first_decay_steps` must be > 0."
    )
    t_mul: float = argument(Real(low=1.0), default=2.0)
    m_mul: float = argument(NON_NEGATIVE, default=1.0)
    alpha: float = argument(NON_NEGATIVE, default=0.0)
    name: str = argument(Name(), default="SGDRDecay")

    def value(self, step: Any, ops: ModuleType) -> Any:
        cycle, start, length = self.cycle(step, ops)
        wave = self.m_mul**cycle * half_cosine((step - start) / length, ops)
        return self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha)

    def cycle(self, step: Any, ops: ModuleType) -> tuple[Any, Any, Any]:
        """Return the number of the cycle that contains a step, its first step and its length."""
        first = self.first_decay_steps
        if self.t_mul == 1:
            cycle = floor(step / first, ops)
            return cycle, cycle * first, first
        # Sᵢ = s (kⁱ - 1) / (k - 1), solved for i. log1p and expm1 keep the digits for k near 1.
        growth = self.t_mul - 1
        rate = math.log1p(growth)
        cycle = floor(ops.log1p(step / first * growth) / rate, ops)
        grown = ops.expm1(cycle * rate)
        return cycle, first * grown / growth, first * (1 + grown)
