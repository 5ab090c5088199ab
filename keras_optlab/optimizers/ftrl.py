"""Follow the regularized leader."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    NON_NEGATIVE,
    POSITIVE,
    Optimizer,
    Real,
    Scope,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    maximum,
    minimum,
    option,
    sums,
)


@final
class Ftrl(Optimizer):
    r"""Follow the regularized leader, for sparse linear models: L1 sets weights to exactly 0.

        n' = n + g²
        z ← z + g + 2 λ₃ θ − (n'⁻ᵖ − n⁻ᵖ) / η · θ
        θ ← (clip(z, −λ₁, λ₁) − z) / (n'⁻ᵖ / η + 2 λ₂ + β / η),   n ← n'

    Args:
        learning_rate: Float > 0, a `LearningRateSchedule`, or a callable without arguments.
            It is a divisor, so a schedule must not reach 0. Defaults to `0.001`, as in Keras.
        learning_rate_power: Float <= 0, p. Defaults to `-0.5`, as in the paper.
        initial_accumulator_value: Float >= 0, initial value of n. Defaults to `0.1`.
        l1_regularization_strength: Float >= 0 or a schedule, λ₁. Defaults to `0.0`.
        l2_regularization_strength: Float >= 0 or a schedule, λ₂. Defaults to `0.0`.
        l2_shrinkage_regularization_strength: Float >= 0 or a schedule, λ₃, a penalty on the
            magnitude. Defaults to `0.0`.
        beta: Float >= 0 or a schedule, the paper's β. Defaults to `0.0`.

    Source: McMahan et al., 2013, "Ad click prediction: a view from the trenches".

    Example:

    >>> optimizer = keras_optlab.optimizers.Ftrl(0.1, l1_regularization_strength=0.01)
    """

    learning_rate: float = learning_rate(0.001, POSITIVE)
    learning_rate_power: float = option(
        -0.5, Real(high=0.0), keras_says="`learning_rate_power` needs to be negative or zero."
    )
    initial_accumulator_value: float = option(
        0.1, NON_NEGATIVE, keras_says="`initial_accumulator_value` needs to be positive or zero."
    )
    l1_regularization_strength: float = hyperparameter(
        0.0, NON_NEGATIVE, keras_says="`l1_regularization_strength` needs to be positive or zero."
    )
    l2_regularization_strength: float = hyperparameter(
        0.0, NON_NEGATIVE, keras_says="`l2_regularization_strength` needs to be positive or zero."
    )
    l2_shrinkage_regularization_strength: float = hyperparameter(
        0.0,
        NON_NEGATIVE,
        keras_says="`l2_shrinkage_regularization_strength` needs to be positive or zero.",
    )
    beta: float = hyperparameter(0.0, NON_NEGATIVE)

    needs_exact_slots = "its weights are computed from the slots alone"

    scope = Scope.ELEMENT

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"accumulator": Slot(self.initial_accumulator_value), "linear": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        return {
            "l1": h.l1_regularization_strength,
            "l2": 2 * h.l2_regularization_strength + h.beta / h.learning_rate,
            "l2_shrinkage": 2 * h.l2_shrinkage_regularization_strength,
        }

    @sums()
    def gradients(self, g: Any, p: Any, s: Values, h: Values) -> tuple[dict, dict]:
        """Return the new z."""
        n_old, n = s.accumulator, s.accumulator + ops.square(g)
        sigma = (self.root(n) - self.root(n_old)) / h.learning_rate
        return {}, {"linear": s.linear + (g + h.l2_shrinkage * p - sigma * p)}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        z, n = s.linear, s.accumulator + ops.square(g)
        clipped = minimum(maximum(z, -h.l1), h.l1)
        step = p - (clipped - z) / (self.root(n) / h.learning_rate + h.l2)
        return step, {"accumulator": n}

    def root(self, n: Any) -> Any:
        """Return n⁻ᵖ, by default the square root of n."""
        if self.learning_rate_power == -0.5:
            return ops.sqrt(n)
        return n**-self.learning_rate_power
