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
    r"""Momentum made orthogonal, for the matrices of a network; Adam for all other variables.

    Matrices:

        m ← β m + g,   G = g + β m   (without `nesterov`: G = m)
        X = G / (‖G‖ + 1e-7), then `ns_steps` times
            A = X Xᵀ,   X ← a X + (b A + c A²) X
        θ ← θ − η λ θ − η r √max(rows, columns) X

    Newton and Schulz' iteration brings the singular values of G near 1. All variables that are
    not matrices, embeddings and `exclude_layers` get Adam's update (see `Adam`) with the rate
    η `adam_lr_ratio`; they decay by `adam_weight_decay`, the matrices by `weight_decay`.

    With `form="authors"`, as in the code of Jordan et al. (who train with η = 0.02):

        m ← m + (1 − β)(g − m),   G = (1 − β) g + β m
        θ ← θ − η λ θ − η √max(1, outputs / inputs) X

    Kernels of convolutions are matrices then too, with a column for each output channel; height
    and width of the filter take the place of outputs and inputs, as there. Of an embedding, the
    rows are the outputs.

    Float64 variables: Keras' Muon raises in TensorFlow, where ours works, and on JAX and torch its
    ‖G‖ is float32 (`keras.ops.norm`).

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
            None leaves out the factor r √max(rows, columns). Defaults to `0.2`. Without meaning
            for `form="authors"`.
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

    not_lazy = "its matrices are made orthogonal as a whole"

    def route(self, variable: Any) -> Algorithm:
        if not self.is_orthogonalized(variable):
            return self.others
        return self.tables if self.form == "authors" and is_embedding(variable) else self

    @cached_property
    def others(self) -> Algorithm:
        """What updates all variables that are not made orthogonal."""
        return AdamOfOthers()

    @cached_property
    def tables(self) -> Algorithm:
        """What updates embeddings in the authors' form, whose rows are outputs."""
        return MuonOfTables(self)

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"momentum": Slot()}

    def is_orthogonalized(self, variable: Any) -> bool:
        """Whether a variable gets Muon's update, not Adam's."""
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
        """The step in the authors' form, times a scale."""
        m = s.momentum + (g - s.momentum) * h.one_minus_momentum
        x = g * h.one_minus_momentum + m * h.momentum if self.nesterov else m
        matrix = ops.reshape(x, (-1, x.shape[-1]))
        x = ops.reshape(self.orthogonalize(matrix, h), x.shape)
        return h.learning_rate * scale * x, {"momentum": m}

    def orthogonalize(self, x: Any, h: Values) -> Any:
        """Newton and Schulz' iteration: the singular values brought near 1."""
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
    """The authors' form for embeddings, whose rows are outputs.

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
    """Whether a variable's path has "embedding" in it."""
    return "embedding" in path_of(variable).lower()


@final
class AdamOfOthers(Algorithm):
    """Adam, as Muon has it for all variables but the matrices."""

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
