"""Base class of schedules: checks, config and precision, so that each adds only its formula."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, final

import keras
import numpy as np

from keras_optlab import drawing
from keras_optlab.arguments.declaration import Declared
from keras_optlab.arguments.domain import FINITE, Domain, Integer
from keras_optlab.keras_glue.types import to_numpy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LearningRateSchedule = keras.optimizers.schedules.LearningRateSchedule

MOST_POINTS = 4000


def arithmetic() -> tuple[AbstractContextManager, str, ModuleType]:
    """Return what is needed to compute at the highest precision of the device.

    The type is float64, in which every step up to 2^53 is a distinct number, except where float64
    is not available: JAX on anything but CPU and GPU, JAX before 0.8 (which cannot switch precision
    within a trace) and torch on Apple GPUs. There it is float32, in which Keras' schedules compute.

    Returns:
        A context to compute in, the float type, and the module of functions. The module is
        `keras.ops` only on TensorFlow: on JAX and torch, `keras.ops` silently rounds float64 to
        float32.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        if hasattr(jax, "enable_x64") and jax.default_backend() in ("cpu", "gpu"):
            return jax.enable_x64(True), "float64", jax.numpy
        return nullcontext(), "float32", jax.numpy
    if backend == "torch":
        import torch

        tensor: Any = keras.ops.zeros(())
        on_apple_gpu = tensor.device.type == "mps"
        return nullcontext(), "float32" if on_apple_gpu else "float64", torch
    return nullcontext(), "float64", keras.ops


class Schedule(Declared, LearningRateSchedule, metaclass=ABCMeta):
    """A value as a function of the optimizer's step; abstract.

    A subclass lists its arguments, including `name`, and defines `value`. It can then be used
    wherever Keras takes a `LearningRateSchedule`, and for any hyperparameter of this package's
    optimizers: `schedule(step)` is a tensor, traced or not, and `schedule.at(step)` a Python
    float. Both are computed in float64 if the device has it, so step 10^9 is as exact as step 1.
    """

    name: str

    # Optional hook of a subclass: checks that concern several arguments at once.
    validate: Callable[..., None] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        package = cls.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package=package)(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        for name, value in self.bind(args, kwargs).items():
            setattr(self, name, value)
        if self.validate is not None:
            self.validate()

    @abstractmethod
    def value(self, step: Any, ops: ModuleType) -> Any:
        """Compute the value at a step, with one formula for tensors and for the host.

        Args:
            step: The step, counted from 0, as a float of the precision to compute in: a tensor,
                or a NumPy number on the host.
            ops: The module to take functions from: `numpy`, or one of the backend. Common to all
                are `ceil`, `clip` (with both bounds), `cos`, `expm1`, `floor`, `full_like`,
                `log1p` and `where` (of tensors), and the operators.

        Returns:
            The value, of the type of `step`.
        """

    @final
    def __call__(self, step: Any) -> Any:
        """Return the value at a step, as a tensor.

        Args:
            step: Integer of Python, NumPy or the backend, or a `keras.Variable`; a vector of
                steps gives a vector of values.

        Returns:
            A tensor of dtype `keras.config.floatx()`, but at least float32.
        """
        dtype = "float64" if keras.config.floatx() == "float64" else "float32"
        scope, precision, ops = arithmetic()
        with keras.name_scope(self.name), scope:
            value = self.value(keras.ops.cast(step, precision), ops)
            return keras.ops.cast(value, dtype)

    @final
    def at(self, step: int) -> float:
        """Return the value at a step, computed on the host in float64, as callbacks need it."""
        return float(self.value(np.float64(step), np))

    @final
    def plot(self, steps: int, path: str | PathLike | None = None) -> "Figure":
        """Plot the values of the first steps.

        Args:
            steps: Integer >= 1, how many steps to plot.
            path: File to write, or None. Its extension sets the format (`.png`, `.svg`, `.pdf`).

        Returns:
            The matplotlib `Figure`, which a notebook displays.

        Raises:
            ValueError: If `steps` is below 1.
            TypeError: If `steps` is not an integer.
            ImportError: If matplotlib is not installed.

        Example:

        >>> from keras_optlab.schedules import CosineDecay
        >>> figure = CosineDecay(0.1, decay_steps=100).plot(120)
        >>> figure.axes[0].get_xlabel()
        'step'
        """
        steps = Integer(low=1).check("steps", steps)
        figure = drawing.new_figure()
        (axes,) = figure.axes
        # A curve needs no more points than this, however long the training.
        shown = np.unique(np.linspace(0, steps - 1, min(steps, MOST_POINTS)).round().astype(int))
        axes.plot(shown, [self.at(step) for step in shown.tolist()], color=drawing.CURVE)
        axes.set_xlabel("step")
        axes.set_ylabel("value")
        axes.set_title(self.name, loc="left", fontsize="medium")
        drawing.save(figure, path)
        return figure

    @final
    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {name: serialize(value) for name, value in self.configuration().items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the schedule that a config describes, including schedules nested in it."""
        deserialize = keras.saving.deserialize_keras_object
        return cls(**{name: deserialize(value) for name, value in config.items()})


@final
@dataclass(frozen=True)
class NumberOrSchedule(Domain):
    """A finite number, or any schedule, ours or not."""

    def describe(self) -> str:
        return f"{FINITE.describe()} or a `keras.optimizers.schedules.LearningRateSchedule`"

    def normalize(self, value: Any) -> float | LearningRateSchedule:
        return value if isinstance(value, LearningRateSchedule) else FINITE.normalize(value)


def value_of(item: float | LearningRateSchedule, step: Any, ops: ModuleType) -> Any:
    """Return the value of a number or of any schedule; see `Schedule.value` for the arguments."""
    if isinstance(item, Schedule):
        return item.value(step, ops)
    if not isinstance(item, LearningRateSchedule):
        return ops.full_like(step, item)
    if ops is np:
        return np.float64(to_numpy(item(int(step))))
    return keras.ops.cast(item(keras.ops.cast(step, "int32")), step.dtype)
