"""The ways that optimizers take down a surface, stepped by the optimizers themselves."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import keras
import numpy as np

from keras_optlab import optimizers
from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.contenders import typed
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.surfaces import Surface

OURS = "keras-optlab"
BUILT_IN = "Keras"

# The forms of SGD, and arguments without which there would be less to see.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Momentum": ("SGD", {"momentum": 0.9}),
    "Nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    # Without their first steps, which are those of gradient descent and far too long here.
    "AdaBelief": ("AdaBelief", {"rectify": False}),
    "RAdam": ("RAdam", {"early_steps": "none"}),
    # So few steps are no time to find a rate from nothing.
    "Prodigy": ("Prodigy", {"initial_d": 0.1}),
}
# Learning rates as multiples of that which suits gradient descent. Momentum multiplies the speed
# by up to ten, so at half the rate it still overshoots, as it should be seen to.
DESCENT = {"SGD": 1.0, "Momentum": 0.5, "Nesterov": 0.5, "ScheduleFreeSGD": 1.0}
# The others scale their steps themselves: rates as multiples of the surface's stride, 1 where none
# is given. Those above 1 belong to steps that shrink (Adagrad, Ftrl), or begin next to nothing
# (Adadelta, RAdam).
STRIDES = {
    "Adadelta": 300.0,
    "Adagrad": 8.0,
    "Adamax": 1.5,
    "Ftrl": 8.0,
    "Lamb": 0.5,
    "Lion": 0.5,
    "Muon": 4.0,
    "RMSprop": 0.5,
    "ScheduleFreeAdamW": 2.0,
    "LARS": 100.0,
    "Prodigy": 10.0,
    "RAdam": 8.0,
}
NAMES = [*DESCENT, *(name for name in optimizers.__all__ if name not in DESCENT)]
DEFAULT_NAMES = ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"]

# Of the contour lines, the lowest height as 0 and the highest as 1, before `curvature`.
LEVELS = np.linspace(0, 1, 19)[2:-1]


@final
@dataclass(frozen=True)
class Trajectory:
    """The way of one optimizer down one surface."""

    name: str
    library: str  # `"keras-optlab"` or `"Keras"`
    setting: str  # Its arguments, as they would be typed
    number: int  # Number of its line in the palette, the same for an algorithm and its built-in
    # Of shape (steps + 1, 2), the start first; NaN from the step on at which a number overflowed.
    points: np.ndarray
    values: np.ndarray  # The surface's value at each of them

    @property
    def is_built_in(self) -> bool:
        """Whether it is Keras' optimizer."""
        return self.library == BUILT_IN

    @property
    def label(self) -> str:
        """What it is called among others."""
        return f"{BUILT_IN} {self.name}" if self.is_built_in else self.name

    @property
    def diverged(self) -> bool:
        """Whether a number overflowed."""
        return not np.isfinite(self.points[-1]).all()


@final
@dataclass(frozen=True)
class Landscape:
    """A surface and the ways down it."""

    surface: Surface
    trajectories: tuple[Trajectory, ...]


@final
@dataclass(frozen=True)
class Settings:
    """What to show."""

    surfaces: tuple[Surface, ...]
    names: tuple[str, ...]  # From `NAMES`
    built_in: bool  # Whether to show the built-in of each too
    learning_rates: dict[str, float]  # For some algorithms, a rate other than the default
    steps: int  # At least 1
    seed: int  # Of the noise


def explore(settings: Settings, progress: Callable[[str, int, int], None]) -> list[Landscape]:
    """Go down each surface with each optimizer.

    Raises `InputError` if an optimizer refuses a learning rate that the user gave, or Keras has no
    built-in of the kind.
    """
    landscapes = []
    for number, surface in enumerate(settings.surfaces):
        progress(surface.title, number, len(settings.surfaces))
        ways = [
            descend(surface, name, library, settings)
            for name in settings.names
            for library in ([OURS, BUILT_IN] if settings.built_in else [OURS])
        ]
        landscapes.append(Landscape(surface, tuple(ways)))
    return landscapes


def descend(surface: Surface, name: str, library: str, settings: Settings) -> Trajectory:
    """The way of one optimizer down one surface."""
    cls, others = VARIANTS.get(name, (name, {}))
    rate = settings.learning_rates.get(name, default_learning_rate(surface, name))
    arguments = {"learning_rate": rate, **others}
    module = optimizers if library == OURS else keras.optimizers
    if not hasattr(module, cls):
        raise InputError(f"Keras {keras.__version__} has no {cls}: leave out --built-in or {name}")
    try:
        optimizer = getattr(module, cls)(**arguments)
    except ValueError as error:
        raise InputError(f"--learning-rate {name}={rate:g}: {error}") from None
    # All meet the same noise.
    noise = np.random.default_rng(settings.seed).normal(0, surface.noise, (settings.steps, 2))
    with np.errstate(over="ignore", invalid="ignore"):
        points = walk(optimizer, surface, noise)
        values = surface.value(*points.T)
    number = settings.names.index(name)
    return Trajectory(name, library, typed(arguments), number, points, values)


def default_learning_rate(surface: Surface, name: str) -> float:
    """A rate at which there is something to see: not too small to move, not diverging."""
    if name in DESCENT:
        return DESCENT[name] * surface.descent_rate
    # Lamb and Adafactor step relative to the size of the weights, which is about that of the start.
    size = math.hypot(*surface.start)
    sizes = {"Lamb": size, "Adafactor": size / math.sqrt(2)}
    return STRIDES.get(name, 1.0) * surface.stride / sizes.get(name, 1.0)


def walk(optimizer: Any, surface: Surface, noise: np.ndarray) -> np.ndarray:
    """The points that a new optimizer, of either library, comes to; see `Trajectory`.

    The noise, of shape (steps, 2), is added to the gradients.
    """
    # A matrix of one column, since Muon has Adam update what is none.
    variable = keras.Variable(np.reshape(surface.start, (2, 1)).astype("float32"))
    optimizer.build([variable])
    points = np.full((len(noise) + 1, 2), np.nan)
    points[0] = surface.start
    for step, error in enumerate(noise):
        gradient = np.add(surface.gradient(*place(variable)), error).astype("float32")
        if not np.isfinite(gradient).all():
            break
        optimizer.apply([keras.ops.convert_to_tensor(gradient[:, None])], [variable])
        points[step + 1] = shown_place(optimizer, variable)
        if not np.isfinite(points[step + 1]).all():
            break
    return points


def place(variable: keras.Variable) -> np.ndarray:
    """The two numbers in a variable."""
    return np.ravel(to_numpy(variable)).astype("float64")


def shown_place(optimizer: Any, variable: keras.Variable) -> np.ndarray:
    """Where a model would be evaluated, for an optimizer of ours that trains elsewhere."""
    if not isinstance(optimizer, optimizers.ScheduleFreeAdamW):
        return place(variable)
    optimizer.to_evaluation_point()
    point = place(variable)
    optimizer.to_training_point()
    return point


def heights(surface: Surface, resolution: int = 140) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surface on a grid: x, y and its values."""
    x = np.linspace(*surface.horizontal, resolution)
    y = np.linspace(*surface.vertical, resolution)
    return x, y, surface.value(*np.meshgrid(x, y))


def curvature(z: np.ndarray) -> float:
    """The power by which half of the picture lies below half of the levels."""
    middle = (np.median(z) - z.min()) / (z.max() - z.min())
    return float(np.clip(np.log(middle) / np.log(0.5), 1.0, 6.0))
