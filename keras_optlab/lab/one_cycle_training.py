"""Training by 1cycle in one call."""

import inspect
import warnings
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, final

import keras
import numpy as np

from keras_optlab import drawing
from keras_optlab.callbacks.one_cycle import OneCycle, check_learning_rate, momentum_name
from keras_optlab.lab.learning_rate_range import LearningRateRange
from keras_optlab.lab.range_test import find_learning_rate, single_optimizer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What of `fit`'s arguments concerns a range test too.
SHARED = ("batch_size", "sample_weight", "class_weight", "shuffle", "validation_split")


@final
@dataclass(frozen=True)
class OneCycleResult:
    """What `fit_one_cycle` did.

    Args:
        history: Keras' `History`. Its `history` has the metrics, and the last `learning_rate` and
            `momentum` of each epoch.
        learning_rates: Tuple of floats, the learning rate of each update.
        momenta: Tuple of floats, the momentum of each update; empty if it was not cycled.
        learning_rate_range: `LearningRateRange` of the range test, or None if the learning rate
            was given.
    """

    history: keras.callbacks.History
    learning_rates: tuple[float, ...]
    momenta: tuple[float, ...]
    learning_rate_range: LearningRateRange | None

    def plot(self, path: str | PathLike | None = None) -> "Figure":
        """Draw the loss of each epoch, and the learning rate and the momentum of each update.

        Args:
            path: File to write, whose ending says the format, or None. Defaults to `None`.

        Returns:
            The matplotlib `Figure`.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        figure = drawing.new_figure(3 if self.momenta else 2, height=2.2)
        losses, rates, *momenta = figure.axes
        for name, label in (("loss", "training"), ("val_loss", "validation")):
            values = self.history.history.get(name, [])
            if values:
                ends = np.linspace(0, len(self.learning_rates), len(values) + 1)[1:]
                losses.plot(ends, values, marker="o", label=label)
        losses.set_ylabel("loss")
        losses.legend(frameon=False)
        rates.plot(self.learning_rates, color=drawing.CURVE)
        rates.set_ylabel("learning rate")
        for axes in momenta:
            axes.plot(self.momenta, color=drawing.CURVE)
            axes.set_ylabel("momentum")
        figure.axes[-1].set_xlabel("update")
        drawing.save(figure, path)
        return figure


def fit_one_cycle(
    model: keras.Model,
    x: Any,
    y: Any = None,
    epochs: int = 1,
    max_learning_rate: float | None = None,
    *,
    cycle_momentum: bool | None = None,
    **arguments: Any,
) -> OneCycleResult:
    """Train a model by the 1cycle policy, and find its learning rate first if none is given.

    It is `find_learning_rate`, where needed, then `model.fit` with `callbacks.OneCycle` before
    your own callbacks.

    Args:
        model: A compiled model.
        x: Input data, as for `fit`. A generator, which cannot be rewound, needs
            `max_learning_rate`.
        y: Target data, as for `fit`. Defaults to `None`.
        epochs: Integer >= 1, as for `fit`. Defaults to `1`.
        max_learning_rate: Float >= 0, the highest rate of the cycle, or None for the
            `suggestion` of `find_learning_rate`. Defaults to `None`.
        cycle_momentum: Boolean, or None to cycle momentum where the optimizer can, and to warn
            where it cannot: a built-in optimizer of Keras compiles its momentum into the step.
            Defaults to `None`.
        **arguments: Further arguments of `OneCycle` (`pct_start`, `div_factor`, ...) and of
            `fit` (`batch_size`, `validation_data`, `callbacks`, `verbose`, ...).

    Returns:
        A `OneCycleResult`: Keras' `history`, the rates and momenta of every update, and the range
        test; `.plot()` draws them.

    Raises:
        ValueError: If the model is not compiled, its learning rate is a schedule, or as
            `find_learning_rate`, `OneCycle` and `fit` do.
        TypeError: For an argument that neither `fit` nor `OneCycle` has.

    Sources: Smith & Topin, 2018, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates"; `fit_one_cycle` of fastai.

    Example:

    >>> model.compile(keras_optlab.optimizers.Adam(), loss="mse")
    >>> result = keras_optlab.fit_one_cycle(model, x, y, epochs=3, batch_size=16, verbose=0)
    >>> len(result.learning_rates), len(result.history.history["learning_rate"])
    (12, 3)
    """
    optimizer = single_optimizer(model, "fit_one_cycle")
    check_learning_rate(optimizer)
    cycle_arguments, fit_arguments = sort_arguments(model, arguments)
    if cycle_momentum is None:
        cycle_momentum = can_cycle_momentum(optimizer)
    # Wrong arguments are to be seen before the search for a rate.
    cycle_arguments["cycle_momentum"] = cycle_momentum
    OneCycle(1.0 if max_learning_rate is None else max_learning_rate, **cycle_arguments)
    found = None
    if max_learning_rate is None:
        shared = {name: fit_arguments[name] for name in SHARED if name in fit_arguments}
        found = find_learning_rate(model, x, y, **shared)
        max_learning_rate = found.suggestion
    one_cycle = OneCycle(max_learning_rate, **cycle_arguments)
    history = model.fit(
        x,
        y,
        epochs=epochs,
        callbacks=[one_cycle, *keras.tree.flatten(fit_arguments.pop("callbacks", None) or [])],
        **fit_arguments,
    )
    return OneCycleResult(
        history=history,
        learning_rates=tuple(one_cycle.history["learning_rate"]),
        momenta=tuple(one_cycle.history["momentum"]),
        learning_rate_range=found,
    )


def sort_arguments(
    model: keras.Model, arguments: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of `OneCycle` and those of `fit`."""
    cycle = {name: arguments[name] for name in arguments if name in OneCycle.declared_arguments}
    fit = {name: arguments[name] for name in arguments if name not in cycle}
    taken = inspect.signature(model.fit).parameters.values()
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in taken)
    unknown = set() if takes_any else set(fit) - {each.name for each in taken}
    if unknown:
        raise TypeError(
            "fit_one_cycle takes the arguments of OneCycle and of `fit`. Received: "
            f"{', '.join(sorted(unknown))}, which neither has."
        )
    return cycle, fit


def can_cycle_momentum(optimizer: keras.optimizers.Optimizer) -> bool:
    """Whether the optimizer has a momentum that can be cycled; a warning says why not."""
    try:
        momentum_name(optimizer)
    except ValueError as reason:
        warnings.warn(
            f"fit_one_cycle cycles the learning rate without momentum. {reason}", stacklevel=3
        )
        return False
    return True
