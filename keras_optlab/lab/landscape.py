"""The ways that optimizers take down a surface, stepped by the optimizers themselves."""

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
# is given. Those far above 1 belong to steps that shrink (Adagrad, Ftrl), or begin next to nothing
# (Adadelta, RAdam).
STRIDES = {"Adamax": 1.5, "Lamb": 0.5, "Lion": 0.5, "RMSprop": 0.5, "ScheduleFreeAdamW": 2.0}
STRIDES |= {"Adadelta": 300.0, "Adagrad": 8.0, "Ftrl": 8.0, "LARS": 100.0, "Muon": 4.0}
STRIDES |= {"Prodigy": 10.0, "RAdam": 8.0}
NAMES = [*DESCENT, *(name for name in optimizers.__all__ if name not in DESCENT)]
DEFAULT_NAMES = ["SGD", "Momentum", "Nesterov", "Adagrad", "RMSprop", "Adam"]


@final
class Trajectory(NamedTuple):
    """The way of one optimizer down one surface."""

    label: str
    is_built_in: bool
    setting: str  # Its arguments, as they would be typed
    number: int  # Number of its line in the palette, the same for an algorithm and its built-in
    # Of shape (steps + 1, 2), the start first; NaN from the step on at which a number overflowed.
    points: np.ndarray
    values: np.ndarray  # The surface's value at each of them

    @property
    def diverged(self) -> bool:
        """Whether a number overflowed."""
        return not np.isfinite(self.points[-1]).all()


@final
class Landscape(NamedTuple):
    """A surface and the ways down it."""

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
    """Go down each surface with each optimizer, and its built-in.

    `learning_rates` has those that are not the defaults; the seed is that of the noise. Raises
    `InputError` if an optimizer refuses its rate, or Keras has no built-in of the kind.
    """
    landscapes = []
    libraries = (optimizers, keras.optimizers) if built_in else (optimizers,)
    for done, surface in enumerate(surfaces):
        progress(surface.title, done, len(surfaces))
        # All meet the same noise.
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
    """A rate at which there is something to see: not too small to move, not diverging."""
    if name in DESCENT:
        return DESCENT[name] * surface.descent_rate
    # Lamb and Adafactor step relative to the size of the weights, which is about that of the start.
    size = math.hypot(*surface.start)
    sizes = {"Lamb": size, "Adafactor": size / math.sqrt(2)}
    return STRIDES.get(name, 1.0) * surface.stride / sizes.get(name, 1.0)


def _walk(optimizer: Any, surface: Surface, noise: np.ndarray) -> np.ndarray:
    """The points that a new optimizer, of either library, comes to; see `Trajectory`."""
    # A matrix of one column, since Muon has Adam update what is none.
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
        if isinstance(optimizer, optimizers.ScheduleFreeAdamW):
            # A model is evaluated elsewhere than ours trains it.
            optimizer.to_evaluation_point()
            points[step] = place()
            optimizer.to_training_point()
        if not np.isfinite(points[step]).all():
            break
    return points
