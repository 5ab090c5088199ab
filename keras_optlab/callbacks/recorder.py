"""Records of each training step: rates, loss, gradient norm and size of the update."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import keras
import numpy as np

from keras_optlab import drawing
from keras_optlab.arguments.declaration import Declared, argument
from keras_optlab.arguments.domain import Choice, FilePath, Integer, Optional
from keras_optlab.arguments.hyperparameter import LearningRateSchedule, shortest
from keras_optlab.backends import backend
from keras_optlab.callbacks.record_files import CsvFile, TensorBoardFile
from keras_optlab.callbacks.step_probe import StepProbe
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.keras_glue.types import Callback, to_numpy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATIO = "update_ratio/"
MOST_NAMES = 8
FEW_DECADES = 300


@final
class Recorder(Declared, Callback):
    """Callback that records what each training step did, or every n-th step.

    For weights θ (of a layer, or of a parameter group) and gradients g of all variables:

        gradient_norm        ‖g‖ as the optimizer receives it: of the mean loss, before clipping
        update_ratio/<name>  ‖θ after the step − θ before it‖ / ‖θ before it‖
        loss                 loss of this batch alone (`fit` logs the mean of the epoch so far)
        learning_rate        value used by this step
        momentum             value used by this step: the optimizer's `momentum` or else `beta_1`
        skipped_steps        steps that the optimizer has skipped so far, if it counts them (those
                             of this package do)

    An update ratio of about 1e-3 is typical. A layer far below it learns nothing; a layer far above
    it is about to diverge.

    Gradients are those of the step itself, not computed a second time. Recorded steps run in a
    second train function, which Keras builds from the model's `train_step` and which also returns
    the norm. The steps in between run in the model's train function. On TensorFlow and JAX, each of
    the two is compiled once, so `every` above 1 costs one more compilation. This callback leaves
    the weights, logs and files of training unchanged, to the last bit. On TensorFlow without XLA
    they are equal up to rounding (1e-7 of a weight after 8 steps, with batch normalization): its
    graph optimizer may multiply in another order if a gradient is used once more.

    Cost, measured on 2 CPU cores with JAX, batches of 32 and Adam: with 3.2 million weights, a step
    takes 9.5 ms without this callback, 12.2 ms with `by=None`, and 19.4 ms with ratios. With 9,000
    weights it takes 0.32, 0.57 and 0.70 ms; with `every=10`, the last of these becomes 0.4 ms.

    Args:
        every: Integer n >= 1: every n-th step is recorded, starting with the first. Defaults to
            `1`.
        by: `"layer"` (a ratio for each layer), `"group"` (a ratio for each `ParameterGroup` of the
            optimizer, and for `"others"`), or None for no ratios. Ratios need copies of all weights
            on the host, before and after a recorded step. Defaults to `"layer"`.
        csv: Path of a CSV file to write as well, or None. An existing file is replaced when the
            callback is first used. Defaults to `None`.
        log_dir: Path of a folder to write the same curves to for TensorBoard, or None. Defaults to
            `None`.

    Attributes:
        steps: List of integers: the recorded steps, counted in batches from 0. Another `fit` of
            the same model continues the count; a `fit` of another model starts a new one.
        history: Dict from the names above to lists of floats, each as long as `steps`. There is no
            entry for momentum if the optimizer has none, nor for skipped steps if it does not count
            them. The loss is NaN if the model's `train_step` returns no `"loss"`.

    Raises:
        ValueError: For an argument outside its range; when training begins, for an optimizer
            without a single learning rate, `by="group"` without groups, `steps_per_execution`
            above 1, or several replicas; when a step is recorded, if the model's `train_step`
            does not use its optimizer.
        TypeError: For an argument of another type.
        ImportError: When training begins, if `log_dir` is given and TensorBoard is not installed.

    Source: the ratio is that of Karpathy, "CS231n: Neural Networks Part 3" (2015).

    Example:

    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, name="only")])
    >>> model.compile(keras_optlab.optimizers.SGD(0.1, momentum=0.9), loss="mse")
    >>> recorder = keras_optlab.callbacks.Recorder(every=2)
    >>> data = keras.ops.ones((20, 1))
    >>> _ = model.fit(data, data, batch_size=4, verbose=0, callbacks=[recorder])
    >>> recorder.steps
    [0, 2, 4]
    >>> list(recorder.history)
    ['learning_rate', 'momentum', 'loss', 'gradient_norm', 'skipped_steps', 'update_ratio/only']
    """

    every: int = argument(Integer(low=1), default=1)
    by: str | None = argument(Optional(Choice(("layer", "group"))), default="layer")
    csv: Path | None = argument(Optional(FilePath()), default=None)
    log_dir: Path | None = argument(Optional(FilePath()), default=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for name, value in self.bind(args, kwargs).items():
            setattr(self, name, value)
        self.steps: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.step = 0
        self.files: list[CsvFile | TensorBoardFile] = []
        self.recorded_model: Any = None

    # The callback

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Replace the model's train function with one that records."""
        model = self.model
        check(model)
        self.optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
        self.rate_names = rate_names(self.optimizer)
        self.parts = parts(model, self.optimizer, self.by)
        if model is not self.recorded_model:
            self.start_afresh(model)
        self.fit = getattr(model, "history", None)
        self.own = model.train_function
        self.probe = StepProbe(model)
        model.train_function = self.train

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Flush all files."""
        for file in self.files:
            file.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the model's train function."""
        if self.recorded_model.train_function == self.train:
            self.recorded_model.train_function = self.own

    # Recording

    def start_afresh(self, model: keras.Model) -> None:
        """Discard what was recorded of another model, and start the files."""
        names = [*self.rate_names, "loss", "gradient_norm"]
        if counts_skipped(self.optimizer):
            names.append("skipped_steps")
        names += [RATIO + name for name in self.parts]
        self.recorded_model, self.step, self.steps = model, 0, []
        self.history = {name: [] for name in names}
        self.files = [CsvFile(self.csv, names)] if self.csv else []
        self.files += [TensorBoardFile(self.log_dir)] if self.log_dir else []

    def train(self, *arguments: Any) -> Any:
        """Run the train function, and record the step if it is due; called by `fit`."""
        model = self.recorded_model
        if getattr(model, "history", None) is not self.fit:
            # The `fit` that installed this function was interrupted, and another one is running.
            model.train_function = self.own
            return self.own(*arguments)
        unrecorded = self.step % self.every
        result = self.own(*arguments) if unrecorded else self.record(arguments)
        self.step += 1
        return result

    def record(self, arguments: tuple) -> Any:
        """Train one step and record what it did."""
        before_state = arguments[0] if backend.step_sees_only_its_variables else None
        values = self.rates(before_state)
        before = self.snapshot(before_state)
        result, seen = self.probe.train_function(*arguments)
        logs, after_state = result if before_state is not None else (result, None)
        if "gradient_norm" not in seen:
            raise ValueError(
                "Recorder reads the gradients that a step passes to the model's optimizer. "
                f"Received: model={self.recorded_model.name!r}, whose `train_step` calls neither "
                "`apply` nor `stateless_apply` of `self.optimizer`. Call one of them, or leave "
                "Recorder out."
            )
        values["loss"] = number(seen.get("loss", logs.get("loss", np.nan)))
        values["gradient_norm"] = number(seen["gradient_norm"])
        if "skipped_steps" in self.history:
            with self.reading(after_state):
                values["skipped_steps"] = int(self.optimizer.skipped_steps)
        values |= self.ratios(before, self.snapshot(after_state))
        self.steps.append(self.step)
        for name, recorded in self.history.items():
            recorded.append(values[name])
        for file in self.files:
            file.write(self.step, values)
        return result

    def rates(self, state: tuple | None) -> dict[str, float]:
        """Return learning rate and momentum of the next step."""
        with self.reading(state):
            return {
                name: rate_of(self.optimizer, attribute)
                for name, attribute in self.rate_names.items()
            }

    def reading(self, state: tuple | None) -> AbstractContextManager:
        """Return a context in which the optimizer's variables hold the values of JAX's state."""
        if state is None:
            return nullcontext()
        variables = self.recorded_model.optimizer.variables
        return keras.StatelessScope(state_mapping=list(zip(variables, state[2], strict=True)))

    def snapshot(self, state: tuple | None) -> list[np.ndarray]:
        """Return copies of all weights on the host, or none if there are no ratios."""
        if not self.parts:
            return []
        # On JAX, the model's `trainable_variables` would have to be synced first.
        weights = self.recorded_model.trainable_variables if state is None else state[0]
        return [np.array(to_numpy(weight), ndmin=1) for weight in weights]

    def ratios(self, before: list[np.ndarray], after: list[np.ndarray]) -> dict[str, float]:
        """Return the update ratio of each layer or group."""
        weights = [squares(old) for old in before]
        updates = [squares(new - old) for old, new in zip(before, after, strict=True)]
        result = {}
        for name, positions in self.parts.items():
            weight = sum(weights[position] for position in positions)
            update = sum(updates[position] for position in positions)
            # A bias that leaves 0 has an infinite ratio; one that stays at 0 has a ratio of 0.
            result[RATIO + name] = float(np.sqrt(update / weight)) if weight else update and np.inf
        return result

    # Plotting

    def plot(self, path: str | os.PathLike | None = None) -> "Figure":
        """Plot the record, with a panel each for loss, rates, gradient norm and update ratios.

        Args:
            path: File to write, or None. Its extension sets the format (`.png`, `.svg`, `.pdf`).

        Returns:
            The matplotlib `Figure`, which a notebook displays.

        Raises:
            ValueError: If nothing has been recorded yet.
            ImportError: If matplotlib is not installed.
        """
        if not self.steps:
            raise ValueError(
                "There is nothing to plot: no step has been recorded yet. Received: a Recorder "
                "with no `steps`. Give it to `fit` first: `callbacks=[recorder]`."
            )
        ratios = [name for name in self.history if name.startswith(RATIO)]
        single = [name for name in self.history if name not in ratios]
        if not any(self.history.get("skipped_steps", ())):
            single = [name for name in single if name != "skipped_steps"]
        figure = drawing.new_figure(len(single) + bool(ratios), height=1.9)
        for axes, name in zip(figure.axes, single, strict=False):
            axes.plot(self.steps, self.history[name], color=drawing.CURVE, linewidth=1.2)
            axes.set_ylabel(name.replace("_", " "))
        if ratios:
            draw_ratios(figure.axes[-1], self.steps, {n: self.history[n] for n in ratios})
        for name in ("loss", "gradient_norm"):
            set_log_scale(figure.axes[single.index(name)], self.history[name])
        figure.axes[-1].set_xlabel("step")
        drawing.save(figure, path)
        return figure


def check(model: keras.Model) -> None:
    """Raise a `ValueError` if steps cannot be recorded one by one."""
    optimizer = model.optimizer
    if optimizer is None or hasattr(optimizer, "optimizers"):
        raise ValueError(
            "Recorder needs an optimizer with one learning rate. Received: "
            f"optimizer={optimizer!r}. Use an optimizer of keras_optlab.optimizers, with "
            "`groups=[ParameterGroup(...)]` if needed."
        )
    if model.steps_per_execution != 1:
        raise ValueError(
            "Recorder cannot see individual steps within an execution. Received: "
            f"steps_per_execution={model.steps_per_execution}. Compile the model with "
            "`steps_per_execution=1`."
        )
    strategy = getattr(model, "distribute_strategy", None)
    replicas = getattr(strategy, "num_replicas_in_sync", 1)
    if replicas > 1:
        raise ValueError(
            "Recorder would see the gradients of one replica only. Received: a model in a "
            f"`tf.distribute` strategy of {replicas} replicas. Leave Recorder out, or train on "
            "one replica."
        )


def rate_names(optimizer: Any) -> dict[str, str]:
    """Return the optimizer's attributes for learning rate and, if it has one, momentum."""
    names = {"learning_rate": "learning_rate"}
    momentum = next((name for name in ("momentum", "beta_1") if hasattr(optimizer, name)), None)
    return names if momentum is None else {**names, "momentum": momentum}


def rate_of(optimizer: Any, attribute: str) -> float:
    """Return the value that the next step uses."""
    value = getattr(optimizer, attribute)
    if isinstance(value, LearningRateSchedule):
        value = value(optimizer.step_count)
    return shortest(to_numpy(value))


def counts_skipped(optimizer: Any) -> bool:
    """Whether an optimizer counts the steps that it skips."""
    return getattr(optimizer, "skipped_steps", None) is not None


def parts(model: keras.Model, optimizer: Any, by: str | None) -> dict[str, list[int]]:
    """Return positions in `trainable_variables`, by name of the layer or group."""
    if by is None:
        return {}
    name = group_namer(optimizer) if by == "group" else layer_namer(model)
    found: dict[str, list[int]] = {}
    for position, variable in enumerate(model.trainable_variables):
        found.setdefault(name(variable), []).append(position)
    return found


def layer_namer(model: keras.Model) -> Callable[[Any], str]:
    """Return a function from a variable to the path of its layer within the model."""

    def name(variable: Any) -> str:
        path = path_of(variable).removeprefix(f"{model.name}/")
        return path.rpartition("/")[0] or path

    return name


def group_namer(optimizer: Any) -> Callable[[Any], str]:
    """Return a function from a variable to the name of its group."""
    groups = optimizer.groups if isinstance(optimizer, Optimizer) else None
    if not groups:
        raise ValueError(
            '`by="group"` needs an optimizer with parameter groups. Received: '
            f"optimizer={optimizer!r}. Give `groups=[ParameterGroup(...)]` to an optimizer of "
            'keras_optlab.optimizers, or `by="layer"` to Recorder.'
        )

    def name(variable: Any) -> str:
        names = [
            group.match if isinstance(group.match, str) else f"group {index}"
            for index, group in enumerate(groups)
            if group.matches(variable)
        ]
        return " + ".join(names) or "others"

    return name


def number(value: Any) -> float:
    """Convert a tensor, variable or number to a float."""
    return float(to_numpy(value))


def squares(weight: np.ndarray) -> float:
    """Return the sum of squares of an array."""
    flat = np.ravel(weight)
    if flat.dtype not in (np.float32, np.float64):
        flat = flat.astype(np.float32)
    return float(np.dot(flat, flat))


def draw_ratios(axes: Any, steps: Sequence[int], ratios: dict[str, list[float]]) -> None:
    """Draw one line for each layer or group, from dark to light in model order."""
    from matplotlib import colormaps

    colours = colormaps["viridis"](np.linspace(0, 0.9, len(ratios)))
    # A deep network has more layers than a legend has room for.
    named = set(list(ratios)[:: -(-len(ratios) // MOST_NAMES)])
    for (name, values), colour in zip(ratios.items(), colours, strict=True):
        label = name.removeprefix(RATIO) if name in named else None
        axes.plot(steps, values, color=colour, linewidth=1.2, label=label)
    axes.set_ylabel("update ratio")
    set_log_scale(axes, (value for values in ratios.values() for value in values))
    axes.legend(fontsize="x-small", frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))


def set_log_scale(axes: Any, values: Iterable[float]) -> None:
    """Use a logarithmic scale if all values are finite and positive."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    values = np.array(list(values))
    if not (np.isfinite(values).all() and values.min() > 0):
        return
    axes.set_yscale("log")
    if values.max() < FEW_DECADES * values.min():
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
