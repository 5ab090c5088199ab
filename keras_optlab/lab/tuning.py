"""The search for an algorithm's best arguments with Optuna: which ones, and in which ranges."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from keras_optlab import optimizers
from keras_optlab.arguments.declaration import Section
from keras_optlab.arguments.domain import Real
from keras_optlab.arguments.hyperparameter import Number
from keras_optlab.lab import contenders
from keras_optlab.lab.results import PRUNED, Duel, Run, Search, Trial, Tuning
from keras_optlab.lab.training import Examiner, Task, Trainee, duel

if TYPE_CHECKING:
    import optuna

Work = Run | Search
Outcome = Duel | Tuning

RATE = "learning_rate"
# Ranges span these factors around the untuned value, in both directions.
RATE_SPAN = 30.0
DECAY_SPAN = 10.0
NUMBER_SPAN = 10.0
SMALL_SPAN = 100.0
# A number below this keeps another from zero, or is a weak penalty: its magnitude counts.
SMALL = 0.01


@final
@dataclass(frozen=True)
class Range:
    """The search range of one argument, on a logarithmic scale."""

    name: str
    untuned: float  # value without tuning
    low: float
    high: float
    is_complement: bool = False  # whether to search 1 - value, for a decay rate

    @property
    def label(self) -> str:
        """The name of the number in a study."""
        return f"1 - {self.name}" if self.is_complement else self.name

    @property
    def start(self) -> float:
        """The number for the untuned value, clipped to the range."""
        number = 1 - self.untuned if self.is_complement else self.untuned
        return min(max(number, self.low), self.high)

    def value(self, number: float) -> float:
        """Return the argument's value for a number, to six digits."""
        return float(f"{1 - number if self.is_complement else number:.6g}")


def space(kind: str, name: str) -> list[Range]:
    """Return the search ranges of a contender's arguments, the learning rate first.

    They follow from the declared arguments: the learning rate, and each number of the algorithm
    that is not off by default. A number from 0 to 1 is a decay rate, searched by its distance from
    1; any other non-negative number is searched around its default. Schedules only have a rate.
    """
    rate = contenders.standard_rate(kind, name)
    found = [Range(RATE, rate, rate / RATE_SPAN, rate * RATE_SPAN)]
    declared = getattr(optimizers, name).declared_arguments if kind == "optimizer" else {}
    given = contenders.OTHER_SETTINGS.get(name, {})
    for argument in declared.values():
        is_general = argument.section in (Section.SHARED, Section.KEYWORD_ONLY)
        if is_general or not isinstance(argument, Number):
            continue
        value, domain = given.get(argument.name, argument.default), argument.domain
        # Skip what is off, or may be negative.
        if not value or not isinstance(domain, Real) or domain.low != 0:
            continue
        if domain.high == 1:
            low, high = (1 - value) / DECAY_SPAN, min((1 - value) * DECAY_SPAN, 0.999)
        else:
            span = SMALL_SPAN if value < SMALL else NUMBER_SPAN
            low, high = value / span, value * span
        found.append(Range(argument.name, value, low, high, is_complement=domain.high == 1))
    return found


def work_on(task: Task, run: Work, examiner: Examiner) -> Outcome:
    """Do one unit of work: train a run, or search."""
    if isinstance(run, Search):
        return search(task, run, examiner)
    return duel(task.contender(run), task, run, examiner)


def search(task: Task, run: Search, examiner: Examiner) -> Tuning:
    """Try sets of arguments one after another, ending early those that fall behind.

    The first trial has the untuned values. Trials are proposed by Optuna's TPE and pruned by
    Hyperband, with an epoch as the unit of its budget; the same seed gives the same trials.
    """
    import optuna

    ranges, metric = space(run.kind, run.name), examiner.objective.metric
    trials: list[Trial] = []

    def objective(proposed: optuna.Trial) -> float:
        values = {
            one.name: one.value(proposed.suggest_float(one.label, one.low, one.high, log=True))
            for one in ranges
        }
        trials.append(train_trial(task, run, examiner, proposed, values))
        if trials[-1].stopped:
            raise optuna.TrialPruned
        return trials[-1].validation_metric[-1]

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(
            # Hyperband assigns trials to brackets by this name.
            study_name=f"{run.kind} {run.name} {run.seed}",
            direction="maximize" if metric.higher_is_better else "minimize",
            sampler=optuna.samplers.TPESampler(seed=run.seed),
            pruner=optuna.pruners.HyperbandPruner(max_resource=task.epochs),
        )
        study.enqueue_trial({one.label: one.start for one in ranges})
        study.optimize(objective, n_trials=run.trials)
    finally:
        optuna.logging.set_verbosity(verbosity)
    ended = [number for number, trial in enumerate(trials) if not trial.stopped]
    worths = {number: metric.worth(trials[number].validation_metric[-1]) for number in ended}
    return Tuning(run, tuple(trials), max(ended, key=worths.__getitem__, default=None))


def train_trial(
    task: Task,
    search: Search,
    examiner: Examiner,
    proposed: "optuna.Trial",
    values: dict[str, float],
) -> Trial:
    """Train one set of arguments, ours only, until it ends or is pruned."""
    started = time.perf_counter()
    rate = values.pop(RATE)
    run = Run(search.kind, search.name, rate, search.seed, tuple(values.items()))
    trainee = Trainee(task.contender(run).ours, task, run.seed, examiner)
    for epoch, rows in task.batches(run.seed):
        trainee.train(epoch, rows)
        proposed.report(trainee.validations[-1][1], epoch + 1)
        if not trainee.stopped and epoch + 1 < task.epochs and proposed.should_prune():
            trainee.stopped = PRUNED
        if trainee.stopped:
            break
    metrics = tuple(metric for _, metric in trainee.validations[1:])
    return Trial(
        rate=rate,
        arguments=run.arguments,
        validation_metric=metrics,
        steps=len(metrics) * task.steps_per_epoch,
        seconds=time.perf_counter() - started,
        stopped=trainee.stopped,
    )
