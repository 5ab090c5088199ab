"""The search for an algorithm's best arguments: which numbers, in which ranges, by Optuna."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from keras_optlab import optimizers
from keras_optlab.arguments.declaration import Section
from keras_optlab.arguments.domain import Domain, Real
from keras_optlab.arguments.hyperparameter import Number
from keras_optlab.lab import contenders
from keras_optlab.lab.results import PRUNED, Duel, Metric, Run, Search, Trial, Tuning
from keras_optlab.lab.training import Examiner, Task, Trainee, batches, train

if TYPE_CHECKING:
    import optuna

Work = Run | Search
Outcome = Duel | Tuning

RATE = "learning_rate"
# How many times the value of who does not tune, in both directions.
RATE_SPAN = 30.0
DECAY_SPAN = 10.0
NUMBER_SPAN = 10.0
SMALL_SPAN = 100.0
# Below it a number is there to keep another from zero, or a weak penalty: its magnitude counts.
SMALL = 0.01


@final
@dataclass(frozen=True)
class Range:
    """Where the values of one argument are looked for, on a logarithmic scale."""

    name: str
    untuned: float  # its value without tuning
    low: float
    high: float
    is_complement: bool = False  # whether the numbers are one minus the value, of a decay rate

    @property
    def label(self) -> str:
        """What the number is called in a study."""
        return f"1 - {self.name}" if self.is_complement else self.name

    @property
    def start(self) -> float:
        """The number of the value without tuning."""
        number = 1 - self.untuned if self.is_complement else self.untuned
        return min(max(number, self.low), self.high)

    def value(self, number: float) -> float:
        """The argument's value, to six digits."""
        return float(f"{1 - number if self.is_complement else number:.6g}")


def space(kind: str, name: str) -> list[Range]:
    """The ranges of a contender's arguments, the learning rate first.

    They follow from the table of arguments: the learning rate, and each number of the algorithm
    that is not off by default. A number from 0 to 1 is a decay rate, of which the distance from 1
    counts; any other that is not negative is tried around its default. Schedules have a rate alone.
    """
    rate = contenders.usual_rate(kind, name)
    rates = Range(RATE, rate, rate / RATE_SPAN, rate * RATE_SPAN)
    if kind == "schedule":
        return [rates]
    found: list[Range | None] = [rates]
    given = contenders.OTHER_SETTINGS.get(name, {})
    for argument in getattr(optimizers, name).declared_arguments.values():
        is_general = argument.section in (Section.SHARED, Section.KEYWORD_ONLY)
        if isinstance(argument, Number) and not is_general:
            value = given.get(argument.name, argument.default)
            found.append(range_around(argument.name, value, argument.domain))
    return [one for one in found if one is not None]


def range_around(name: str, value: float | None, domain: Domain) -> Range | None:
    """The range of a number around its value; None if it is off, or may be negative."""
    if not value or not isinstance(domain, Real) or domain.low != 0:
        return None
    if domain.high == 1:
        left = 1 - value
        return Range(name, value, left / DECAY_SPAN, min(left * DECAY_SPAN, 0.999), True)
    span = SMALL_SPAN if value < SMALL else NUMBER_SPAN
    return Range(name, value, value / span, value * span)


def work_on(task: Task, run: Work, examiner: Examiner) -> Outcome:
    """Do one piece of work: train a run, or search."""
    if isinstance(run, Search):
        return search(task, run, examiner)
    return train(task, run, examiner)


def search(task: Task, run: Search, examiner: Examiner) -> Tuning:
    """Try arguments one after another, and end those early that fall behind.

    The first trial has the values without tuning. Trials are proposed by Optuna's TPE and pruned by
    Hyperband, in which an epoch is one unit of the budget; the same seed gives the same trials.
    """
    ranges = space(run.kind, run.name)
    trials = []
    with study(task, run, examiner) as asked:
        asked.enqueue_trial({one.label: one.start for one in ranges})
        for _ in range(run.trials):
            proposed = asked.ask()
            values = {
                one.name: one.value(proposed.suggest_float(one.label, one.low, one.high, log=True))
                for one in ranges
            }
            trials.append(train_trial(task, run, examiner, proposed, values))
            tell(asked, proposed, trials[-1])
    return Tuning(run, tuple(trials), best_trial(trials, examiner.objective.metric))


@contextlib.contextmanager
def study(task: Task, run: Search, examiner: Examiner) -> Iterator["optuna.Study"]:
    """A study of Optuna's, in memory; what it logs is not shown."""
    import optuna

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield optuna.create_study(
            # Hyperband assigns trials to brackets by this name.
            study_name=f"{run.kind} {run.name} {run.seed}",
            direction="maximize" if examiner.objective.metric.higher_is_better else "minimize",
            sampler=optuna.samplers.TPESampler(seed=run.seed),
            pruner=optuna.pruners.HyperbandPruner(max_resource=task.epochs),
        )
    finally:
        optuna.logging.set_verbosity(verbosity)


def train_trial(
    task: Task,
    run: Search,
    examiner: Examiner,
    proposed: "optuna.Trial",
    values: dict[str, float],
) -> Trial:
    """Train one set of arguments, ours alone, until it ends or is pruned."""
    started = time.perf_counter()
    rate, arguments = values[RATE], tuple(item for item in values.items() if item[0] != RATE)
    steps = task.steps_per_epoch * task.epochs
    contender = contenders.contender(run.kind, run.name, rate, steps, arguments)
    trainee = Trainee(contender.ours, task, run.seed, examiner)
    for epoch, rows in enumerate(batches(task, run.seed)):
        trainee.train(epoch, rows)
        proposed.report(trainee.validations[-1][1], epoch + 1)
        if not trainee.stopped and epoch + 1 < task.epochs and proposed.should_prune():
            trainee.stopped = PRUNED
        if trainee.stopped:
            break
    metrics = tuple(metric for _, metric in trainee.validations[1:])
    return Trial(
        rate=rate,
        arguments=arguments,
        validation_metric=metrics,
        steps=len(metrics) * task.steps_per_epoch,
        seconds=time.perf_counter() - started,
        stopped=trainee.stopped,
    )


def tell(asked: "optuna.Study", proposed: "optuna.Trial", trial: Trial) -> None:
    """Say what came of a trial; one that was ended early counts by what it had reached."""
    import optuna

    if trial.stopped:
        asked.tell(proposed, state=optuna.trial.TrialState.PRUNED)
    else:
        asked.tell(proposed, trial.validation_metric[-1])


def best_trial(trials: Sequence[Trial], metric: Metric) -> int | None:
    """Which trial has the best final metric; the first of equals."""
    ended = [number for number, trial in enumerate(trials) if not trial.stopped]

    def worth(number: int) -> float:
        return metric.worth(trials[number].validation_metric[-1])

    return max(ended, key=worth, default=None)
