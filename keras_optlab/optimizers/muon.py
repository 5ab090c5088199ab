"""Muon."""

import re
from typing import Any, final

from keras import ops

from keras_optlab.engine.declaration import Section
from keras_optlab.engine.domain import (
    DECAY_RATE,
    FINITE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Integer,
    Listing,
    Optional,
    Pattern,
)
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.hyperparameter import hyperparameter, learning_rate, option
from keras_optlab.engine.optimizer import Optimizer, Values
from keras_optlab.engine.slots import Slot


@final
class Muon(Optimizer):
    r"""Momentum made orthogonal, for the matrices of a network; Adam for all other variables.

    Matrices:

        m ← β m + g,   G = g + β m   (without `nesterov`: G = m)
        X = G / (‖G‖ + 1e-7), then `ns_steps` times
            A = X Xᵀ,   X ← a X + (b A + c A²) X
        θ ← θ − η λ θ − η r √max(rows, columns) X

    Newton and Schulz' iteration brings the singular values of G near 1. All variables that are
    not matrices, embeddings and `exclude_layers` get Adam's update (see `Adam`) with the rate
    η `adam_lr_ratio`; they decay by `adam_weight_decay`, the matrices by `weight_decay`.

    Float64 variables: Keras' Muon raises in TensorFlow, where ours works, and on torch it rounds
    Adam's 1 − β to float32, which takes it 2e-8 of the distance travelled away from ours. On JAX
    and torch ‖G‖ is float32 in both (`keras.ops.norm`).

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`.
        adam_beta_1: Float in [0, 1) or a schedule. Defaults to `0.9`.
        adam_beta_2: Float in [0, 1) or a schedule. Defaults to `0.999`.
        adam_weight_decay: Float >= 0, None or a schedule. Defaults to `0.004`.
        epsilon: Float >= 0 or a schedule, Adam's. Defaults to `1e-7`.
        weight_decay: Float >= 0, None or a schedule, of the matrices. Defaults to `0.004`.
        exclude_layers: List of regular expressions searched in the variables' paths, whose
            matrices get Adam's update; usually the output layer. Defaults to `None`.
        exclude_embeddings: Boolean, whether variables with "embedding" in their path get
            Adam's update. Defaults to `True`.
        muon_a: Float or a schedule, a. Defaults to `3.4445`, the authors' coefficients.
        muon_b: Float or a schedule, b. Defaults to `-4.775`.
        muon_c: Float or a schedule, c. Defaults to `2.0315`.
        adam_lr_ratio: Float >= 0 or a schedule. Defaults to `1`.
        momentum: Float in [0, 1] or a schedule, β. Defaults to `0.95`.
        ns_steps: Integer >= 1. Defaults to `5`.
        nesterov: Boolean. Defaults to `True`.
        rms_rate: Float > 0, a schedule or None, r: makes the rate of Adam fit (Liu et al.).
            None leaves out the factor r √max(rows, columns). Defaults to `0.2`.

    Sources: Jordan et al., 2024 (github.com/KellerJordan/Muon); Liu et al., 2025, "Muon is
    scalable for LLM training".

    Example:

    >>> optimizer = keras_optlab.optimizers.Muon(1e-3, exclude_layers=["output"])
    """

    learning_rate: float = learning_rate(0.001)
    adam_beta_1: float = hyperparameter(0.9, DECAY_RATE, complement="exact", cast_by_keras=True)
    adam_beta_2: float = hyperparameter(0.999, DECAY_RATE, complement="exact", cast_by_keras=True)
    adam_weight_decay: float | None = hyperparameter(
        0.004, NON_NEGATIVE, optional=True, cast_by_keras=True
    )
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    weight_decay: float | None = hyperparameter(
        0.004, NON_NEGATIVE, optional=True, cast_by_keras=True
    )
    exclude_layers: list[str] | None = option(None, Optional(Listing(Pattern())), Section.TRAILING)
    exclude_embeddings: bool = option(True, Boolean(), Section.TRAILING)
    muon_a: float = hyperparameter(3.4445, FINITE, Section.TRAILING)
    muon_b: float = hyperparameter(-4.7750, FINITE, Section.TRAILING)
    muon_c: float = hyperparameter(2.0315, FINITE, Section.TRAILING)
    adam_lr_ratio: float = hyperparameter(1, NON_NEGATIVE, Section.TRAILING)
    momentum: float = hyperparameter(0.95, FRACTION, Section.TRAILING)
    ns_steps: int = option(5, Integer(1), Section.TRAILING)
    nesterov: bool = option(True, Boolean(), Section.TRAILING)
    rms_rate: float | None = hyperparameter(0.2, POSITIVE, Section.TRAILING, optional=True)

    decays_in_update = True
    not_lazy = "its matrices are made orthogonal as a whole"

    def slots(self, variable: Any) -> dict[str, Slot]:
        if self.is_orthogonalized(variable):
            return {"momentum": Slot()}
        return {"momentum": Slot(), "velocity": Slot()}

    def needs_whole(self, variable: Any) -> bool:
        return self.is_orthogonalized(variable)

    def is_orthogonalized(self, variable: Any) -> bool:
        """Whether a variable gets Muon's update, not Adam's."""
        path = path_of(variable)
        return (
            len(variable.shape) == 2
            and not (self.exclude_embeddings and "embedding" in path.lower())
            and not any(re.search(pattern, path) for pattern in self.exclude_layers or ())
        )

    def decay_name(self, variable: Any) -> str:
        return "weight_decay" if self.is_orthogonalized(variable) else "adam_weight_decay"

    def derive(self, h: Values) -> dict[str, Any]:
        root = ops.sqrt(1 - h.adam_beta_2**h.t)
        return {"alpha": h.learning_rate * h.adam_lr_ratio * root / (1 - h.adam_beta_1**h.t)}

    def update(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        if h.decay is not None:
            parameter = parameter - parameter * h.decay * h.learning_rate
        if hasattr(slots, "velocity"):
            return self.update_by_adam(parameter, gradient, slots, h)
        m = h.momentum * slots.momentum + gradient
        x = self.orthogonalize(gradient + h.momentum * m if self.nesterov else m, h)
        scale = h.learning_rate
        if self.uses("rms_rate"):
            scale = scale * max(parameter.shape) ** 0.5 * h.rms_rate
        return parameter - scale * x, {"momentum": m}

    def update_by_adam(
        self, parameter: Any, gradient: Any, slots: Values, h: Values
    ) -> tuple[Any, dict[str, Any]]:
        """Adam, for what is not a matrix."""
        m = slots.momentum + (gradient - slots.momentum) * h.one_minus_adam_beta_1
        v = slots.velocity + (ops.square(gradient) - slots.velocity) * h.one_minus_adam_beta_2
        step = m * h.alpha / (ops.sqrt(v) + h.epsilon)
        return parameter - step, {"momentum": m, "velocity": v}

    def orthogonalize(self, x: Any, h: Values) -> Any:
        """Newton and Schulz' iteration: the singular values brought near 1."""
        tall = x.shape[0] > x.shape[1]
        if tall:
            x = ops.transpose(x)
        x = x / (ops.norm(x) + 1e-7)
        for _ in range(self.ns_steps):
            a = x @ ops.transpose(x)
            x = h.muon_a * x + (h.muon_b * a + h.muon_c * a @ a) @ x
        return ops.transpose(x) if tall else x
