"""Lookahead."""

from typing import Any, final

from keras import ops

from keras_optlab.transforms.base import (
    Boolean,
    Integer,
    Real,
    Scope,
    Slot,
    Transform,
    Values,
    argument,
)


@final
class Lookahead(Transform):
    r"""Slow weights that move part of the way to the fast weights every few steps.

    In every k-th step, after the algorithm's update of the fast weights θ:

        φ ← φ + α (θ − φ)
        θ ← φ

    φ starts at the initial weights. The algorithm's slots are left unchanged.

    Args:
        period: Integer >= 1, k. Defaults to `5`, as in the authors' code.
        slow_step: Float in (0, 1], α. Defaults to `0.8`, as in the authors' code; the paper also
            uses 0.5.
        evaluate_slow_weights: Boolean, whether to evaluate and save the model with φ instead of θ;
            `fit`, `evaluate` and `predict` take care of it. Defaults to `False`.

    Source: Zhang et al., 2019, "Lookahead optimizer: k steps forward, 1 step back".

    Example:

    >>> optimizer = keras_optlab.optimizers.Adam(
    ...     1e-3, transforms=[keras_optlab.transforms.Lookahead(period=6, slow_step=0.5)])
    """

    period: int = argument(Integer(1), default=5)
    slow_step: float = argument(Real(0.0, 1.0, open_low=True), default=0.8)
    evaluate_slow_weights: bool = argument(Boolean(), default=False)

    scope = Scope.ELEMENT

    @property
    def evaluates_elsewhere(self) -> bool:
        return self.evaluate_slow_weights

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"slow_weights": Slot(initial=lambda variable: variable, exact=True)}

    def derive(self, h: Values) -> dict[str, Any]:
        return {"is_due": ops.equal(ops.mod(h.age, self.period), 0)}

    def parameter(self, new: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        slow = s.slow_weights + self.slow_step * (new - s.slow_weights)
        slow = ops.where(h.is_due, slow, s.slow_weights)
        return ops.where(h.is_due, slow, new), {"slow_weights": slow}

    def evaluation_point(self, p: Any, s: Values, h: Values) -> Any:
        return s.slow_weights
