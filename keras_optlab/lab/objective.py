"""The loss that the runs of a comparison minimize, and the metric that ranks its rows."""

import math
from dataclasses import dataclass
from typing import Any, final

import keras
import numpy as np

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.data import Dataset
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.results import Metric
from keras_optlab.lab.user_code import load_function

PROBED = 256
TINY = np.finfo(np.float32).tiny
CrossEntropy = keras.losses.SparseCategoricalCrossentropy
Accuracy = keras.metrics.SparseCategoricalAccuracy


@final
@dataclass(frozen=True)
class Choice:
    """The metric that the user asks for."""

    # Any metric that `compile` takes, `loss`, or `module:function` for a function of targets and
    # outputs; None for the model's first metric, or else accuracy or mean absolute error.
    name: str | None = None
    higher_is_better: bool | None = None  # None for what Keras says


@final
class Objective:
    """Loss and metric of a model on the validation rows.

    A model compiled by its function keeps its loss and its first metric. Otherwise the loss is
    cross-entropy or the mean squared error. An `InputError` says what does not fit the data.
    """

    def __init__(self, model: keras.Model, dataset: Dataset, choice: Choice | None = None) -> None:
        choice = choice or Choice()
        self.model, self.dataset = model, dataset
        outputs = probe(model, dataset)
        self.from_logits = not dataset.is_regression and is_from_logits(outputs)
        self.check(outputs)
        name = self.compile(choice.name, outputs)
        self.metric = Metric(name, self.is_higher_better(name, choice.higher_is_better))
        # Class accuracy, and cross-entropy if it is the plain mean over all rows, are computed here
        # in float64. The type counts, because a user's metric may be called accuracy too.
        options, plain = cross_entropy_options(model.loss) or {}, CrossEntropy().get_config()
        is_plain = all(options.get(part) == plain[part] for part in ("reduction", "ignore_class"))
        accuracies = [one.name for one in self.metrics() if type(one) is Accuracy]
        self.in_float64 = not dataset.is_regression and is_plain and name in accuracies
        self.guess = self.guessed(outputs)

    def check(self, outputs: np.ndarray) -> None:
        """Refuse outputs, or a Keras loss, that do not fit the labels or targets."""
        model, dataset = self.model, self.dataset
        classes, targets, shape = len(dataset.classes), dataset.y_train.shape[1:], outputs.shape
        is_binary = classes == 2 and shape[1:] == (1,) and model.compiled
        if dataset.is_regression:
            fits = model.compiled or math.prod(shape[1:]) == math.prod(targets)
            wanted = f"each target, of shape {targets}, or be compiled with a loss that fits"
        else:
            fits = is_binary or (len(shape) == 2 and shape[1] >= classes)
            wanted = f"each of the {classes} classes, logits or probabilities"
        if not fits:
            raise InputError(
                f"the model must have one output for {wanted}. Received: outputs of shape {shape}"
            )
        if dataset.is_regression or is_binary or not model.compiled:
            return
        options, loss = cross_entropy_options(model.loss), model.loss
        if options is not None and options["from_logits"] != self.from_logits:
            raise InputError(
                f"the model's outputs are {'logits' if self.from_logits else 'probabilities'}, but "
                f"it is compiled with from_logits={options['from_logits']}, which would train it "
                f"wrongly; compile it with from_logits={self.from_logits}, or return it uncompiled"
            )
        given = keras.losses.get(loss) if isinstance(loss, str) else loss
        if options is None and getattr(given, "__module__", "").startswith("keras."):
            raise InputError(
                "for integer class labels, the Keras loss must be sparse categorical "
                f"cross-entropy. Received: a model compiled with loss={loss!r}; return the model "
                "uncompiled"
            )

    def loss_of(self, model: keras.Model) -> Any:
        """Return the loss for compiling a model that the same function built."""
        if model.compiled:
            return model.loss
        is_regression = self.dataset.is_regression
        return keras.losses.MeanSquaredError() if is_regression else CrossEntropy(self.from_logits)

    def compile(self, wanted: str | None, outputs: np.ndarray) -> str:
        """Compile the model with the metric if needed, and return Keras' name for it."""
        found = self.names(outputs) if self.model.compiled else []
        if wanted in found or (wanted is None and found):
            return wanted or found[0]
        wanted = wanted or ("mean_absolute_error" if self.dataset.is_regression else "accuracy")
        metric: Any = load_function(wanted, "--metric") if ":" in wanted else wanted
        metrics = [] if wanted == "loss" else [metric]
        self.model.compile("sgd", self.loss_of(self.model), metrics=metrics)
        return self.names(outputs, wanted)[0] if metrics else wanted

    def names(self, outputs: np.ndarray, wanted: str = "that of the model") -> list[str]:
        """Return the names of the model's metrics, in the order given to `compile`."""
        try:
            measured = self.measured(self.dataset.y_validation[: len(outputs)], outputs)
        except Exception as error:
            raise InputError(
                f"the metric must be one that `compile` takes for outputs of shape "
                f"{outputs.shape[1:]}. Received: {wanted}, for which Keras raises "
                f"{type(error).__name__}: {error}"
            ) from error
        # Keras 3.12 returns them in alphabetical order.
        ordered = dict.fromkeys([*(metric.name for metric in self.metrics()), *measured])
        return [name for name in ordered if name in measured and name != "loss"]

    def metrics(self) -> list[keras.metrics.Metric]:
        """Return the metrics of the model, including those inside Keras' groups."""
        groups = self.model.metrics
        return [one for group in groups for one in (group, *getattr(group, "metrics", ()))]

    def measured(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """Return the value of each metric of the model."""
        self.model.reset_metrics()
        y, y_pred = map(keras.ops.convert_to_tensor, (targets, outputs))
        values = self.model.compute_metrics(None, y, y_pred)
        return {name: float(np.mean(to_numpy(value))) for name, value in values.items()}

    def is_higher_better(self, name: str, asked: bool | None) -> bool:
        """Whether higher is better, as the user says or as callbacks with `mode="auto"` find."""
        says = [getattr(one, "_direction", None) for one in self.metrics() if one.name == name]
        says = ["down"] if name == "loss" else list(filter(None, says))
        if asked is None and not says:
            raise InputError(
                f"Keras does not say whether a higher {name} is better: give --higher-is-better or "
                "--lower-is-better (`higher_is_better=True` or `False`)"
            )
        return says[0] == "up" if asked is None else asked

    def score(self, outputs: np.ndarray) -> tuple[float, float]:
        """Return loss and metric of outputs for the validation rows; NaN if any is not finite."""
        targets = self.dataset.y_validation
        if not np.isfinite(outputs).all():
            return math.nan, math.nan
        if self.in_float64:
            return self.cross_entropy(outputs.astype(np.float64))
        y, y_pred = map(keras.ops.convert_to_tensor, (targets, outputs))
        loss = float(to_numpy(self.model.compute_loss(None, y, y_pred)))
        is_loss = self.metric.name == "loss"
        return loss, loss if is_loss else self.measured(targets, outputs)[self.metric.name]

    def cross_entropy(self, outputs: np.ndarray) -> tuple[float, float]:
        """Return the mean cross-entropy and accuracy of float64 outputs."""
        labels = self.dataset.y_validation
        if self.from_logits:
            outputs -= outputs.max(axis=1, keepdims=True)
            outputs -= np.log(np.exp(outputs).sum(axis=1, keepdims=True))
        else:
            outputs = np.log(np.maximum(outputs, TINY))
        right = np.take_along_axis(outputs, labels[:, None], axis=1)
        return float(-right.mean()), float((outputs.argmax(axis=1) == labels).mean())

    def guessed(self, outputs: np.ndarray) -> tuple[float, float] | None:
        """Return the score of a predictor that ignores the features.

        It answers with the mean of the targets, or with the frequency of each class. None if the
        meaning of the outputs is unclear.
        """
        targets, shape = self.dataset.y_train, outputs.shape[1:]
        if self.dataset.is_regression:
            answer = targets.mean(axis=0, dtype=np.float64)
            if answer.size != math.prod(shape):
                return None
        else:
            answer = np.bincount(targets, minlength=shape[0]) / len(targets)
            if shape == (1,):
                answer = np.clip(answer[1:], 1e-7, 1 - 1e-7)
            if self.from_logits:
                others = 1 - answer if shape == (1,) else 1.0
                answer = np.log(np.maximum(answer, TINY) / others)
        rows = len(self.dataset.y_validation)
        return self.score(np.repeat(answer.reshape(1, *shape).astype(outputs.dtype), rows, axis=0))

    def is_hopeless(self, loss: float, metric: float) -> bool:
        """Whether neither the loss nor the metric of a score is better than guessing."""
        guess = self.guess
        return bool(guess) and loss >= guess[0] and not self.metric.is_better(metric, guess[1])


def probe(model: keras.Model, dataset: Dataset) -> np.ndarray:
    """Return the outputs of a model for some rows."""
    try:
        outputs = model.predict_on_batch(dataset.x_validation[:PROBED])
    except Exception as error:
        raise InputError(
            f"the model does not take examples of shape {dataset.x_train.shape[1:]}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(outputs, np.ndarray):
        raise InputError(f"the model must have one output. Received: {type(outputs)}")
    return outputs


def is_from_logits(outputs: np.ndarray) -> bool:
    """Whether outputs are logits rather than class probabilities."""
    if outputs.shape[-1] == 1:
        has_shares = outputs.max() <= 1
    else:
        has_shares = np.abs(outputs.sum(axis=-1, dtype=np.float64) - 1).max() < 0.01
    return not (has_shares and outputs.min() >= 0)


def cross_entropy_options(loss: Any) -> dict[str, Any] | None:
    """Return the options of a loss if it is sparse categorical cross-entropy, else None."""
    given = keras.losses.get(loss) if isinstance(loss, str) else loss
    if given is keras.losses.sparse_categorical_crossentropy:
        given = CrossEntropy()
    return given.get_config() if isinstance(given, CrossEntropy) else None
