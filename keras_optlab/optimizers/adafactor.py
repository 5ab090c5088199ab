"""Adafactor."""

import math
from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Optimizer,
    Real,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    maximum,
    minimum,
    option,
    sum_along,
    sums,
    total,
)


@final
class Adafactor(Optimizer):
    r"""Adam with a factored second moment and steps relative to the scale of the weights.

        ρ = min(η, 1/√t),  α = max(ε₂, RMS(θ)) ρ,  β₂ = 1 − tᵈ
        G = g² + ε₁
        r ← β₂ r + (1 − β₂) mean of G over columns
        c ← β₂ c + (1 − β₂) mean of G over rows
        v = r cᵀ / mean(r)                      (matrices and higher: the last two dimensions)
        v ← β₂ v + (1 − β₂) G                   (vectors and scalars)
        u = g / √v
        θ ← θ − α u / max(1, RMS(u) / clip_threshold)

    As in Keras, ρ falls as 1/√t even with `relative_step=False`, so this argument has no effect,
    and matrices have a slot for v that the update writes but never reads.

    With float64 variables on JAX and torch, Keras computes the means in float32 (`keras.ops.mean`),
    so its weights differ from ours by up to 1e-7 of the distance travelled.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments,
            relative to RMS(θ). Defaults to `0.001`, as in Keras.
        beta_2_decay: Float <= 0 or a schedule, d. Defaults to `-0.8`, as in the paper.
        epsilon_1: Float >= 0 or a schedule. Defaults to `1e-30`.
        epsilon_2: Float >= 0 or a schedule, lower bound on the scale of a step. Defaults to `1e-3`.
        clip_threshold: Float > 0 or a schedule. Defaults to `1.0`.
        relative_step: Boolean. Defaults to `True`.

    Source: Shazeer & Stern, 2018.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adafactor(1e-2), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_2_decay: float = hyperparameter(-0.8, Real(high=0.0))
    epsilon_1: float = hyperparameter(1e-30, NON_NEGATIVE)
    epsilon_2: float = hyperparameter(1e-3, NON_NEGATIVE)
    clip_threshold: float = hyperparameter(1.0, POSITIVE)
    relative_step: bool = option(True, Boolean())

    not_lazy = "its step depends on means over the whole table"

    def slots(self, variable: Any) -> dict[str, Slot]:
        shape = tuple(variable.shape)
        is_matrix = len(shape) >= 2
        # For vectors and scalars, Keras keeps scalar placeholders instead of r and c.
        return {
            "row": Slot(shape=shape[:-1] if is_matrix else (), by_rows=is_matrix),
            "column": Slot(shape=(*shape[:-2], shape[-1]) if is_matrix else (), by_rows=False),
            "velocity": Slot(),
        }

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "rho": minimum(h.learning_rate, 1 / ops.sqrt(h.t)),
            "beta_2": 1 - h.t**h.beta_2_decay,
            "one_minus_beta_2": h.t**h.beta_2_decay,
        }

    @sums()
    def rows(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the new r, its sum, and the sum of θ²."""
        found = {"parameter_square": total(ops.square(p))}
        if len(h.shape) < 2:
            return found, {}
        mean = sum_along(ops.square(g) + h.epsilon_1, -1) / h.shape[-1]
        row = self.average(s.row, mean, h)
        return {**found, "row_sum": ops.sum(row, axis=-1)}, {"row": row}

    @sums()
    def columns(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the sum of G over rows, for each column."""
        if len(h.shape) < 2:
            return {}, {}
        return {"column_sum": sum_along(ops.square(g) + h.epsilon_1, -2)}, {}

    @sums()
    def change(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the new c and the sum of u²."""
        new_slots = {}
        if len(h.shape) >= 2:
            mean = h.column_sum / h.shape[-2]
            new_slots = {"column": self.average(s.column, mean, h)}
        u = g / ops.sqrt(self.velocity(g, Values(**vars(s) | new_slots), h))
        return {"u_square": total(ops.square(u))}, new_slots

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        size = math.prod(h.shape)
        v = self.velocity(g, s, h)
        alpha = maximum(h.epsilon_2, ops.sqrt(h.parameter_square / size)) * h.rho
        excess = maximum(1.0, ops.sqrt(h.u_square / size) / h.clip_threshold)
        return alpha / excess * (g / ops.sqrt(v)), {"velocity": v}

    def velocity(self, g: Any, s: Values, h: Values) -> Any:
        """Return the new second moment; for a matrix, from its new row and column means."""
        if len(h.shape) < 2:
            return self.average(s.velocity, ops.square(g) + h.epsilon_1, h)
        share = s.row / ops.expand_dims(h.row_sum / h.shape[-2], -1)
        return ops.expand_dims(share, -1) * ops.expand_dims(s.column, -2)

    def average(self, old: Any, new: Any, h: Values) -> Any:
        """Return the moving average `old`, updated with `new`."""
        return h.beta_2 * old + h.one_minus_beta_2 * new
