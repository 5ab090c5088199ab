"""SOAP."""

from typing import Any, final

from keras import ops

from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Boolean,
    Integer,
    Optimizer,
    Section,
    Slot,
    Values,
    hyperparameter,
    learning_rate,
    maximum,
    option,
    total,
    when,
)
from keras_optlab.optimizers.bias import bias_correction


@final
class SOAP(Optimizer):
    r"""Adam in the eigenbasis of Shampoo's preconditioner.

    For each axis i of a kernel, Lᵢ is a moving average of the product of g with itself over all
    other axes, and the columns of Qᵢ are its eigenvectors:

        g' = g turned by all Qᵢ
        m ← m + (1 − β₁)(g' − m),   v ← v + (1 − β₂)(g'² − v)
        u = m̂ / (√v̂ + ε) turned back       (bias corrections as in `Adam`, ε as there)
        θ ← θ − η u,   then θ ← θ − η λ θ
        Lᵢ ← Lᵢ + (1 − β)(g gᵀ − Lᵢ)

    The first step finds the bases and changes nothing else. Every k steps after that, Qᵢ becomes
    the orthogonal factor of Lᵢ Qᵢ, sorted by eigenvalue; v is reordered to match, and m is turned
    into the new basis.

    Vectors, scalars and axes longer than `largest_axis` have no basis. A variable without any basis
    gets Adam's update.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.003`, as in the authors' code.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.95`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.95`.
        shampoo_beta: Float in [0, 1), None or a schedule, decay rate β of L. None means β₂.
            Defaults to `None`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-8`.
        weight_decay: Float >= 0, None or a schedule, λ. Defaults to `0.01`.
        period: Integer >= 1, k. Defaults to `10`.
        largest_axis: Integer >= 1. Longer axes have no basis. Defaults to `10000`.
        bases_of_vectors: Boolean, whether vectors have a basis too. Defaults to `False`.
        normalize: Boolean, whether to divide u by its root mean square. Defaults to `False`.
        correct_bias: Boolean. Defaults to `True`.

    Source: Vyas et al., 2024, "SOAP: improving and stabilizing Shampoo using Adam".

    Example:

    >>> model.compile(keras_optlab.optimizers.SOAP(3e-3), loss="mse")
    """

    learning_rate: float = learning_rate(0.003)
    beta_1: float = hyperparameter(0.95, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.95, DECAY_RATE, complement=True)
    shampoo_beta: float | None = hyperparameter(None, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-8, NON_NEGATIVE)
    weight_decay: Any = hyperparameter(0.01, NON_NEGATIVE, optional=True)
    period: int = option(10, Integer(1))
    largest_axis: int = option(10000, Integer(1))
    bases_of_vectors: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    normalize: bool = option(False, Boolean(), Section.KEYWORD_ONLY)
    correct_bias: bool = option(True, Boolean(), Section.KEYWORD_ONLY)

    decays_in_update = True
    not_lazy = "its bases depend on the whole table"

    def axes(self, shape: tuple[int, ...]) -> list[int]:
        """Return the axes that have a basis."""
        if len(shape) < (1 if self.bases_of_vectors else 2) or 0 in shape:
            return []
        return [axis for axis, size in enumerate(shape) if size <= self.largest_axis]

    def slots(self, variable: Any) -> dict[str, Slot]:
        shape = tuple(variable.shape)
        slots = {"momentum": Slot(), "velocity": Slot()}
        for axis in self.axes(shape):
            square = Slot(shape=(shape[axis], shape[axis]), by_rows=False, exact=True)
            slots |= {f"factor_{axis}": square, f"basis_{axis}": square}
        return slots

    def derive(self, h: Values) -> dict[str, Any]:
        # The first step does not count as one of Adam's.
        steps = h.t - 1
        rate = h.learning_rate
        if self.correct_bias:
            count = maximum(steps, 1.0)
            root = ops.sqrt(bias_correction(h.one_minus_beta_2, count))
            rate = rate * root / bias_correction(h.one_minus_beta_1, count)
        moves = ops.cast(steps > 0, h.t.dtype)
        has_own = self.uses("shampoo_beta")
        is_due = ops.equal(ops.mod(steps, self.period), 0)
        return {
            "rate": rate * moves,
            "decay_rate": h.learning_rate * moves,
            "m_share": h.one_minus_beta_1 * moves,
            "v_share": h.one_minus_beta_2 * moves,
            "factor_share": h.one_minus_shampoo_beta if has_own else h.one_minus_beta_2,
            "is_first": ops.equal(steps, 0),
            "is_due": ops.logical_and(steps > 0, is_due),
        }

    def step(self, g: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        axes = self.axes(h.shape)
        turned = self.turned(g, s, axes)
        m = s.momentum + (turned - s.momentum) * h.m_share
        v = s.velocity + (ops.square(turned) - s.velocity) * h.v_share
        u = self.turned_back(m / (ops.sqrt(v) + h.epsilon), s, axes)
        if self.normalize:
            u = u / (ops.sqrt(total(ops.square(u)) / max(1, u.size)) + 1e-30)
        step = h.rate * u
        if h.decay is not None:
            step = step + h.decay_rate * h.decay * (p - step)
        new_slots = {"momentum": m, "velocity": v}
        for axis in axes:
            factor = getattr(s, f"factor_{axis}")
            rows = along(g, axis)
            new_slots[f"factor_{axis}"] = factor + h.factor_share * (
                rows @ ops.transpose(rows) - factor
            )
        return step, new_slots

    @when(lambda h: h.is_first)
    def find_bases(self, g: Any, p: Any, s: Values, h: Values) -> dict[str, Any]:
        """Return the eigenvectors of each factor, by decreasing eigenvalue."""
        found = {}
        for axis in self.axes(h.shape):
            _, vectors = ops.eigh(getattr(s, f"factor_{axis}"))
            found[f"basis_{axis}"] = ops.flip(vectors, 1)
        return found

    @when(lambda h: h.is_due)
    def turn_bases(self, g: Any, p: Any, s: Values, h: Values) -> dict[str, Any]:
        """Update each basis by one step of orthogonal iteration, and carry m and v over."""
        axes = self.axes(h.shape)
        m, v, bases = self.turned_back(s.momentum, s, axes), s.velocity, {}
        for axis in axes:
            factor, basis = getattr(s, f"factor_{axis}"), getattr(s, f"basis_{axis}")
            values = ops.sum(basis * (factor @ basis), axis=0)
            order = ops.argsort(-values)
            v = ops.take(v, order, axis=axis)
            bases[f"basis_{axis}"], _ = ops.qr(factor @ ops.take(basis, order, axis=1))
        m = self.turned(m, Values(**bases), axes)
        return {"momentum": m, "velocity": v, **bases}

    def turned(self, x: Any, s: Values, axes: list[int]) -> Any:
        """Return x in the coordinates of the bases."""
        for axis in axes:
            x = across(x, getattr(s, f"basis_{axis}"), axis)
        return x

    def turned_back(self, x: Any, s: Values, axes: list[int]) -> Any:
        """Return x in the coordinates of the parameter."""
        for axis in axes:
            x = across(x, ops.transpose(getattr(s, f"basis_{axis}")), axis)
        return x


def along(x: Any, axis: int) -> Any:
    """Return x as a matrix with one row for each index along an axis."""
    return ops.reshape(ops.moveaxis(x, axis, 0), (x.shape[axis], -1))


def across(x: Any, matrix: Any, axis: int) -> Any:
    """Multiply each vector along an axis of x by a square matrix from the right."""
    x = ops.moveaxis(x, axis, -1)
    return ops.moveaxis(ops.reshape(ops.reshape(x, (-1, x.shape[-1])) @ matrix, x.shape), -1, axis)
