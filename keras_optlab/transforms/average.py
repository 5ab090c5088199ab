"""Averages of the weights: stochastic weight averaging and moving averages."""

from typing import Any, final

from keras import ops

from keras_optlab.transforms.base import (
    FRACTION,
    POSITIVE,
    Integer,
    Optional,
    Scope,
    Slot,
    Transform,
    Values,
    argument,
    maximum,
    minimum,
)


@final
class Average(Transform):
    r"""Average of the weights, used to evaluate and save the model.

    In every k-th step after the first n₀, the average a is updated with the new weights θ:

        a ← a + (θ − a) / (n + 1)                  (SWA: the mean of the n weights before and θ)
        a ← a + (1 − β) (θ − a)                    (with `decay` β; the first time a = θ)
        β = min(decay, max(β₀, 1 − (1 + (t − n₀) / γ)⁻ᵖ))    (with `warmup_scale` γ as well)

    Training continues at θ. `fit`, `evaluate` and `predict` switch between θ and a; a custom loop
    calls `optimizer.to_evaluation_point()` and `to_training_point()`. Before the start, the model
    is evaluated at θ, or with `warmup_scale` at the last copy of θ.

    Batch normalization statistics belong to θ. After SWA, run the data through the model once more
    with `training=True`.

    Args:
        decay: Float in [0, 1], β, or None for a plain mean (SWA). Defaults to `None`.
        start: Integer >= 0, n₀. Defaults to `0`.
        period: Integer >= 1, k, counted from the start; with `warmup_scale` from the first step.
            Defaults to `1`.
        warmup_scale: Float > 0 or None, γ: the larger, the more slowly β rises (`inv_gamma` of
            ema-pytorch). If given, the average is a copy of θ before the start. Defaults to `None`.
        warmup_power: Float > 0, p. Defaults to `2/3`, as in ema-pytorch.
        smallest_decay: Float in [0, 1], β₀. Defaults to `0.0`.

    Raises:
        ValueError: If `warmup_scale` is given without `decay`.

    Sources: Izmailov et al., 2018, "Averaging weights leads to wider optima"; Polyak & Juditsky,
    1992; the warm-up is that of ema-pytorch (Crowson).

    Example:

    >>> optimizer = keras_optlab.optimizers.SGD(
    ...     0.1, momentum=0.9, transforms=[keras_optlab.transforms.Average(start=1000)])
    """

    decay: float | None = argument(Optional(FRACTION), default=None)
    start: int = argument(Integer(0), default=0)
    period: int = argument(Integer(1), default=1)
    warmup_scale: float | None = argument(Optional(POSITIVE), default=None)
    warmup_power: float = argument(POSITIVE, default=2 / 3)
    smallest_decay: float = argument(FRACTION, default=0.0)

    scope = Scope.ELEMENT

    def validate(self) -> None:
        if self.warmup_scale is not None and self.decay is None:
            raise ValueError(
                "`warmup_scale` requires `decay`. Received: warmup_scale="
                f"{self.warmup_scale} and decay=None. Set `decay`, or remove `warmup_scale`."
            )

    def slots(self, variable: Any) -> dict[str, Slot]:
        return {"mean": Slot(initial=lambda variable: variable, exact=True)}

    def derive(self, h: Values) -> dict[str, Any]:
        # Steps since the start; negative before it.
        since = h.age - 1 - self.start
        if self.warmup_scale is not None:
            rise = 1 - (1 + maximum(since, 0.0) / self.warmup_scale) ** -self.warmup_power
            beta = minimum(maximum(rise, self.smallest_decay), self.decay)
            share = ops.where(since > 0, 1 - beta, ops.ones_like(beta))
            is_due = ops.equal(ops.mod(h.age - 1, self.period), 0)
        else:
            share = 1 / (maximum(since, 0.0) // self.period + 1)
            if self.decay is not None:
                share = ops.where(since > 0, (1 - self.decay) * ops.ones_like(share), share)
            is_due = ops.logical_and(since >= 0, ops.equal(ops.mod(since, self.period), 0))
        return {"share": ops.where(is_due, share, ops.zeros_like(share)), "since": since}

    def parameter(self, new: Any, p: Any, s: Values, h: Values) -> tuple[Any, dict[str, Any]]:
        return new, {"mean": s.mean + h.share * (new - s.mean)}

    def evaluation_point(self, p: Any, s: Values, h: Values) -> Any:
        # Without a warm-up, nothing is copied before the start.
        return s.mean if self.warmup_scale is not None else ops.where(h.since >= 0, s.mean, p)
