"""One run of a comparison: the same model trained with ours and with the built-in."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, final

import keras
import numpy as np

from keras_optlab.lab import contenders, network
from keras_optlab.lab.contenders import Contender, Side
from keras_optlab.lab.data import Dataset
from keras_optlab.lab.network import ModelSource
from keras_optlab.lab.objective import Choice, Objective
from keras_optlab.lab.results import DIVERGED, HOPELESS, Duel, Run, Training

VALIDATION_BATCH = 1024


@final
@dataclass(frozen=True)
class Task:
    """Everything that all runs of a comparison share."""

    dataset: Dataset
    model: ModelSource
    epochs: int
    batch_size: int  # at most the number of training rows
    built_in: bool  # whether to train Keras' built-ins too
    metric: Choice = field(default_factory=Choice)

    @property
    def steps_per_epoch(self) -> int:
        """The number of full batches; a shorter one would have to be compiled separately."""
        return len(self.dataset.x_train) // self.batch_size

    @property
    def steps(self) -> int:
        """The number of steps in all epochs."""
        return self.steps_per_epoch * self.epochs

    def contender(self, run: Run) -> Contender:
        """Return the contender that a run trains."""
        return contenders.contender(run.kind, run.name, run.rate, self.steps, run.arguments)

    def batches(self, seed: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield each epoch and its rows, in training order."""
        random = np.random.default_rng(seed)
        for epoch in range(self.epochs):
            rows = random.permutation(len(self.dataset.x_train))
            yield epoch, rows[: self.steps_per_epoch * self.batch_size]


@final
class Examiner:
    """A model with the same layers, compiled once to validate all runs."""

    def __init__(self, task: Task) -> None:
        self.model = network.build(task.model, task.dataset, seed=0)
        self.objective = Objective(self.model, task.dataset, task.metric)
        # A copy: rows shared by another process are read-only, which torch complains about.
        x = np.array(task.dataset.x_validation)
        self.batches = np.split(x, range(VALIDATION_BATCH, len(x), VALIDATION_BATCH))

    def validate(self, weights: list[np.ndarray]) -> tuple[float, float]:
        """Return loss and metric on the validation rows; NaN if an output is not finite."""
        self.model.set_weights(weights)
        outputs = [self.model.predict_on_batch(batch) for batch in self.batches]
        return self.objective.score(np.concatenate(outputs))


@final
class Trainee:
    """One side of a contender while it trains, one epoch at a time."""

    def __init__(self, side: Side, task: Task, seed: int, examiner: Examiner) -> None:
        self.task, self.seed, self.examiner = task, seed, examiner
        # When each step begins, and when its loss is available.
        self.times: list[float] = []
        clock = dict.fromkeys(("on_train_batch_begin", "on_train_batch_end"), self.note_time)
        self.callbacks = [keras.callbacks.LambdaCallback(**clock), *side.callbacks()]
        self.model = network.build(task.model, task.dataset, seed)
        self.initial = self.model.get_weights()
        self.model.compile(side.optimizer(), examiner.objective.loss_of(self.model))
        self.validations = [examiner.validate(self.initial)]
        self.training_loss: list[float] = []
        self.stopped = ""

    def note_time(self, batch: int, logs: dict[str, Any] | None) -> None:
        self.times.append(time.perf_counter())

    def train(self, epoch: int, rows: np.ndarray) -> None:
        """Train one epoch on these rows, in this order; do nothing if the training has ended."""
        if self.stopped:
            return
        if self.task.model is not None:
            # Dropout on torch draws from the process's generator; seed it equally for both sides.
            seeds = np.random.SeedSequence((self.seed, epoch))
            network.set_seed(int(seeds.generate_state(1)[0]))
        fit: Any = self.model.fit
        history = fit(
            self.task.dataset.x_train[rows],
            self.task.dataset.y_train[rows],
            batch_size=self.task.batch_size,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            callbacks=self.callbacks,
        )
        self.training_loss += history.history["loss"]
        self.validations.append(self.examiner.validate(self.model.get_weights()))
        objective, epochs = self.examiner.objective, (epoch + 1, self.task.epochs)
        last = self.validations[-1], self.training_loss[-1]
        self.stopped = reason_to_stop(objective, epochs, *last)

    def result(self) -> Training:
        """Return the result of the training."""
        losses, metrics = zip(*self.validations, strict=True)
        seconds = np.diff(self.times)[::2]
        return Training(
            validation_loss=losses,
            validation_metric=metrics,
            training_loss=tuple(self.training_loss),
            step_seconds=float(np.median(seconds[1:] if len(seconds) > 1 else seconds)),
            stopped=self.stopped,
        )


def reason_to_stop(
    objective: Objective, epochs: tuple[int, int], score: tuple[float, float], training_loss: float
) -> str:
    """Return the reason to stop a training after some epochs, or an empty string.

    It has diverged if a loss, the metric or an output is NaN or infinite. It is hopeless if, once
    half of the epochs and at least two are over, neither its loss nor its metric is better than
    that of a predictor that ignores the features and answers with the frequency of each class, or
    the mean of the targets. A run is judged alone, so its end does not depend on other runs.
    """
    over, planned = epochs
    if not all(map(math.isfinite, (*score, training_loss))):
        return DIVERGED
    is_late = max(2, math.ceil(planned / 2)) <= over < planned
    return HOPELESS if is_late and objective.is_hopeless(*score) else ""


def duel(contender: Contender, task: Task, run: Run, examiner: Examiner) -> Duel:
    """Train both sides on the same batches, taking turns by epoch, so that both see the same load.

    The numbers do not depend on where a run is trained, or on which others are trained.
    """
    sides = [contender.ours, contender.built_in if task.built_in else None]
    ours, built_in = (side and Trainee(side, task, run.seed, examiner) for side in sides)
    trainees = [trainee for trainee in (ours, built_in) if trainee]
    for epoch, rows in task.batches(run.seed):
        for trainee in trainees:
            trainee.train(epoch, rows)
        trainees.reverse()
    return Duel(
        run=run,
        ours=ours.result(),
        built_in=built_in.result() if built_in else None,
        weight_difference=weight_difference(ours, built_in) if built_in else None,
    )


def weight_difference(ours: Trainee, built_in: Trainee) -> float | None:
    """Compute `Duel.weight_difference`."""
    if ours.stopped or built_in.stopped:
        return None
    worst = 0.0
    weights = (built_in.initial, built_in.model.get_weights(), ours.model.get_weights())
    for start, theirs, mine in zip(*weights, strict=True):
        difference = float(np.abs(mine - theirs).max(initial=0.0))
        distance = float(np.abs(theirs - start).max(initial=0.0))
        if difference:
            worst = max(worst, difference / distance if distance else math.inf)
    return worst
