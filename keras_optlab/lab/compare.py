"""Training the same network by ours and by the built-in, and what came out as plain numbers."""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any, final

import keras
import numpy as np

from keras_optlab.lab import network
from keras_optlab.lab.contenders import (
    Contender,
    Side,
    optimizer_contender,
    schedule_contenders,
)
from keras_optlab.lab.data import Dataset
from keras_optlab.lab.errors import InputError
from keras_optlab.version import __version__


@final
@dataclass(frozen=True)
class Settings:
    """What to compare, and how.

    Args:
        optimizers: Names of algorithms.
        schedules: Names of schedules; `OneCycle` is the callback.
        epochs: Integer >= 1.
        batch_size: Integer >= 1.
        seed: Integer >= 0, of the initial weights and the order of the batches.
    """

    optimizers: tuple[str, ...]
    schedules: tuple[str, ...]
    epochs: int
    batch_size: int
    seed: int


@final
@dataclass(frozen=True)
class Training:
    """What one training came to.

    Args:
        validation_loss: Before the first epoch and after each.
        validation_accuracy: The same of the accuracy, from 0 to 1.
        training_loss: Mean over each epoch.
        step_seconds: Median time of a training step, the first one not counted.
    """

    validation_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...]
    training_loss: tuple[float, ...]
    step_seconds: float


@final
@dataclass(frozen=True)
class Comparison:
    """One contender's result.

    Args:
        kind: `"optimizer"` or `"schedule"`.
        name: Name of the class.
        setting: Its arguments, as they would be typed.
        note: What a reader has to know.
        learning_rate: That of each step.
        ours: This package's training.
        built_in: Keras', or None where Keras has nothing of the kind.
        weight_difference: Largest difference between two final weights, relative to the largest
            distance that a weight of that variable travelled; of the worst variable.
        time_ratio: Time of our step, relative to Keras'.
    """

    kind: str
    name: str
    setting: str
    note: str
    learning_rate: tuple[float, ...]
    ours: Training
    built_in: Training | None
    weight_difference: float | None
    time_ratio: float | None


@final
@dataclass(frozen=True)
class Results:
    """All of a comparison: enough to draw it, and to do it again."""

    settings: Settings
    data: dict[str, Any]
    versions: dict[str, str]
    seconds: float
    comparisons: tuple[Comparison, ...]

    def of_kind(self, kind: str) -> list[Comparison]:
        """The comparisons of optimizers, or those of schedules."""
        return [comparison for comparison in self.comparisons if comparison.kind == kind]


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
    """One side of a contender while it trains, an epoch at a time.

    Args:
        side: What goes into `compile` and `fit`.
        dataset: `Dataset`.
        settings: `Settings`.
        examiner: A model of the same layers, compiled once for all, to validate with.
    """

    def __init__(
        self, side: Side, dataset: Dataset, settings: Settings, examiner: keras.Model
    ) -> None:
        self.dataset = dataset
        self.settings = settings
        self.examiner = examiner
        self.stopwatch = Stopwatch()
        self.callbacks = [self.stopwatch, *side.callbacks()]
        self.model = new_network(dataset, settings)
        self.initial = self.model.get_weights()
        self.model.compile(
            side.optimizer(), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        self.validations = [self.validate()]
        self.training_loss: list[float] = []

    def train(self, epoch: int, rows: np.ndarray) -> None:
        """One epoch, over these rows in this order."""
        history = self.model.fit(
            self.dataset.x_train[rows],
            self.dataset.y_train[rows],
            batch_size=self.settings.batch_size,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            verbose=0,
            callbacks=self.callbacks,
        )
        self.training_loss += history.history["loss"]
        self.validations.append(self.validate())

    def validate(self) -> tuple[float, float]:
        """Loss and accuracy on the validation rows."""
        self.examiner.set_weights(self.model.get_weights())
        rows = range(0, len(self.dataset.x_validation), 1024)
        batches = [self.dataset.x_validation[start : start + 1024] for start in rows]
        outputs = [self.examiner.predict_on_batch(batch) for batch in batches]
        logits = np.concatenate(outputs).astype(np.float64)
        logits -= logits.max(axis=1, keepdims=True)
        labels = self.dataset.y_validation
        right = np.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
        losses = np.log(np.exp(logits).sum(axis=1)) - right
        return float(losses.mean()), float((logits.argmax(axis=1) == labels).mean())

    def result(self) -> Training:
        """What the training came to."""
        losses, accuracies = zip(*self.validations, strict=True)
        return Training(
            validation_loss=losses,
            validation_accuracy=accuracies,
            training_loss=tuple(self.training_loss),
            step_seconds=float(np.median(self.stopwatch.seconds[1:] or self.stopwatch.seconds)),
        )


def compare(
    dataset: Dataset, settings: Settings, progress: Callable[[str, int, int], None]
) -> Results:
    """Train everything that the settings name.

    Args:
        dataset: `Dataset`.
        settings: `Settings`.
        progress: Called before each contender with its name, how many are done, and how many
            there are.

    Raises:
        InputError: If there are fewer training rows than make one batch.
    """
    steps = len(dataset.x_train) // settings.batch_size
    if not steps:
        raise InputError(
            f"--batch-size must be at most the number of training rows, {len(dataset.x_train)}. "
            f"Received: {settings.batch_size}"
        )
    contenders = [
        *(optimizer_contender(name) for name in settings.optimizers),
        *schedule_contenders(list(settings.schedules), steps * settings.epochs),
    ]
    examiner = new_network(dataset, settings)
    started = time.perf_counter()
    comparisons: list[Comparison] = []
    for number, contender in enumerate(contenders):
        progress(contender.name, number, len(contenders))
        comparisons.append(duel(contender, dataset, settings, examiner))
    return Results(
        settings=settings,
        data={
            "name": dataset.name,
            "features": dataset.x_train.shape[1],
            "classes": list(dataset.classes),
            "training_rows": len(dataset.x_train),
            "validation_rows": len(dataset.x_validation),
            "steps_per_epoch": steps,
        },
        versions=versions(),
        seconds=time.perf_counter() - started,
        comparisons=tuple(comparisons),
    )


def duel(
    contender: Contender, dataset: Dataset, settings: Settings, examiner: keras.Model
) -> Comparison:
    """Train both sides on the same batches, an epoch by turns, so that both meet the same load."""
    ours = Trainee(contender.ours, dataset, settings, examiner)
    built_in = contender.built_in and Trainee(contender.built_in, dataset, settings, examiner)
    trainees = [ours, built_in] if built_in else [ours]
    steps = len(dataset.x_train) // settings.batch_size
    random = np.random.default_rng(settings.seed)
    for epoch in range(settings.epochs):
        # Full batches only: a shorter one would have to be compiled for itself.
        rows = random.permutation(len(dataset.x_train))[: steps * settings.batch_size]
        for trainee in trainees:
            trainee.train(epoch, rows)
        trainees.reverse()
    our_result = ours.result()
    their_result = built_in.result() if built_in else None
    return Comparison(
        kind=contender.kind,
        name=contender.name,
        setting=contender.setting,
        note=contender.note,
        learning_rate=tuple(contender.rate_at(step) for step in range(steps * settings.epochs)),
        ours=our_result,
        built_in=their_result,
        weight_difference=weight_difference(ours, built_in) if built_in else None,
        time_ratio=our_result.step_seconds / their_result.step_seconds if their_result else None,
    )


def weight_difference(ours: Trainee, built_in: Trainee) -> float:
    """See `Comparison.weight_difference`."""
    worst = 0.0
    weights = zip(
        built_in.initial, built_in.model.get_weights(), ours.model.get_weights(), strict=True
    )
    for start, theirs, mine in weights:
        distance = np.abs(theirs - start).max()
        difference = np.abs(mine - theirs).max()
        worst = max(worst, float(difference / distance) if difference else 0.0)
    return worst


def new_network(dataset: Dataset, settings: Settings) -> keras.Model:
    """The network for a dataset, not compiled yet."""
    return network.build(dataset.x_train.shape[1], len(dataset.classes), settings.seed)


def versions() -> dict[str, str]:
    """What the numbers were made with."""
    backend = keras.backend.backend()
    return {
        "keras-optlab": __version__,
        "keras": keras.__version__,
        "backend": backend,
        backend: metadata.version(backend),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
