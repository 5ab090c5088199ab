"""Follow the regularized leader."""

from typing import Any, ClassVar, final

from keras import ops

from keras_optlab.engine.backend import maximum, minimum
from keras_optlab.engine.domain import NON_NEGATIVE, POSITIVE, Real
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate, option
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class Ftrl(Optimizer):
    r"""Follow the regularized leader, for sparse linear models: L1 sets weights to exactly 0.

        n' = n + g²
        z ← z + g + 2 λ₃ θ − (n'⁻ᵖ − n⁻ᵖ) / η · θ
        θ ← (clip(z, −λ₁, λ₁) − z) / (n'⁻ᵖ / η + 2 λ₂ + β / η),   n ← n'

    Args:
        learning_rate: Float > 0, a `LearningRateSchedule`, or a callable without arguments.
            Stands in a denominator, so a schedule must not reach 0. Defaults to `0.001`, as
            in Keras.
        learning_rate_power: Float <= 0 or a schedule, p. Defaults to `-0.5`, as in the paper.
        initial_accumulator_value: Float >= 0, what n starts from. Defaults to `0.1`.
        l1_regularization_strength: Float >= 0 or a schedule, λ₁. Defaults to `0.0`.
        l2_regularization_strength: Float >= 0 or a schedule, λ₂. Defaults to `0.0`.
        l2_shrinkage_regularization_strength: Float >= 0 or a schedule, λ₃, a penalty on the
            magnitude. Defaults to `0.0`.
        beta: Float >= 0 or a schedule, β of the paper. Defaults to `0.0`.

    Source: McMahan et al., 2013, "Ad click prediction: a view from the trenches".

    Example:

    >>> optimizer = keras_optlab.optimizers.Ftrl(0.1, l1_regularization_strength=0.01)
    """

    learning_rate: float = learning_rate(0.001, POSITIVE)
    learning_rate_power: float = hyperparameter(-0.5, Real(high=0.0))
    initial_accumulator_value: float = option(0.1, NON_NEGATIVE)
    l1_regularization_strength: float = hyperparameter(0.0, NON_NEGATIVE)
    l2_regularization_strength: float = hyperparameter(0.0, NON_NEGATIVE)
    l2_shrinkage_regularization_strength: float = hyperparameter(0.0, NON_NEGATIVE)
    beta: float = hyperparameter(0.0, NON_NEGATIVE)

    usual: ClassVar[dict[str, Any]] = {"p": 0.5}
    needs_exact_slots = "its weights are computed from the slots alone"

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"accumulator": Slot(self.initial_accumulator_value), "linear": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "p": -h.learning_rate_power,
            "l1": h.l1_regularization_strength,
            "l2": 2 * h.l2_regularization_strength + h.beta / h.learning_rate,
            "l2_shrinkage": 2 * h.l2_shrinkage_regularization_strength,
        }

    def first_slots(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> dict[str, Any]:
        n_old, n = slots.accumulator, slots.accumulator + ops.square(gradient)
        sigma = (n**h.p - n_old**h.p) / h.learning_rate
        z = slots.linear + (gradient + h.l2_shrinkage * parameter - sigma * parameter)
        return {"linear": z}

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        z, n = slots.linear, slots.accumulator + ops.square(gradient)
        clipped = minimum(maximum(z, -h.l1), h.l1)
        parameter = (clipped - z) / (n**h.p / h.learning_rate + h.l2)
        return parameter, {"accumulator": n}
