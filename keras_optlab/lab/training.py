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


@final
class Examiner:
    """A model of the same layers, compiled once for all runs, to validate with."""

    def __init__(self, task: Task, seed: int = 0) -> None:
        self.model = network.build(task.model, task.dataset, seed)
        self.objective = Objective(self.model, task.dataset, task.metric)
        x = task.dataset.x_validation
        # Rows that another process shares are read-only, about which torch complains.
        self.batches = [
            np.array(x[start : start + VALIDATION_BATCH])
            for start in range(0, len(x), VALIDATION_BATCH)
        ]

    def validate(self, weights: list[np.ndarray]) -> tuple[float, float]:
        """Loss and metric on the validation rows; NaN if an output is not finite."""
        self.model.set_weights(weights)
        outputs = [self.model.predict_on_batch(batch) for batch in self.batches]
        return self.objective.score(np.concatenate(outputs))


@final
class Stopwatch(keras.callbacks.Callback):
    """Times each training step, from the start of its batch until its loss is known."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self.started)


@final
class Trainee:
    """One side of a contender while it trains, an epoch at a time."""

    def __init__(self, side: Side, task: Task, seed: int, examiner: Examiner) -> None:
        self.task = task
        self.seed = seed
        self.examiner = examiner
        self.stopwatch = Stopwatch()
        self.callbacks = [self.stopwatch, *side.callbacks()]
        self.model = network.build(task.model, task.dataset, seed)
        self.initial = self.model.get_weights()
        self.model.compile(side.optimizer(), examiner.objective.loss_of(self.model))
        self.validations = [examiner.validate(self.initial)]
        self.training_loss: list[float] = []
        self.stopped = ""

    def train(self, epoch: int, rows: np.ndarray) -> None:
        """One epoch, over these rows in this order; nothing if the training was ended."""
        if self.stopped:
            return
        if self.task.model is not None:
            # Dropout on torch draws from the generator of the process: the same for both sides.
            network.set_seed(epoch_seed(self.seed, epoch))
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
        self.stopped = reason_to_stop(
            self.examiner.objective,
            (epoch + 1, self.task.epochs),
            self.validations[-1],
            self.training_loss[-1],
        )

    def result(self) -> Training:
        """What the training came to."""
        losses, metrics = zip(*self.validations, strict=True)
        return Training(
            validation_loss=losses,
            validation_metric=metrics,
            training_loss=tuple(self.training_loss),
            step_seconds=float(np.median(self.stopwatch.seconds[1:] or self.stopwatch.seconds)),
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


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed of its own for each epoch of each seed."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1)[0])


def batches(task: Task, seed: int) -> Iterator[np.ndarray]:
    """The rows of each epoch, in the order in which they are trained on."""
    random = np.random.default_rng(seed)
    for _ in range(task.epochs):
        used = task.steps_per_epoch * task.batch_size
        yield random.permutation(len(task.dataset.x_train))[:used]


def train(task: Task, run: Run, examiner: Examiner) -> Duel:
    """Train both sides of a run: the same wherever it is trained, and with whatever else."""
    steps = task.steps_per_epoch * task.epochs
    contender = contenders.contender(run.kind, run.name, run.rate, steps, run.arguments)
    return duel(contender, task, run, examiner)


def duel(contender: Contender, task: Task, run: Run, examiner: Examiner) -> Duel:
    """Train both sides on the same batches, an epoch by turns, so that both meet the same load."""
    ours = Trainee(contender.ours, task, run.seed, examiner)
    built_in = None
    if task.built_in and contender.built_in:
        built_in = Trainee(contender.built_in, task, run.seed, examiner)
    trainees = [ours, built_in] if built_in else [ours]
    for epoch, rows in enumerate(batches(task, run.seed)):
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
    weights = zip(
        built_in.initial, built_in.model.get_weights(), ours.model.get_weights(), strict=True
    )
    for start, theirs, mine in weights:
        difference = float(np.abs(mine - theirs).max(initial=0.0))
        if difference:
            distance = float(np.abs(theirs - start).max())
            worst = max(worst, difference / distance if distance else math.inf)
    return worst
