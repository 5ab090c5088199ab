"""Pictures of all schedules, drawn by their `plot` method."""

from pathlib import Path

from keras_optlab import schedules
from keras_optlab.arguments.schedule import Schedule

STEPS = 1000
DRAWN: dict[str, Schedule] = {
    "CosineDecay": schedules.CosineDecay(0.0, 900, warmup_target=0.1, warmup_steps=100),
    "CosineDecayRestarts": schedules.CosineDecayRestarts(0.1, 140, m_mul=0.7),
    "ExponentialDecay": schedules.ExponentialDecay(0.1, 100, 0.7, staircase=True),
    "InverseTimeDecay": schedules.InverseTimeDecay(0.1, 100, 1.0),
    "LinearWarmup": schedules.LinearWarmup(200, then=schedules.PowerDecay(0.1, 200)),
    "OneCycleLearningRate": schedules.OneCycleLearningRate(0.1, STEPS),
    "OneCycleMomentum": schedules.OneCycleMomentum(STEPS),
    "PiecewiseConstantDecay": schedules.PiecewiseConstantDecay([400, 700], [0.1, 0.03, 0.01]),
    "PolynomialDecay": schedules.PolynomialDecay(0.1, 900, end_learning_rate=0.01, power=2.0),
    "PowerDecay": schedules.PowerDecay(0.1, 200),
    "Sequence": schedules.Sequence(
        [schedules.LinearWarmup(100, then=0.1), 0.1, schedules.CosineDecay(0.1, 300)], [100, 700]
    ),
}


def draw_all(folder: Path) -> None:
    """Draw all schedules.

    Args:
        folder: Where to write the pictures, as `<name>.svg`.

    Raises:
        LookupError: If a schedule is not drawn.
    """
    missing = set(schedules.__all__) - set(DRAWN)
    if missing:
        raise LookupError(f"no picture of {', '.join(sorted(missing))}: add it to DRAWN")
    folder.mkdir(parents=True, exist_ok=True)
    for name, schedule in DRAWN.items():
        schedule.plot(STEPS, folder / f"{name}.svg")
