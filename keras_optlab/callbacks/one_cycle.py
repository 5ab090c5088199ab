"""1cycle: the learning rate rises and falls once during training, momentum does the reverse."""

from typing import Any, final

import keras

from keras_optlab.arguments.declaration import Declared, argument
from keras_optlab.arguments.domain import (
    DECAY_RATE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Integer,
    Optional,
)
from keras_optlab.arguments.hyperparameter import LearningRateSchedule
from keras_optlab.arguments.schedule import Schedule
from keras_optlab.callbacks.counterpart import counterpart, suggestion
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.keras_glue.hooks import watch_fit
from keras_optlab.keras_glue.types import Callback, to_numpy
from keras_optlab.loops import training_hooks
from keras_optlab.schedules.one_cycle import ANNEAL, OneCycleLearningRate, OneCycleMomentum

# Hyperparameters cycled as momentum: the first of these that an optimizer has.
MOMENTUM_NAMES = ("momentum", "beta_1")


@final
class OneCycle(Declared, Callback):
    r"""The 1cycle policy: the learning rate rises and falls once, momentum falls and rises.

    With N = `total_steps`, p = `pct_start`, η₁ = `max_learning_rate`, η₀ = η₁ / `div_factor`,
    η₂ = η₀ / `final_div_factor`, β₁ = `max_momentum`, β₀ = `base_momentum`:

        phase               updates                       learning rate    momentum
        1                   0 .. pN - 1                   η₀ to η₁         β₁ to β₀
        2 (two phases)      pN - 1 .. N - 1               η₁ to η₂         β₀ to β₁
        2 (three phases)    pN - 1 .. 2pN - 2             η₁ to η₀         β₀ to β₁
        3 (three phases)    2pN - 2 .. N - 1              η₀ to η₂         β₁

    Momentum is the optimizer's `momentum` (`SGD`, `RMSprop`, `Muon`), or else its `beta_1` (the
    Adam family). A momentum set by a `ParameterGroup` is left unchanged. Steps are updates:
    with `gradient_accumulation_steps=k`, one update takes k batches. After the cycle, the last
    values stay in effect.

    While `fit` runs, the optimizer holds the values of the cycle, as with Keras'
    `LearningRateScheduler`: other callbacks see them, and files saved in the meantime contain
    them. When `fit` ends, even with an error, the optimizer gets your original values back.

    `fit` starts at the update that follows `initial_epoch` full epochs, and so does a run resumed
    by `BackupAndRestore`. With `total_steps`, further `fit` calls with the same callback and
    optimizer continue where the last one stopped; without it, each call is a new cycle.

    A built-in Keras optimizer compiles its momentum into the step as a constant, so setting it
    would be silently ignored. Use `cycle_momentum=False` with such an optimizer.

    Args:
        max_learning_rate: Float >= 0, η₁.
        total_steps: Integer >= 1, N, or None for the updates of the `fit` call, which must then
            know how many batches an epoch has. Defaults to `None`.
        pct_start: Float in [0, 1], p: the fraction of updates during which the learning rate
            rises. Defaults to `0.3`.
        anneal: `"cosine"` or `"linear"`, the shape of the curve between two values. Defaults to
            `"cosine"`.
        cycle_momentum: Boolean, whether to cycle momentum too. Defaults to `True`.
        base_momentum: Float in [0, 1), β₀. Defaults to `0.85`.
        max_momentum: Float in [0, 1), β₁. Defaults to `0.95`.
        div_factor: Float > 0, η₁ / η₀. Defaults to `25.0`.
        final_div_factor: Float > 0, η₀ / η₂. Defaults to `1e4`.
        three_phase: Boolean, whether the learning rate falls to η₀ as fast as it rose and only
            then to η₂, as in the paper. Defaults to `False`.

    All defaults are those of PyTorch's `OneCycleLR`.

    Attributes:
        history: Dict of two lists, `"learning_rate"` and `"momentum"`: the values used by each
            update of the current cycle (`"momentum"` stays empty with `cycle_momentum=False`).
            The last values of each epoch are added to the logs, and so to `fit`'s `History`. If
            the model's `steps_per_execution` is above 1, all updates of an execution use, and
            list, the values of its first update.

    Raises:
        ValueError: For an argument outside its range; when training begins, if the optimizer has
            no momentum that can be cycled or no learning rate that can be set, or if the length
            of the cycle is unknown.
        TypeError: For an argument of another type.

    Sources: Smith & Topin, 2018, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates"; the values are those of `torch.optim.lr_scheduler.OneCycleLR`.

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.compile(keras_optlab.optimizers.SGD(momentum=0.9), loss="mse")
    >>> one_cycle = keras_optlab.callbacks.OneCycle(0.1, anneal="linear")
    >>> data = keras.ops.ones((20, 1))
    >>> _ = model.fit(data, data, batch_size=4, epochs=2, verbose=0, callbacks=[one_cycle])
    >>> [round(value, 4) for value in one_cycle.history["learning_rate"]]
    [0.004, 0.052, 0.1, 0.0857, 0.0714, 0.0571, 0.0429, 0.0286, 0.0143, 0.0]
    >>> [round(value, 4) for value in one_cycle.history["momentum"]]
    [0.95, 0.9, 0.85, 0.8643, 0.8786, 0.8929, 0.9071, 0.9214, 0.9357, 0.95]
    """

    max_learning_rate: float = argument(NON_NEGATIVE)
    total_steps: int | None = argument(Optional(Integer(low=1)), default=None)
    pct_start: float = argument(FRACTION, default=0.3)
    anneal: str = argument(ANNEAL, default="cosine")
    cycle_momentum: bool = argument(Boolean(), default=True)
    base_momentum: float = argument(DECAY_RATE, default=0.85)
    max_momentum: float = argument(DECAY_RATE, default=0.95)
    div_factor: float = argument(POSITIVE, default=25.0)
    final_div_factor: float = argument(POSITIVE, default=1e4)
    three_phase: bool = argument(Boolean(), default=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for name, value in self.bind(args, kwargs).items():
            setattr(self, name, value)
        self.history: dict[str, list[float]] = {"learning_rate": [], "momentum": []}
        self.optimizer: Any = None
        # Updates done in the cycle, and batches accumulated towards the next one.
        self.update = 0
        self.accumulated = 0
        # The user's values, by attribute; the values used by the current execution, by history
        # key; and the number of batches in that execution.
        self.own: dict[str, float] = {}
        self.used: dict[str, float] = {}
        self.batches = 0
        training_hooks.install("fit", lambda: watch_fit(give_back_after_fit))

    # The callback

    def set_model(self, model: keras.Model) -> None:
        """Save the user's values now: a callback that resumes a run may set others right after."""
        super().set_model(model)
        optimizer = inner_optimizer(model)
        # No optimizer, or several learning rates: rejected when training begins.
        if optimizer is None or hasattr(optimizer, "optimizers"):
            self.own = {}
            return
        names = [name for name in ("learning_rate", *MOMENTUM_NAMES) if hasattr(optimizer, name)]
        self.own = {name: value_of(optimizer, name) for name in names}

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the optimizer and lay out the cycle."""
        optimizer = inner_optimizer(self.model)
        check_learning_rate(optimizer)
        shape = {"pct_start": self.pct_start, "anneal": self.anneal}
        shape |= {"total_steps": self.length(optimizer), "three_phase": self.three_phase}
        # For each history key, the attribute of the optimizer to cycle and its schedule.
        rate = OneCycleLearningRate(
            self.max_learning_rate,
            div_factor=self.div_factor,
            final_div_factor=self.final_div_factor,
            **shape,
        )
        self.cycled: dict[str, tuple[str, Schedule]] = {"learning_rate": ("learning_rate", rate)}
        if self.cycle_momentum:
            momentum = OneCycleMomentum(
                base_momentum=self.base_momentum, max_momentum=self.max_momentum, **shape
            )
            self.cycled["momentum"] = (momentum_name(optimizer), momentum)
        for attribute, _ in self.cycled.values():
            self.own.setdefault(attribute, value_of(optimizer, attribute))
        self.is_same_optimizer = optimizer is self.optimizer
        self.optimizer = optimizer
        self.is_placed = False
        running[id(self.model)] = self

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Find the position in the cycle, in the first epoch only."""
        if not self.is_placed:
            self.place(epoch)
            self.is_placed = True

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the values for the next update."""
        steps = self.params.get("steps")
        # On JAX, reading `self.model` syncs all variables, which can only then be set.
        self.batches = self.model.steps_per_execution
        if steps:
            self.batches = min(self.batches, steps - batch)
        self.used = {key: schedule.at(self.update) for key, (_, schedule) in self.cycled.items()}
        values = {self.cycled[key][0]: value for key, value in self.used.items()}
        assign(self.optimizer, values)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Count the updates, and record the values they used."""
        every = accumulation(self.optimizer)
        updates, self.accumulated = divmod(self.accumulated + self.batches, every)
        self.update += updates
        for key, value in self.used.items():
            self.history[key] += [value] * updates

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the last values to the logs."""
        if logs is not None:
            logs |= {key: used[-1] for key, used in self.history.items() if used}

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the user's values in the optimizer."""
        self.give_back()

    def give_back(self) -> None:
        """Restore the user's values in the optimizer; also called after a failed `fit`."""
        running.pop(id(self.model), None)
        names = {attribute for attribute, _ in self.cycled.values()}
        assign(self.optimizer, {name: self.own[name] for name in names})

    # The cycle

    def length(self, optimizer: Any) -> int:
        """Return the number of updates in a whole cycle."""
        if self.total_steps is not None:
            return self.total_steps
        if not self.params.get("steps"):
            raise ValueError(
                "OneCycle needs the number of steps in the cycle, but `fit` does not know how many "
                "steps an epoch has. Received: total_steps=None, "
                f"epochs={self.params['epochs']}. Give `total_steps` to OneCycle, or "
                "`steps_per_epoch` to `fit`."
            )
        return max(1, self.params["epochs"] * self.params["steps"] // accumulation(optimizer))

    def place(self, epoch: int) -> None:
        """Find the position in the cycle of a `fit` call that starts with `epoch`."""
        if epoch and not self.params.get("steps"):
            raise ValueError(
                "OneCycle cannot tell how many steps precede the initial epoch, since `fit` does "
                f"not know how many steps an epoch has. Received: initial epoch {epoch}. Give "
                "`steps_per_epoch` to `fit`."
            )
        every = accumulation(self.optimizer)
        update = epoch * self.params["steps"] // every if epoch else 0
        goes_on = self.total_steps is not None and self.is_same_optimizer
        if not (goes_on and (epoch == 0 or update == self.update)):
            self.update = update
            self.history = {"learning_rate": [], "momentum": []}
        # The first variable of an optimizer counts batches.
        self.accumulated = int(to_numpy(self.optimizer.variables[0])) % every


# The callback of each model that is currently being trained with one, by the model's `id`.
running: dict[int, OneCycle] = {}


def give_back_after_fit(model: keras.Model) -> None:
    """Restore the user's values after a `fit` that failed before `on_train_end`."""
    if id(model) in running:
        running[id(model)].give_back()


def inner_optimizer(model: keras.Model) -> Any:
    """Return the optimizer of a model, without any `LossScaleOptimizer` around it."""
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def accumulation(optimizer: Any) -> int:
    """Return the number of batches per update."""
    return optimizer.gradient_accumulation_steps or 1


def value_of(optimizer: Any, name: str) -> Any:
    """Return a hyperparameter of an optimizer, as a number if it is a variable."""
    value = getattr(optimizer, name)
    is_variable = isinstance(value, keras.Variable)
    return float(to_numpy(value)) if is_variable else value


def check_learning_rate(optimizer: Any) -> None:
    """Raise a `ValueError` if the learning rate cannot be set to a number."""
    if optimizer is None:
        raise ValueError(
            "OneCycle needs an optimizer. Received: a model compiled with optimizer=None. Compile "
            "it with an optimizer, or leave OneCycle out."
        )
    if hasattr(optimizer, "optimizers"):
        raise ValueError(
            "OneCycle needs an optimizer with one learning rate. Received: "
            f"{type(optimizer).__name__}, which has one for each of its optimizers. Use an "
            "optimizer of keras_optlab.optimizers with `groups=[ParameterGroup(...)]`."
        )
    if not isinstance(optimizer.learning_rate, keras.Variable):
        raise ValueError(
            f"OneCycle sets the learning rate, which in this {type(optimizer).__name__} is a "
            "schedule or a function. Give a number to the optimizer (OneCycle will not use it), "
            "or leave OneCycle out."
        )


def momentum_name(optimizer: Any) -> str:
    """Return the hyperparameter to cycle, or raise a `ValueError` that says why there is none."""
    kind = type(optimizer).__name__
    ours = counterpart(optimizer)
    names = ours.hyperparameters() if ours else ("momentum",)
    name = next((name for name in MOMENTUM_NAMES if name in names), None)
    if name is None:
        raise ValueError(
            f"{kind} has neither `momentum` nor `beta_1`, so OneCycle cannot cycle its "
            "momentum. Received: cycle_momentum=True. Give `cycle_momentum=False` to OneCycle."
        )
    if not isinstance(optimizer, Optimizer):
        raise ValueError(
            f"Keras compiles the momentum of its {kind} into the training step as a constant, so "
            "cycling it would be silently ignored. Received: cycle_momentum=True. "
            f"Use {suggestion(optimizer)}, or give `cycle_momentum=False` to OneCycle."
        )
    if isinstance(getattr(optimizer, name), LearningRateSchedule):
        raise ValueError(
            f"OneCycle sets `{name}`, which in this {kind} is a schedule. Received: "
            f"{name}={getattr(optimizer, name)!r}. Give a number to {kind}, or "
            "`cycle_momentum=False` to OneCycle."
        )
    if not optimizer.uses(name):
        raise ValueError(
            f"This {kind} has no momentum that OneCycle could cycle. Received: "
            f"{name}={getattr(optimizer, name)}. Give another value to {kind} (OneCycle will not "
            f"use it), such as {name}=0.9, or `cycle_momentum=False` to OneCycle."
        )
    return name


def assign(optimizer: Any, values: dict[str, float]) -> None:
    """Set attributes of an optimizer."""
    for name, value in values.items():
        setattr(optimizer, name, value)
