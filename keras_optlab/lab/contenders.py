"""Contenders of a comparison: each algorithm and schedule, with settings for a short run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import keras

from keras_optlab import callbacks, optimizers, schedules
from keras_optlab.conversion import built_in
from keras_optlab.lab.results import Arguments

# Learning rates that make good progress in a few hundred steps. The defaults of Adagrad or
# Adadelta, made for long runs, would hardly move. Most others are like Adam, for which 0.01 works.
TRIED_RATES = {
    "SGD": 0.05,
    "Adadelta": 5.0,
    "Adafactor": 0.05,
    "Adagrad": 0.1,
    "Adamax": 0.02,
    "Ftrl": 0.2,
    "Lion": 0.002,
    "Prodigy": 1.0,
    "RMSprop": 0.005,
    "ScheduleFreeAdamW": 0.02,
    "LARS": 1.0,
    "ScheduleFreeSGD": 1.0,
}
LEARNING_RATES = {name: TRIED_RATES.get(name, 0.01) for name in optimizers.__all__}
OTHER_SETTINGS: dict[str, dict[str, float]] = {"SGD": {"momentum": 0.9}}

# What readers of a comparison should know about a built-in that differs.
NOTES = {
    "Muon": (
        "Newton and Schulz' iteration multiplies rounding errors, so the weights drift apart in "
        "the course of training though each step is the same; see `optlab parity`."
    ),
    "ScheduleFreeAdamW": (
        "The built-in differs: on TensorFlow and torch it reads a slot after updating it "
        "(7 % of the way off after 30 steps), and everywhere it leaves the model at the "
        "training point. Ours follows the authors' package and ends at the evaluation point."
    ),
}

# All schedules and 1cycle are trained with SGD, this peak rate and this momentum.
SCHEDULED_RATE = 0.2
MOMENTUM = 0.9
CONSTANT = "constant rate"
ONE_CYCLE = "OneCycle"


@final
@dataclass(frozen=True)
class Side:
    """One side of a contender, ours or the built-in: factories of its optimizer and callbacks."""

    optimizer: Callable[[], keras.optimizers.Optimizer]
    callbacks: Callable[[], list[keras.callbacks.Callback]] = list


@final
@dataclass(frozen=True)
class Contender:
    """One row of a comparison."""

    kind: str  # "optimizer" or "schedule"
    name: str
    setting: str  # its arguments, as they would be typed
    ours: Side
    built_in: Side | None  # None if Keras has no counterpart
    rate_at: Callable[[int], float]  # learning rate of a step, counted from 0
    note: str = ""  # what a reader should know


def schedule_names() -> list[str]:
    """Return the names accepted as schedules: all schedules, and the 1cycle callback."""
    return [*schedules.__all__, ONE_CYCLE]


def standard_rate(kind: str, name: str) -> float:
    """Return a contender's learning rate without a sweep; for a schedule, its highest."""
    return LEARNING_RATES[name] if kind == "optimizer" else SCHEDULED_RATE


def contender(
    kind: str, name: str, rate: float, steps: int, arguments: Arguments = ()
) -> Contender:
    """Build a contender for a learning rate and a number of training steps."""
    if kind == "schedule":
        return schedule_contender(name, rate, steps)
    given: dict[str, Any] = {"learning_rate": rate, **OTHER_SETTINGS.get(name, {})}
    given |= dict(arguments)
    ours = getattr(optimizers, name)
    theirs = built_in(ours)
    return Contender(
        kind,
        name,
        setting=typed(given),
        ours=Side(lambda: ours(**given)),
        built_in=theirs and Side(lambda: theirs(**given)),
        rate_at=lambda step: rate,
        note=NOTES.get(name, ""),
    )


def schedule_contender(name: str, rate: float, steps: int) -> Contender:
    """Build a contender: SGD with momentum and a schedule, against that of Keras if it has one."""
    cycle, momentum = schedules.OneCycleLearningRate(rate, steps), schedules.OneCycleMomentum(steps)
    constant = sgd(optimizers, rate), sgd(keras.optimizers, rate)
    if name == CONSTANT:
        return Contender("schedule", name, shown(rate), *constant, lambda step: rate)
    if name == ONE_CYCLE:
        setting = f"callback, max_learning_rate={shown(rate)}, total_steps={steps}"
        ours = Side(constant[0].optimizer, lambda: [callbacks.OneCycle(rate, steps)])
        theirs, rate_at = None, cycle.at
    elif name == "OneCycleMomentum":
        setting = f"total_steps={steps}, with OneCycleLearningRate({shown(rate)}, {steps})"
        ours, theirs, rate_at = sgd(optimizers, cycle, momentum), None, cycle.at
    else:
        arguments = schedule_arguments(rate, steps)[name]
        schedule = getattr(schedules, name)(**arguments)
        setting, ours, rate_at = typed(arguments), sgd(optimizers, schedule), schedule.at
        theirs = getattr(keras.optimizers.schedules, name, None)
        theirs = theirs and sgd(keras.optimizers, theirs(**arguments))
    return Contender("schedule", name, setting, ours, theirs, rate_at)


def schedule_arguments(rate: float, steps: int) -> dict[str, dict[str, Any]]:
    """Return arguments for each schedule that bring the rate down by the last step."""

    def part(share: int) -> int:
        return max(1, steps // share)

    start = {"initial_learning_rate": rate}
    rest = schedules.PolynomialDecay(rate, max(1, steps - part(2)), 0.0)
    return {
        "CosineDecay": {**start, "decay_steps": steps},
        "CosineDecayRestarts": {**start, "first_decay_steps": part(3), "m_mul": 0.5},
        "ExponentialDecay": {**start, "decay_steps": steps, "decay_rate": 0.01},
        "InverseTimeDecay": {**start, "decay_steps": part(10), "decay_rate": 1.0},
        "LinearWarmup": {
            "steps": part(10),
            "then": schedules.CosineDecay(rate, max(1, steps - part(10))),
        },
        "OneCycleLearningRate": {"max_learning_rate": rate, "total_steps": steps},
        "PiecewiseConstantDecay": {
            "boundaries": [part(2), part(2) + part(4)],
            "values": [rate, rate / 10, rate / 100],
        },
        "PolynomialDecay": {**start, "decay_steps": steps, "end_learning_rate": 0.0},
        "PowerDecay": {**start, "decay_steps": part(20), "power": 0.5},
        "Sequence": {"schedules": [rate, rest], "boundaries": [part(2)]},
    }


def sgd(library: Any, rate: Any, momentum: Any = MOMENTUM) -> Side:
    """Build a side that trains by SGD with momentum, ours or Keras'."""
    return Side(lambda: library.SGD(rate, momentum=momentum))


def typed(arguments: dict[str, Any]) -> str:
    """Return arguments as they would be typed, with a schedule shortened to its name."""
    return ", ".join(f"{name}={shown(value)}" for name, value in arguments.items())


def shown(value: Any) -> str:
    """Return a value as it would be typed, floats to six digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(shown(item) for item in value)}]"
    if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
        return f"{type(value).__name__}(...)"
    return repr(value)
