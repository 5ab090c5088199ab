"""Muon."""

import re
from functools import cached_property
from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    FINITE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Algorithm,
    Boolean,
    Choice,
    Integer,
    Listing,
    Optimizer,
    Optional,
    Pattern,
    Scope,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    option,
    path_of,
    total,
)


@final
class Muon(Optimizer):
    r"""Orthogonalized momentum for the matrices of a network, Adam for all other variables.

    Matrices:

        m ← β m + g,   G = g + β m   (without `nesterov`: G = m)
        X = G / (‖G‖ + 1e-7), then `ns_steps` times
            A = X Xᵀ,   X ← a X + (b A + c A²) X
        θ ← θ − η λ θ − η r √max(rows, columns) X

    The Newton-Schulz iteration brings the singular values of G close to 1. Embeddings, variables in
    `exclude_layers` and all that are not matrices get Adam's update (see `Adam`) with the rate
    η `adam_lr_ratio`. They decay by `adam_weight_decay`, the matrices by `weight_decay`.

    With `form="authors"`, as in the code of Jordan et al. (who train with η = 0.02):

        m ← m + (1 − β)(g − m),   G = (1 − β) g + β m
        θ ← θ − η λ θ − η √max(1, outputs / inputs) X

    In this form, kernels of convolutions are matrices too, with a column for each output channel.
    As in the authors' code, the height and width of the filter then stand for outputs and inputs.
    The rows of an embedding are its outputs.

    With float64 variables, Keras' Muon raises on TensorFlow, where ours works, and computes ‖G‖ in
    float32 on JAX and torch (`keras.ops.norm`).

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`.
        adam_beta_1: Float in [0, 1) or a schedule. Defaults to `0.9`.
        adam_beta_2: Float in [0, 1) or a schedule. Defaults to `0.999`.
        adam_weight_decay: Float >= 0, None or a schedule. Defaults to `0.004`.
        epsilon: Float >= 0 or a schedule, for Adam. Defaults to `1e-7`.
        weight_decay: Float >= 0, None or a schedule, for the matrices. Defaults to `0.004`.
        exclude_layers: List of regular expressions, searched in the variables' paths. Matrices
            that match get Adam's update; typically the output layer. Defaults to `None`.
        exclude_embeddings: Boolean, whether variables with "embedding" in their path get
            Adam's update. Defaults to `True`.
        muon_a: Float or a schedule, a. Defaults to `3.4445`; a, b and c are the authors' values.
        muon_b: Float or a schedule, b. Defaults to `-4.775`.
        muon_c: Float or a schedule, c. Defaults to `2.0315`.
        adam_lr_ratio: Float >= 0 or a schedule. Defaults to `1`.
        momentum: Float in [0, 1] or a schedule, β. Defaults to `0.95`.
        ns_steps: Integer >= 1. Defaults to `5`.
        nesterov: Boolean. Defaults to `True`.
        rms_rate: Float > 0, a schedule or None, r: makes Adam's learning rates fit (Liu et al.).
            None omits the factor r √max(rows, columns). Defaults to `0.2`. Ignored with
            `form="authors"`.
        form: `"keras"` or `"authors"`. Defaults to `"keras"`.

    Sources: Jordan et al., 2024 (github.com/KellerJordan/Muon); Liu et al., 2025, "Muon is
    scalable for LLM training".

    Example:

    >>> optimizer = keras_optlab.optimizers.Muon(1e-3, exclude_layers=["output"])
    """

    learning_rate: float = learning_rate(0.001)
    adam_beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    adam_beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    adam_weight_decay: float | None = hyperparameter(0.004, NON_NEGATIVE, optional=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    weight_decay: Any = hyperparameter(0.004, NON_NEGATIVE, optional=True)
    exclude_layers: list[str] | None = option(None, Optional(Listing(Pattern())), Section.TRAILING)
    exclude_embeddings: bool = option(True, Boolean(), Section.TRAILING)
    muon_a: float = hyperparameter(3.4445, FINITE, Section.TRAILING)
    muon_b: float = hyperparameter(-4.7750, FINITE, Section.TRAILING)
    muon_c: float = hyperparameter(2.0315, FINITE, Section.TRAILING)
    adam_lr_ratio: float = hyperparameter(1, NON_NEGATIVE, Section.TRAILING)
    momentum: float = hyperparameter(0.95, FRACTION, Section.TRAILING, complement=True)
    ns_steps: int = option(5, Integer(1), Section.TRAILING)
    nesterov: bool = option(True, Boolean(), Section.TRAILING)
    rms_rate: float | None = hyperparameter(0.2, POSITIVE, Section.TRAILING, optional=True)
    form: str = option("keras", Choice(("keras", "authors")), Section.KEYWORD_ONLY)

    not_lazy = "it orthogonalizes whole matrices"

    def route(self, variable: Any) -> Algorithm:
        if not self.is_orthogonalized(variable):
            return self.others
        return self.tables if self.form == "authors" and is_embedding(variable) else self

    @cached_property
    def others(self) -> Algorithm:
        """The algorithm for all variables that are not orthogonalized."""
        return FallbackAdam()

    @cached_property
    def tables(self) -> Algorithm:
        """The algorithm for embeddings in the authors' form, whose rows are outputs."""
        return MuonOfTables(self)

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot()}

    def is_orthogonalized(self, variable: Any) -> bool:
        """Whether a variable gets Muon's update rather than Adam's."""
        path = path_of(variable)
        return (
            len(variable.shape) in ((2, 4) if self.form == "authors" else (2,))
            and not (self.exclude_embeddings and is_embedding(variable))
            and not any(re.search(pattern, path) for pattern in self.exclude_layers or ())
        )

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        if self.form == "authors":
            is_matrix = len(p.shape) == 2
            ratio = p.shape[1] / p.shape[0] if is_matrix else p.shape[0] / p.shape[1]
            return self.step_of_authors(g, s, h, max(1.0, ratio) ** 0.5)
        m = h.momentum * s.momentum + g
        x = self.orthogonalize(g + h.momentum * m if self.nesterov else m, h)
        scale = h.learning_rate
        if self.uses("rms_rate"):
            scale = scale * max(p.shape) ** 0.5 * h.rms_rate
        return scale * x, {"momentum": m}

    def step_of_authors(
        self, g: Any, s: Values, h: Values, scale: float
    ) -> tuple[Any, dict[str, Any]]:
        """Return the step in the authors' form, multiplied by a scale."""
        m = s.momentum + (g - s.momentum) * h.one_minus_momentum
        x = g * h.one_minus_momentum + m * h.momentum if self.nesterov else m
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        x = ops.reshape(self.orthogonalize(matrix, h), x.shape)
        return h.learning_rate * scale * x, {"momentum": m}

    def orthogonalize(self, x: Any, h: Values) -> Any:
        """Bring the singular values close to 1 with the Newton-Schulz iteration."""
        tall = x.shape[0] > x.shape[1]
        if tall:
            x = ops.transpose(x)
        x = x / (ops.sqrt(total(ops.square(x))) + 1e-7)
        for _ in range(self.ns_steps):
            a = x @ ops.transpose(x)
            x = h.muon_a * x + (h.muon_b * a + h.muon_c * a @ a) @ x
        return ops.transpose(x) if tall else x


@final
class MuonOfTables(Algorithm):
    """Muon in the authors' form for embeddings, whose rows are outputs.

    Args:
        muon: The optimizer.
    """

    def __init__(self, muon: Muon) -> None:
        self.muon = muon

    def slots(self, variable: Any) -> dict[str, Slot]:
        return self.muon.slots(variable)

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        outputs, inputs = p.shape[0], p.shape[1]
        return self.muon.step_of_authors(g, s, h, max(1.0, outputs / inputs) ** 0.5)


def is_embedding(variable: Any) -> bool:
    """Whether a variable's path contains "embedding"."""
    return "embedding" in path_of(variable).lower()


@final
class FallbackAdam(Algorithm):
    """Adam as Muon applies it to the variables that it does not orthogonalize."""

    scope = Scope.ELEMENT
    decay_hyperparameter = "adam_weight_decay"

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot(), "velocity": Slot()}

    def derive(self, h: Values) -> dict[str, Any]:
        root = ops.sqrt(1 - h.adam_beta_2**h.t)
        return {"alpha": h.learning_rate * h.adam_lr_ratio * root / (1 - h.adam_beta_1**h.t)}

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        m = s.momentum + (g - s.momentum) * h.one_minus_adam_beta_1
        v = s.velocity + (ops.square(g) - s.velocity) * h.one_minus_adam_beta_2
        return m * h.alpha / (ops.sqrt(v) + h.epsilon), {"momentum": m, "velocity": v}
