"""Adam with decoupled weight decay."""

from typing import Any, final

from keras_optlab.optimizers.adam import Adam
from keras_optlab.optimizers.base import (
    DECAY_RATE,
    NON_NEGATIVE,
    Boolean,
    Choice,
    Optimizer,
    Scope,
    Section,
    hyperparameter,
    learning_rate,
    option,
)


@final
class AdamW(Optimizer):
    r"""Adam with decoupled weight decay.

        θ ← θ − η λ θ,  then Adam

    All weights decay at the same rate. With `decoupled_weight_decay=False` (L2 regularization),
    the decay is part of the gradient and divided by √v like the rest of it, so weights with large
    gradients decay less. For SGD, the two are the same.

    Args:
        learning_rate: Float >= 0, a `LearningRateSchedule`, or a callable without arguments.
            Defaults to `0.001`.
        weight_decay: Float >= 0 or a schedule, λ. Defaults to `0.004`, as in Keras.
        beta_1: Float in [0, 1) or a schedule, decay rate of m. Defaults to `0.9`.
        beta_2: Float in [0, 1) or a schedule, decay rate of v. Defaults to `0.999`.
        epsilon: Float >= 0 or a schedule. Defaults to `1e-7`.
        amsgrad: Boolean. Defaults to `False`.
        bias_correction: As in `Adam`. Defaults to `"epsilon_hat"`.

    Source: Loshchilov & Hutter, 2019.

    Example:

    >>> optimizer = keras_optlab.optimizers.AdamW(1e-3, weight_decay=0.05)
    >>> optimizer.exclude_from_weight_decay(var_names=["bias"])
    """

    learning_rate: float = learning_rate(0.001)
    weight_decay: Any = hyperparameter(
        0.004,
        NON_NEGATIVE,
        keras_says="Argument `weight_decay` must be a float.",
    )
    beta_1: float = hyperparameter(0.9, DECAY_RATE, complement=True)
    beta_2: float = hyperparameter(0.999, DECAY_RATE, complement=True)
    epsilon: float = hyperparameter(1e-7, NON_NEGATIVE)
    amsgrad: bool = option(False, Boolean())
    bias_correction: str = option(
        "epsilon_hat", Choice(("epsilon_hat", "algorithm_1", "none")), Section.KEYWORD_ONLY
    )

    scope = Scope.ELEMENT

    slots = Adam.slots
    derive = Adam.derive
    step = Adam.step
