"""Paths of optimizers down a surface, computed by the optimizers themselves."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, final

import keras
import numpy as np

from keras_optlab import optimizers
from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.contenders import typed
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.surfaces import Surface

# Variants of SGD, and optimizers with arguments that show more than their defaults.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "Momentum": ("SGD", {"momentum": 0.9}),
    "Nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    # Leave out their early steps, which are those of gradient descent and far too long here.
    "AdaBelief": ("AdaBelief", {"rectify": False}),
    "RAdam": ("RAdam", {"early_steps": "none"}),
    # There are too few steps to find a rate from scratch.
    "Prodigy": ("Prodigy", {"initial_d": 0.1}),
}
# Learning rates as multiples of the one that suits gradient descent. Momentum multiplies the speed
# by up to ten, so at half the rate it still overshoots, which the picture should show.
DESCENT = {"SGD": 1.0, "Momentum": 0.5, "Nesterov": 0.5, "ScheduleFreeSGD": 1.0}
# The others scale their steps themselves: rates as multiples of the surface's stride, 1 if not
# listed. Those far above 1 are for steps that shrink (Adagrad, Ftrl) or start out tiny (Adadelta,
# RAdam).
STRIDES = {"Adamax": 1.5, "Lamb": 0.5, "Lion": 0.5, "RMSprop": 0.5, "ScheduleFreeAdamW": 2.0}
STRIDES |= {"Adadelta": 300.0, "Adagrad": 8.0, "Ftrl": 8.0, "LARS": 100.0, "Muon": 4.0}
STRIDES |= {"Prodigy": 10.0, "RAdam": 8.0}
NAMES = [*DESCENT, *(name for name in optimizers.__all__ if name not in DESCENT)]
DEFAULT_NAMES = ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"]


@final
class Trajectory(NamedTuple):
    """The path of one optimizer down one surface."""

    label: str
    is_built_in: bool
    setting: str  # Its arguments, as they would be typed
    number: int  # Number of its line style, shared by an algorithm and its built-in
    # Of shape (steps + 1, 2), the start first; NaN from the step at which a number overflowed.
    points: np.ndarray
    values: np.ndarray  # The surface's value at each point

    @property
    def diverged(self) -> bool:
        """Whether a number overflowed."""
        return not np.isfinite(self.points[-1]).all()


@final
class Landscape(NamedTuple):
    """A surface and the paths down it."""

    surface: Surface
    trajectories: list[Trajectory]


def explore(
    surfaces: Sequence[Surface],
    names: Sequence[str],
    built_in: bool,
    learning_rates: Mapping[str, float],
    steps: int,
    seed: int,
    progress: Callable[[str, int, int], None],
) -> list[Landscape]:
    """Descend each surface with each optimizer and, if `built_in`, its built-in.

    `learning_rates` overrides the default rates; `seed` is for the noise. Raises `InputError` if an
    optimizer refuses its rate, or Keras has no such built-in.
    """
    landscapes = []
    libraries = (optimizers, keras.optimizers) if built_in else (optimizers,)
    for done, surface in enumerate(surfaces):
        progress(surface.title, done, len(surfaces))
        # All optimizers see the same noise.
        noise = np.random.default_rng(seed).normal(0, surface.noise, (steps, 2))
        ways = [
            _descend(surface, noise, name, number, library, learning_rates.get(name))
            for number, name in enumerate(names)
            for library in libraries
        ]
        landscapes.append(Landscape(surface, ways))
    return landscapes


def _descend(
    surface: Surface, noise: np.ndarray, name: str, number: int, library: Any, rate: float | None
) -> Trajectory:
    cls, others = VARIANTS.get(name, (name, {}))
    if not hasattr(library, cls):
        raise InputError(f"Keras {keras.__version__} has no {cls}: leave out --built-in or {name}")
    rate = default_learning_rate(surface, name) if rate is None else rate
    arguments = {"learning_rate": rate, **others}
    try:
        optimizer = getattr(library, cls)(**arguments)
    except ValueError as error:
        raise InputError(f"--learning-rate {name}={rate:g}: {error}") from None
    with np.errstate(over="ignore", invalid="ignore"):
        points = _walk(optimizer, surface, noise)
        values = surface.value(*points.T)
    is_built_in = library is not optimizers
    label = f"Keras {name}" if is_built_in else name
    return Trajectory(label, is_built_in, typed(arguments), number, points, values)


def default_learning_rate(surface: Surface, name: str) -> float:
    """Return a rate worth watching: large enough to move, small enough not to diverge."""
    if name in DESCENT:
        return DESCENT[name] * surface.descent_rate
    # Lamb and Adafactor scale steps by the size of the weights, which is about that of the start.
    size = math.hypot(*surface.start)
    sizes = {"Lamb": size, "Adafactor": size / math.sqrt(2)}
    return STRIDES.get(name, 1.0) * surface.stride / sizes.get(name, 1.0)


def _walk(optimizer: Any, surface: Surface, noise: np.ndarray) -> np.ndarray:
    """Return the points that a new optimizer of either library visits; see `Trajectory`."""
    # A matrix of one column, since Muon leaves anything but matrices to Adam.
    variable = keras.Variable(np.reshape(surface.start, (2, 1)).astype("float32"))

    def place() -> np.ndarray:
        return np.ravel(to_numpy(variable)).astype("float64")

    optimizer.build([variable])
    points = np.full((len(noise) + 1, 2), np.nan)
    points[0] = surface.start
    for step, error in enumerate(noise, start=1):
        gradient = np.add(surface.gradient(*place()), error).astype("float32")
        if not np.isfinite(gradient).all():
            break
        optimizer.apply([keras.ops.convert_to_tensor(gradient[:, None])], [variable])
        points[step] = place()
        if getattr(optimizer, "evaluates_elsewhere", False):
            # Ours; a built-in leaves the model at the training point.
            optimizer.to_evaluation_point()
            points[step] = place()
            optimizer.to_training_point()
        if not np.isfinite(points[step]).all():
            break
    return points
