"""Adafactor."""

from typing import Any, final

from keras import ops

from keras_optlab.engine.domain import NON_NEGATIVE, POSITIVE, Boolean, Real
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate, option
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class Adafactor(Optimizer):
    r"""Adam's second moment kept as row and column means, steps relative to the weights.

        ρ = min(η, 1/√t),  α = max(ε₂, RMS(θ)) ρ,  β₂ = 1 − tᵈ
        G = g² + ε₁
        r ← β₂ r + (1 − β₂) mean of G over columns
        c ← β₂ c + (1 − β₂) mean of G over rows
        v = r cᵀ / mean(r)                      (matrices and higher: the last two dimensions)
        v ← β₂ v + (1 − β₂) G                   (vectors and scalars)
        u = g / √v
        θ ← θ − α u / max(1, RMS(u) / clip_threshold)

    As in Keras, ρ falls as 1/√t also with `relative_step=False`, which therefore changes
    nothing, and v of a matrix is kept as a slot that the update writes and does not read.

    Float64 variables: on JAX and torch, means are float32 here as in Keras (`keras.ops.mean`). On
    torch Keras also rounds d to float32, which takes it 4e-8 of the distance travelled away
    from ours.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments,
            relative to RMS(θ). Defaults to `0.001`, as in Keras.
        beta_2_decay: Float <= 0 or a schedule, d. Defaults to `-0.8`, as in the paper.
        epsilon_1: Float >= 0 or a schedule. Defaults to `1e-30`.
        epsilon_2: Float >= 0 or a schedule, least scale of a step. Defaults to `1e-3`.
        clip_threshold: Float > 0 or a schedule. Defaults to `1.0`.
        relative_step: Boolean. Defaults to `True`.

    Source: Shazeer & Stern, 2018.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adafactor(1e-2), loss="mse")
    """

    learning_rate: float = learning_rate(0.001)
    beta_2_decay: float = hyperparameter(-0.8, Real(high=0.0))
    epsilon_1: float = hyperparameter(1e-30, NON_NEGATIVE)
    epsilon_2: float = hyperparameter(1e-3, NON_NEGATIVE, cast_by_keras=True)
    clip_threshold: float = hyperparameter(1.0, POSITIVE)
    relative_step: bool = option(True, Boolean())

    def slots(self, variable: Any) -> dict[str, Slot]:
        shape = tuple(variable.shape)
        # Keras keeps empty scalars in place of r and c where there is no matrix.
        return {
            "row": Slot(shape=shape[:-1] if len(shape) >= 2 else ()),
            "column": Slot(shape=(*shape[:-2], shape[-1]) if len(shape) >= 2 else ()),
            "velocity": Slot(),
        }

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "rho": ops.minimum(h.learning_rate, 1 / ops.sqrt(h.t)),
            "beta_2": 1 - h.t**h.beta_2_decay,
            "one_minus_beta_2": h.t**h.beta_2_decay,
        }

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        def average(old: Any, new: Any) -> Any:
            return h.beta_2 * old + h.one_minus_beta_2 * new

        alpha = ops.maximum(h.epsilon_2, _rms(parameter)) * h.rho
        square = ops.square(gradient) + h.epsilon_1
        if len(parameter.shape) >= 2:
            r = average(slots.row, ops.mean(square, axis=-1))
            c = average(slots.column, ops.mean(square, axis=-2))
            share = r / ops.mean(r, axis=-1, keepdims=True)
            v = ops.expand_dims(share, -1) * ops.expand_dims(c, -2)
            new_slots = {"row": r, "column": c, "velocity": v}
        else:
            v = average(slots.velocity, square)
            new_slots = {"velocity": v}
        u = gradient / ops.sqrt(v)
        return parameter - alpha * u / ops.maximum(1.0, _rms(u) / h.clip_threshold), new_slots


def _rms(x: Any) -> Any:
    return ops.sqrt(ops.mean(ops.square(x)))
