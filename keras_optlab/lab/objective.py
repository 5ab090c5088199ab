"""What the runs of a comparison minimize, and the metric by which its rows are ordered."""

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

ACCURACY = "accuracy"
ERROR = "mean_absolute_error"
CROSS_ENTROPY = "sparse_categorical_crossentropy"
PROBED = 256
TINY = np.finfo(np.float32).tiny


@final
@dataclass(frozen=True)
class Choice:
    """The metric that the user asks for."""

    # Any that `compile` takes, `loss`, or `module:function` for a function of targets and outputs;
    # None for the model's first, or else accuracy or the mean absolute error.
    name: str | None = None
    higher_is_better: bool | None = None  # None for what Keras says


@final
class Objective:
    """Loss and metric of a model on the validation rows.

    A model that its function compiles keeps its loss, and its first metric. Otherwise the loss is
    cross-entropy or the mean squared error. An `InputError` says what does not fit the data.
    """

    def __init__(self, model: keras.Model, dataset: Dataset, choice: Choice | None = None) -> None:
        choice = choice or Choice()
        self.model, self.dataset = model, dataset
        outputs = probe(model, dataset)
        self.from_logits = not dataset.is_regression and is_from_logits(outputs)
        check_outputs(model, dataset, outputs, self.from_logits)
        is_cross_entropy = not model.compiled or is_plain_cross_entropy(model.loss)
        name = self.compile(choice.name, outputs)
        self.metric = Metric(name, self.direction(name, choice.higher_is_better))
        # The accuracy and the cross-entropy of classes are computed here, in float64.
        self.in_float64 = (
            not dataset.is_regression and is_cross_entropy and self.is_accuracy_of_keras(name)
        )
        self.guess = self.guessed(outputs)

    def loss_of(self, model: keras.Model) -> Any:
        """The loss for `compile` of a model of the same function."""
        if model.compiled:
            return model.loss
        if self.dataset.is_regression:
            return keras.losses.MeanSquaredError()
        return keras.losses.SparseCategoricalCrossentropy(from_logits=self.from_logits)

    def compile(self, wanted: str | None, outputs: np.ndarray) -> str:
        """Compile the model with the metric, and find what Keras calls it."""
        found = self.names(outputs) if self.model.compiled else []
        if wanted in found or (wanted is None and found):
            return wanted or found[0]
        wanted = wanted or (ERROR if self.dataset.is_regression else ACCURACY)
        metric = load_function(wanted, "--metric") if ":" in wanted else wanted
        metrics = [] if wanted == "loss" else [metric]
        self.model.compile("sgd", self.loss_of(self.model), metrics=metrics)
        return wanted if wanted == "loss" else self.names(outputs, wanted)[0]

    def names(self, outputs: np.ndarray, wanted: str = "that of the model") -> list[str]:
        """The names of the metrics that the model is compiled with, in the order of `compile`."""
        try:
            measured = self.measured(self.dataset.y_validation[: len(outputs)], outputs)
        except Exception as error:
            raise InputError(
                f"the metric must be one that `compile` takes for outputs of shape "
                f"{outputs.shape[1:]}. Received: {wanted}, of which Keras says "
                f"{type(error).__name__}: {error}"
            ) from error
        # Keras 3.12 returns them in alphabetical order.
        order = [metric.name for metric in self.metrics()]
        found = [name for name in measured if name != "loss"]
        return sorted(found, key=lambda name: order.index(name) if name in order else len(order))

    def metrics(self) -> list[keras.metrics.Metric]:
        """The metrics of the model, those inside of Keras' groups too."""
        groups = self.model.metrics
        return [one for group in groups for one in (group, *getattr(group, "metrics", ()))]

    def measured(self, targets: np.ndarray, outputs: np.ndarray) -> dict[str, float]:
        """Each metric of the model."""
        self.model.reset_metrics()
        y, y_pred = map(keras.ops.convert_to_tensor, (targets, outputs))
        values = self.model.compute_metrics(None, y, y_pred)
        return {name: float(np.mean(to_numpy(value))) for name, value in values.items()}

    def is_accuracy_of_keras(self, name: str) -> bool:
        """Whether a metric is Keras' accuracy of classes, not the user's of the same name."""
        kind = keras.metrics.SparseCategoricalAccuracy
        return any(type(one) is kind and one.name == name for one in self.metrics())

    def direction(self, name: str, asked: bool | None) -> bool:
        """Whether a metric is better where it is higher: what is asked for, or what Keras says."""
        if asked is not None:
            return asked
        if name == "loss":
            return False
        for metric in self.metrics():
            # As callbacks with `mode="auto"` find it.
            says = getattr(metric, "_direction", None)
            if metric.name == name and says is not None:
                return says == "up"
        raise InputError(
            f"Keras does not say whether a higher {name} is better: give --higher-is-better or "
            "--lower-is-better (`higher_is_better=True` or `False`)"
        )

    def score(self, outputs: np.ndarray) -> tuple[float, float]:
        """Loss and metric of outputs for the validation rows; NaN if one is not finite."""
        targets = self.dataset.y_validation
        if not np.isfinite(outputs).all():
            return math.nan, math.nan
        if self.in_float64:
            return cross_entropy(outputs, targets, self.from_logits)
        y, y_pred = map(keras.ops.convert_to_tensor, (targets, outputs))
        loss = float(to_numpy(self.model.compute_loss(None, y, y_pred)))
        if self.metric.name == "loss":
            return loss, loss
        return loss, self.measured(targets, outputs)[self.metric.name]

    def guessed(self, outputs: np.ndarray) -> tuple[float, float] | None:
        """The score of one who does not look at the features.

        That one answers with the mean of the targets, or with the frequency of each class. None
        for outputs of which it is not plain what they mean.
        """
        answer = constant_answer(self.dataset, outputs, self.from_logits)
        if answer is None:
            return None
        rows = len(self.dataset.y_validation)
        return self.score(np.repeat(answer[None].astype(outputs.dtype), rows, axis=0))

    def is_hopeless(self, loss: float, metric: float) -> bool:
        """Whether a score is no better than guessing, by loss and by metric."""
        if self.guess is None:
            return False
        return loss >= self.guess[0] and not self.metric.is_better(metric, self.guess[1])


def probe(model: keras.Model, dataset: Dataset) -> np.ndarray:
    """What a model answers to some rows."""
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
    """Whether outputs are logits; if not, they are probabilities of classes."""
    sums = outputs.astype(np.float64).sum(axis=-1)
    if outputs.shape[-1] == 1:
        return not (outputs.min() >= 0 and outputs.max() <= 1)
    return not (outputs.min() >= 0 and np.abs(sums - 1).max() < 0.01)


def check_outputs(
    model: keras.Model, dataset: Dataset, outputs: np.ndarray, from_logits: bool
) -> None:
    """Refuse outputs, or a loss of the user's, that do not fit the labels or targets."""
    classes, shape = len(dataset.classes), outputs.shape
    if dataset.is_regression:
        targets = dataset.y_train.shape[1:]
        if math.prod(shape[1:]) != math.prod(targets) and not model.compiled:
            raise InputError(
                f"the model must have one output for each target, of shape {targets}. Received: "
                f"outputs of shape {shape}; compile it with the loss that it is meant for"
            )
        return
    is_binary = classes == 2 and shape[1:] == (1,) and model.compiled
    if not is_binary and (len(shape) != 2 or shape[1] < classes):
        raise InputError(
            f"the model must have one output for each of the {classes} classes, logits or "
            f"probabilities. Received: outputs of shape {shape}"
        )
    if model.compiled and not is_binary:
        check_loss(model.loss, from_logits)


def sparse_cross_entropy(loss: Any) -> dict[str, Any] | None:
    """The options of a loss if it is sparse categorical cross-entropy."""
    given = keras.losses.get(loss) if isinstance(loss, str) else loss
    if given is keras.losses.sparse_categorical_crossentropy:
        return keras.losses.SparseCategoricalCrossentropy().get_config()
    if isinstance(given, keras.losses.SparseCategoricalCrossentropy):
        return given.get_config()
    return None


def is_plain_cross_entropy(loss: Any) -> bool:
    """Whether a loss is sparse categorical cross-entropy, whose mean over all rows is meant."""
    options, plain = sparse_cross_entropy(loss), sparse_cross_entropy(CROSS_ENTROPY) or {}
    names = ("reduction", "ignore_class")
    return options is not None and all(options[name] == plain[name] for name in names)


def check_loss(loss: Any, from_logits: bool) -> None:
    """Refuse a loss of Keras that takes other labels, or other outputs."""
    given: Any = keras.losses.get(loss) if isinstance(loss, str) else loss
    options = sparse_cross_entropy(given)
    if options is not None and options["from_logits"] != from_logits:
        raise InputError(
            f"the model's outputs are {'logits' if from_logits else 'probabilities'}, but it is "
            f"compiled with from_logits={options['from_logits']}, which would train it wrongly; "
            "return it without compiling it"
        )
    home = getattr(given, "__module__", type(given).__module__)
    if options is None and home.startswith("keras."):
        raise InputError(
            "the loss of Keras for classes that are numbered is sparse categorical cross-entropy. "
            f"Received: a model compiled with loss={loss!r}; return it without compiling it"
        )


def cross_entropy(
    outputs: np.ndarray, labels: np.ndarray, from_logits: bool
) -> tuple[float, float]:
    """Mean cross-entropy and accuracy, in float64."""
    outputs = outputs.astype(np.float64)
    if from_logits:
        outputs -= outputs.max(axis=1, keepdims=True)
        outputs -= np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    else:
        outputs = np.log(np.maximum(outputs, TINY))
    right = np.take_along_axis(outputs, labels[:, None], axis=1)
    return float(-right.mean()), float((outputs.argmax(axis=1) == labels).mean())


def constant_answer(dataset: Dataset, outputs: np.ndarray, from_logits: bool) -> np.ndarray | None:
    """The output, for one row, of one who knows the targets to train on and no features."""
    if dataset.is_regression:
        mean = dataset.y_train.mean(axis=0, dtype=np.float64)
        shape = outputs.shape[1:]
        return mean.reshape(shape) if mean.size == math.prod(shape) else None
    width = outputs.shape[1]
    frequency = np.bincount(dataset.y_train, minlength=width) / len(dataset.y_train)
    if width == 1:
        one = np.clip(frequency[1:], 1e-7, 1 - 1e-7)
        return np.log(one / (1 - one)) if from_logits else one
    return np.log(np.maximum(frequency, TINY)) if from_logits else frequency
