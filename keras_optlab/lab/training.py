"""One run of a comparison: the same model trained by ours and by the built-in."""

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
    """What all runs of a comparison share."""

    dataset: Dataset
    model: ModelSource
    epochs: int
    batch_size: int  # at most the number of training rows
    built_in: bool  # whether Keras' own is trained too
    metric: Choice = field(default_factory=Choice)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches only: a shorter one would have to be compiled too."""
        return len(self.dataset.x_train) // self.batch_size

    @property
    def steps(self) -> int:
        """Those of all epochs."""
        return self.steps_per_epoch * self.epochs

    def contender(self, run: Run) -> Contender:
        """What a run trains."""
        return contenders.contender(run.kind, run.name, run.rate, self.steps, run.arguments)

    def batches(self, seed: int) -> Iterator[tuple[int, np.ndarray]]:
        """Each epoch and its rows, in the order in which they are trained on."""
        random = np.random.default_rng(seed)
        for epoch in range(self.epochs):
            rows = random.permutation(len(self.dataset.x_train))
            yield epoch, rows[: self.steps_per_epoch * self.batch_size]


@final
class Examiner:
    """A model of the same layers, compiled once for all runs, to validate with."""

    def __init__(self, task: Task) -> None:
        self.model = network.build(task.model, task.dataset, seed=0)
        self.objective = Objective(self.model, task.dataset, task.metric)
        # Rows that another process shares are read-only, about which torch complains.
        x = np.array(task.dataset.x_validation)
        self.batches = np.split(x, range(VALIDATION_BATCH, len(x), VALIDATION_BATCH))

    def validate(self, weights: list[np.ndarray]) -> tuple[float, float]:
        """Loss and metric on the validation rows; NaN if an output is not finite."""
        self.model.set_weights(weights)
        outputs = [self.model.predict_on_batch(batch) for batch in self.batches]
        return self.objective.score(np.concatenate(outputs))


@final
class Trainee:
    """One side of a contender while it trains, an epoch at a time."""

    def __init__(self, side: Side, task: Task, seed: int, examiner: Examiner) -> None:
        self.task, self.seed, self.examiner = task, seed, examiner
        # When each step begins, and when its loss is known.
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
        """One epoch, over these rows in this order; nothing if the training was ended."""
        if self.stopped:
            return
        if self.task.model is not None:
            # Dropout on torch draws from the generator of the process: the same for both sides.
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
        """What the training came to."""
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
    """Why a training has no prospect after some epochs, or an empty string.

    It has diverged if a loss, the metric or an output is NaN or infinite. It is hopeless if, when
    half of the epochs and at least two are over, both its loss and its metric are no better than
    those of who does not look at the features and answers with the frequency of each class, or the
    mean of the targets. A run is judged alone, so it ends the same whatever others are trained.
    """
    over, planned = epochs
    if not all(map(math.isfinite, (*score, training_loss))):
        return DIVERGED
    is_late = max(2, math.ceil(planned / 2)) <= over < planned
    return HOPELESS if is_late and objective.is_hopeless(*score) else ""


def duel(contender: Contender, task: Task, run: Run, examiner: Examiner) -> Duel:
    """Train both sides on the same batches, an epoch by turns, so that both meet the same load.

    The numbers are the same wherever a run is trained, and with whatever else.
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
    """See `Duel.weight_difference`."""
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
