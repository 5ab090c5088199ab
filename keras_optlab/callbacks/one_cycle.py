"""1cycle: one rise and fall of the learning rate over a training, momentum the other way."""

from collections.abc import Callable
from typing import Any, final

import keras
from keras import ops

from keras_optlab.callbacks.counterpart import counterpart, suggestion
from keras_optlab.engine import backend
from keras_optlab.engine.declaration import Declared, argument
from keras_optlab.engine.domain import (
    DECAY_RATE,
    FRACTION,
    NON_NEGATIVE,
    POSITIVE,
    Boolean,
    Integer,
    Optional,
)
from keras_optlab.engine.hyperparameter import LearningRateSchedule
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.schedules.one_cycle import ANNEAL, OneCycleLearningRate, OneCycleMomentum


@final
class OneCycle(Declared, keras.callbacks.Callback):
    r"""The 1cycle policy: the learning rate rises and falls once, momentum falls and rises.

    With N = `total_steps`, p = `pct_start`, η₁ = `max_learning_rate`, η₀ = η₁ / `div_factor`,
    η₂ = η₀ / `final_div_factor`, β₁ = `max_momentum`, β₀ = `base_momentum`:

        phase               updates                       learning rate    momentum
        1                   0 .. pN - 1                   η₀ to η₁         β₁ to β₀
        2 (two phases)      pN - 1 .. N - 1               η₁ to η₂         β₀ to β₁
        2 (three phases)    pN - 1 .. 2pN - 2             η₁ to η₀         β₀ to β₁
        3 (three phases)    2pN - 2 .. N - 1              η₀ to η₂         β₁

    Momentum is the optimizer's `momentum` (`SGD`, `RMSprop`, `Muon`) or else its `beta_1` (the
    Adam family); the momentum of a `ParameterGroup` that sets its own stays. Steps are updates:
    with `gradient_accumulation_steps=k` there is one in k batches. After the cycle the last
    values hold.

    The values are in the optimizer only while a batch is trained. Between batches, after
    training, and if training is interrupted by whatever, it holds those that you gave it; so
    does every file saved meanwhile.

    Which update comes next: `fit` begins at `initial_epoch` times the steps of an epoch, where
    `BackupAndRestore` takes up a run too. With `total_steps`, further `fit` calls with the same
    callback and optimizer go on where the last one stopped; without, each is a cycle of its own.

    A built-in Keras optimizer compiles its momentum into the step as a constant, so setting it
    would be ignored without a word. For one of these the callback needs `cycle_momentum=False`.

    Args:
        max_learning_rate: Float >= 0, η₁.
        total_steps: Integer >= 1, N, or None for the updates of the `fit` call, which has to
            know how many batches an epoch has. Defaults to `None`.
        pct_start: Float in [0, 1], p: the fraction of the updates in which the learning rate
            rises. Defaults to `0.3`.
        anneal: `"cosine"` or `"linear"`, the way from one value to the next. Defaults to
            `"cosine"`.
        cycle_momentum: Boolean. Defaults to `True`.
        base_momentum: Float in [0, 1), β₀. Defaults to `0.85`.
        max_momentum: Float in [0, 1), β₁. Defaults to `0.95`.
        div_factor: Float > 0, η₁ / η₀. Defaults to `25.0`.
        final_div_factor: Float > 0, η₀ / η₂. Defaults to `1e4`.
        three_phase: Boolean, whether the learning rate comes down to η₀ as fast as it rose and
            only then to η₂, as in the paper. Defaults to `False`.

    All defaults are those of PyTorch's `OneCycleLR`.

    Attributes:
        history: Dict of two lists, `"learning_rate"` and `"momentum"`: what each update of the
            present cycle used (`"momentum"` stays empty with `cycle_momentum=False`). The last
            values of an epoch stand in the logs, and so in `fit`'s `History`. With the model's
            `steps_per_execution` above 1, all updates of an execution use, and list, the values
            of its first.

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
        self.optimizer = None
        # Updates done in the cycle, and batches accumulated towards the next one.
        self.update = 0
        self.accumulated = 0

    # The callback

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Check the optimizer and lay out the cycle."""
        model = self.model
        optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        check_learning_rate(optimizer)
        shape = {"pct_start": self.pct_start, "anneal": self.anneal}
        shape |= {"total_steps": self.length(optimizer), "three_phase": self.three_phase}
        # What is cycled: for each key of the history the optimizer's attribute and its schedule.
        rate = OneCycleLearningRate(
            self.max_learning_rate,
            div_factor=self.div_factor,
            final_div_factor=self.final_div_factor,
            **shape,
        )
        self.cycled = {"learning_rate": ("learning_rate", rate)}
        if self.cycle_momentum:
            momentum = OneCycleMomentum(
                base_momentum=self.base_momentum, max_momentum=self.max_momentum, **shape
            )
            self.cycled["momentum"] = (momentum_name(optimizer), momentum)
        self.is_same_optimizer = optimizer is self.optimizer
        self.optimizer = optimizer
        self.is_placed = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the user's values, and in the first epoch the place in the cycle."""
        # On JAX, `self.model` brings all variables up to date: too much to do at every batch.
        self.trained_model = self.model
        if not self.is_placed:
            self.place(epoch)
            self.is_placed = True
        self.own = {"learning_rate": float(ops.convert_to_numpy(self.optimizer.learning_rate))}
        if self.cycle_momentum:
            name, _ = self.cycled["momentum"]
            self.own[name] = getattr(self.optimizer, name)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Have the next call of the train function made with the values of the cycle."""
        model, steps = self.trained_model, self.params.get("steps")
        train_function = model.train_function
        fit = getattr(model, "history", None)
        batches = model.steps_per_execution
        if steps:
            batches = min(batches, steps - batch)

        def once(*arguments: Any) -> Any:
            model.train_function = train_function
            # If another callback has stopped the `fit` that this was made for, it is not for the
            # next one.
            if getattr(model, "history", None) is not fit:
                return train_function(*arguments)
            return self.train(train_function, arguments, batches)

        model.train_function = once

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Put the last values into the logs."""
        if logs is not None:
            logs |= {key: used[-1] for key, used in self.history.items() if used}

    # The cycle

    def length(self, optimizer: Any) -> int:
        """The updates of a whole cycle."""
        if self.total_steps is not None:
            return self.total_steps
        if not self.params.get("steps"):
            raise ValueError(
                "OneCycle has to know how many steps the cycle has, and `fit` does not know how "
                f"many an epoch has. Received: total_steps=None, epochs={self.params['epochs']}. "
                "Give `total_steps` to OneCycle, or `steps_per_epoch` to `fit`."
            )
        return max(1, self.params["epochs"] * self.params["steps"] // accumulation(optimizer))

    def place(self, epoch: int) -> None:
        """Find the place in the cycle at which a `fit` call that begins with an epoch stands."""
        if epoch and not self.params.get("steps"):
            raise ValueError(
                "OneCycle cannot tell how many steps were taken before an epoch if `fit` does "
                f"not know how many an epoch has. Received: initial epoch {epoch}. Give "
                "`steps_per_epoch` to `fit`."
            )
        every = accumulation(self.optimizer)
        update = epoch * self.params["steps"] // every if epoch else 0
        goes_on = self.total_steps is not None and self.is_same_optimizer
        if not (goes_on and (epoch == 0 or update == self.update)):
            self.update = update
            self.history = {"learning_rate": [], "momentum": []}
        # The first variable of an optimizer counts batches.
        self.accumulated = int(ops.convert_to_numpy(self.optimizer.variables[0])) % every

    def train(self, train_function: Callable, arguments: tuple, batches: int) -> Any:
        """Call the train function with the values of the cycle, and count the updates."""
        used = {key: schedule.at(self.update) for key, (_, schedule) in self.cycled.items()}
        values = {self.cycled[key][0]: value for key, value in used.items()}
        call = call_on_state if backend.STEP_SEES_ONLY_ITS_VARIABLES else call_on_variables
        result = call(
            train_function,
            arguments,
            self.trained_model.optimizer,
            lambda: assign(self.optimizer, values),
            lambda: assign(self.optimizer, self.own),
        )
        every = accumulation(self.optimizer)
        updates, self.accumulated = divmod(self.accumulated + batches, every)
        self.update += updates
        for key, value in used.items():
            self.history[key] += [value] * updates
        return result


def accumulation(optimizer: Any) -> int:
    """The number of batches in an update."""
    return optimizer.gradient_accumulation_steps or 1


def check_learning_rate(optimizer: Any) -> None:
    """Raise a `ValueError` where the learning rate cannot be set to a number."""
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
    """The hyperparameter that is cycled, or a `ValueError` that says why there is none."""
    kind = type(optimizer).__name__
    ours = counterpart(optimizer)
    names = ours.hyperparameters() if ours else ("momentum",)
    name = next((name for name in ("momentum", "beta_1") if name in names), None)
    if name is None:
        raise ValueError(
            f"{kind} has neither `momentum` nor `beta_1`, so that OneCycle cannot cycle its "
            "momentum. Received: cycle_momentum=True. Give `cycle_momentum=False` to OneCycle."
        )
    if not isinstance(optimizer, Optimizer):
        raise ValueError(
            f"Keras compiles the momentum of its {kind} into the training step as a constant, so "
            "that a cycle of it would be ignored without a word. Received: cycle_momentum=True. "
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


def call_on_variables(
    train_function: Callable,
    arguments: tuple,
    optimizer: Any,
    take: Callable[[], None],
    give_back: Callable[[], None],
) -> Any:
    """Call a train function that reads variables, and undo `take` whatever comes of it."""
    try:
        take()
        return train_function(*arguments)
    finally:
        give_back()


def call_on_state(
    train_function: Callable,
    arguments: tuple,
    optimizer: Any,
    take: Callable[[], None],
    give_back: Callable[[], None],
) -> Any:
    """Call a train function that gets the variables' values as an argument and returns them.

    This is how Keras trains on JAX: (state, data) to (logs, state), where the state is four lists,
    the third of them the values of `optimizer.variables`.
    """

    def after(assignment: Callable[[], None], state: tuple) -> tuple:
        with keras.StatelessScope() as scope:
            assignment()
        trainable, non_trainable, old, metrics = state
        new = [scope.get_current_value(variable) for variable in optimizer.variables]
        new = [before if now is None else now for before, now in zip(old, new, strict=True)]
        return trainable, non_trainable, new, metrics

    state, data = arguments
    try:
        logs, state = train_function(after(take, state), data)
    finally:
        # Numbers that an optimizer keeps beside its variables go back in any case.
        state = after(give_back, state)
    return logs, state
