"""What comparisons train: a small network, or the model that a function of the user's builds."""

import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_optlab.keras_glue.hooks import replace_global_seed_generator
from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.lab.data import Dataset
from keras_optlab.lab.errors import InputError
from keras_optlab.lab.user_code import load_function

HIDDEN_UNITS = 32
# So often a model is built anew to find two that are equal.
BUILDS = 10

# None for the small network, a function that builds a model, or `module:function`.
ModelSource = str | Callable[[], keras.Model] | None


def build(source: ModelSource, dataset: Dataset, seed: int) -> keras.Model:
    """A new model; the same seed gives the same initial weights.

    Keras draws the seeds of initializers and of dropout from the one random generator that all
    threads of a process share, and those of a Dask worker or a notebook use it too. A model of the
    user's is therefore built until two in a row are equal.

    Args:
        source: None for the small network, a function that builds a model, or the name of one.
        dataset: What it is for.
        seed: Integer.

    Raises:
        InputError: If the function fails, or builds what cannot be compared.
    """
    if source is None:
        return small_network(dataset.x_train.shape[1:], len(dataset.classes), seed)
    function = load_function(source, "--model") if isinstance(source, str) else source
    model = build_once(function, dataset, seed)
    state = state_of(model)
    for _ in range(BUILDS):
        again = build_once(function, dataset, seed)
        if again is model:
            raise InputError(
                "the function that builds the model must build a new one each time it is called. "
                "Received: the same one twice"
            )
        model, before, state = again, state, state_of(again)
        if len(state) == len(before) and all(map(np.array_equal, state, before)):
            return model
    raise InputError(
        "the function that builds the model gives other initial weights each time, though the "
        "random seed is the same: its initializers must take their seeds from Keras"
    )


def build_once(function: Callable[[], Any], dataset: Dataset, seed: int) -> keras.Model:
    """A model of a function, with weights."""
    set_seed(seed)
    try:
        model = function()
        if isinstance(model, keras.Model) and not model.built:
            model(keras.ops.convert_to_tensor(dataset.x_train[:1]))
    except Exception as error:
        raise InputError(
            f"the function that builds the model failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, keras.Model):
        raise InputError(
            "the function that builds the model must return a keras.Model. "
            f"Received: {type(model).__name__}"
        )
    if not model.trainable_variables:
        raise InputError("the model has no weights to train")
    return model


def set_seed(seed: int) -> None:
    """Do as `keras.utils.set_random_seed`, which imports TensorFlow whatever the backend is."""
    if keras.backend.backend() == "tensorflow":
        keras.utils.set_random_seed(seed)
        return
    random.seed(seed)
    np.random.seed(seed)
    if keras.backend.backend() == "torch":
        import torch

        torch.manual_seed(seed)
    # Keras makes a new one when it needs it, of a seed from Python's generator.
    replace_global_seed_generator(None)


def state_of(model: keras.Model) -> list[np.ndarray]:
    """All that a model begins with: weights, and the seeds of dropout."""
    return [to_numpy(variable) for variable in model.variables]


def small_network(shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """A network with one hidden layer.

    Args:
        shape: Of one example.
        classes: Number of outputs, which are logits.
        seed: Integer.
    """

    def layer(units: int, number: int, activation: str | None) -> keras.layers.Layer:
        initializer: Any = keras.initializers.GlorotUniform(seed=seed + number)
        return keras.layers.Dense(units, activation, kernel_initializer=initializer)

    flatten = [keras.layers.Flatten()] if len(shape) > 1 else []
    hidden, outputs = layer(HIDDEN_UNITS, 0, "tanh"), layer(classes, 1, None)
    return keras.Sequential([keras.Input(shape), *flatten, hidden, outputs])


def gives_logits(model: keras.Model, dataset: Dataset) -> bool:
    """Whether a model's outputs are logits; if not, they are probabilities.

    Raises:
        InputError: If they are neither, not one for each class, or the model is compiled with a
            loss that does not fit them.
    """
    try:
        outputs = model.predict_on_batch(dataset.x_validation[:256])
    except Exception as error:
        raise InputError(
            f"the model does not take examples of shape {dataset.x_train.shape[1:]}: "
            f"{type(error).__name__}: {error}"
        ) from error
    classes = len(dataset.classes)
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) != 2 or shape[1] < classes:
        raise InputError(
            f"the model must have one output for each of the {classes} classes, logits or "
            f"probabilities. Received: {f'outputs of shape {shape}' if shape else type(outputs)}"
        )
    sums = outputs.astype(np.float64).sum(axis=1)
    logits = not (outputs.min() >= 0 and np.abs(sums - 1).max() < 0.01)
    if model.compiled:
        check_loss(model.loss, logits)
    return logits


def check_loss(loss: Any, logits: bool) -> None:
    """Refuse a loss of the user's that is not the one with which comparisons train."""
    given = keras.losses.get(loss) if isinstance(loss, str) else loss
    plain = given is keras.losses.sparse_categorical_crossentropy
    from_logits = False
    if isinstance(given, keras.losses.SparseCategoricalCrossentropy):
        config = given.get_config()
        usual = keras.losses.SparseCategoricalCrossentropy().get_config()
        plain = all(config[name] == usual[name] for name in ("reduction", "ignore_class"))
        from_logits = config["from_logits"]
    if not plain:
        raise InputError(
            "models are compared with plain sparse categorical cross-entropy. Received: a model "
            f"compiled with loss={loss!r}; return it without compiling it"
        )
    if from_logits != logits:
        raise InputError(
            f"the model's outputs are {'logits' if logits else 'probabilities'}, but it is "
            f"compiled with from_logits={from_logits}, which would train it wrongly; return it "
            "without compiling it"
        )
