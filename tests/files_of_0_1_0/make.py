"""Make the files in this folder with the code of 0.1.0; see README.md for the command.

`tests/engine/test_files_of_0_1_0.py` imports it too. NumPy computes the gradients, so they are the
same for each backend.
"""

import json
import pickle
import sys
from pathlib import Path

import keras
import numpy as np

from keras_optlab import ParameterGroup, optimizers, schedules

FOLDER = Path(__file__).parent
STEPS_BEFORE, STEPS_AFTER = 7, 6

GENERATOR = np.random.default_rng(0)
# All of one shape, because a backend compiles once per shape.
START = [GENERATOR.normal(size=(6, 3)) for _ in range(2)]
TOKENS = GENERATOR.integers(0, 6, size=(STEPS_BEFORE + STEPS_AFTER, 16, 2))
TARGETS = GENERATOR.normal(size=(STEPS_BEFORE + STEPS_AFTER, 16, 3))

ALGORITHMS = (
    *("SGD", "RMSprop", "Adam", "AdamW", "Adadelta", "Adagrad", "Adamax"),
    *("Adafactor", "Nadam", "Ftrl", "Lion", "Lamb", "Muon", "ScheduleFreeAdamW"),
)


def adamw():
    return optimizers.AdamW(
        schedules.LinearWarmup(4, then=schedules.CosineDecay(0.05, 20)),
        weight_decay=0.1,
        groups=[
            ParameterGroup("embedding", learning_rate_multiplier=0.5),
            ParameterGroup("dense", weight_decay=0.0, beta_1=0.5),
        ],
    )


# Each has another kind of state.
OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.05, momentum=0.9),
    "adam": lambda: optimizers.Adam(0.05),
    "adamw_with_groups_and_schedule": adamw,
    "adafactor": lambda: optimizers.Adafactor(0.05),
    # The product of its decay rates is also state, one per group.
    "nadam_with_groups": lambda: optimizers.Nadam(
        0.05, groups=[ParameterGroup("dense", beta_1=0.5)]
    ),
    "muon": lambda: optimizers.Muon(0.05),
    "ftrl": lambda: optimizers.Ftrl(0.5, l1_regularization_strength=0.001),
    "schedule_free_adamw": lambda: optimizers.ScheduleFreeAdamW(0.05, weight_decay=0.1),
    "lamb": lambda: optimizers.Lamb(0.05),
    "rmsprop_with_ema": lambda: optimizers.RMSprop(
        0.02, momentum=0.5, centered=True, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=5
    ),
    "adam_in_bfloat16": lambda: optimizers.Adam(0.05),
    "adam_with_slots_in_bfloat16": lambda: optimizers.Adam(0.05, slot_dtype="bfloat16"),
    # Saved between two updates.
    "adam_accumulating": lambda: optimizers.Adam(0.05, gradient_accumulation_steps=3, clipnorm=1.0),
    "sgd_momentum_set_while_training": lambda: optimizers.SGD(0.05, momentum=0.9),
    "lion_beta_2_set_while_training": lambda: optimizers.Lion(0.05),
}
SET_AFTER_4_STEPS = {
    "sgd_momentum_set_while_training": {"momentum": 0.5},
    "lion_beta_2_set_while_training": {"beta_2": 0.5},
}

# One of each class that a file can name.
OBJECTS = [
    *(getattr(optimizers, name)(0.05) for name in ALGORITHMS),
    schedules.CosineDecay(0.1, 20, alpha=0.1, warmup_target=0.2, warmup_steps=3),
    schedules.CosineDecayRestarts(0.1, 20),
    schedules.ExponentialDecay(0.1, 20, 0.5),
    schedules.InverseTimeDecay(0.1, 20, 0.5),
    schedules.LinearWarmup(4, then=0.1),
    schedules.OneCycleLearningRate(0.1, 20),
    schedules.OneCycleMomentum(20),
    schedules.PiecewiseConstantDecay([4, 8], [0.1, 0.05, 0.01]),
    schedules.PolynomialDecay(0.1, 20),
    schedules.PowerDecay(0.1, 20),
    schedules.Sequence([0.1, 0.05], [5]),
    ParameterGroup("bias$", learning_rate_multiplier=0.5, weight_decay=None),
]


def new_model(name: str) -> keras.Model:
    """Return a model before its first step."""
    dtype = "bfloat16" if name == "adam_in_bfloat16" else "float32"
    layers = [
        keras.layers.Input((2,), dtype="int32"),
        keras.layers.Embedding(6, 3, name="embedding", dtype=dtype),
        keras.layers.Flatten(dtype=dtype),
        keras.layers.Dense(3, use_bias=False, name="dense", dtype=dtype),
    ]
    model = keras.Sequential(layers, name="network")
    model.set_weights(START)
    model.compile(OPTIMIZERS[name](), "mse")
    return model


def weights_of(model: keras.Model) -> list[np.ndarray]:
    """Return the weights as float32, which holds bfloat16 exactly."""
    weights = (keras.ops.cast(weight, "float32") for weight in model.trainable_variables)
    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in weights]


def gradients(weights: list[np.ndarray], step: int) -> list[np.ndarray]:
    """Return the gradients of the mean squared error on the batch of a step."""
    table, kernel = (weight.astype("float64") for weight in weights)
    tokens = TOKENS[step]
    inputs = table[tokens].reshape(len(tokens), -1)
    errors = 2 * (inputs @ kernel - TARGETS[step]) / TARGETS[step].size
    of_table = np.zeros_like(table)
    np.add.at(of_table, tokens, (errors @ kernel.T).reshape(*tokens.shape, -1))
    return [of_table, inputs.T @ errors]


def train(model: keras.Model, first: int, last: int, name: str) -> list[np.ndarray]:
    """Take steps `first` to `last - 1` as `fit` would, and return the weights."""
    model.optimizer.build(model.trainable_variables)
    model.optimizer.to_training_point()
    for step in range(first, last):
        found = [
            keras.ops.convert_to_tensor(gradient, variable.dtype)
            for gradient, variable in zip(
                gradients(weights_of(model), step), model.trainable_variables, strict=True
            )
        ]
        model.optimizer.apply(found, model.trainable_variables)
        if step == 3:
            for attribute, value in SET_AFTER_4_STEPS.get(name, {}).items():
                setattr(model.optimizer, attribute, value)
    model.optimizer.to_evaluation_point()
    return weights_of(model)


def make(folder: Path) -> None:
    """Write all files."""
    recorded = {}
    for name in OPTIMIZERS:
        model = new_model(name)
        middle = train(model, 0, STEPS_BEFORE, name)
        model.save(folder / f"{name}.keras")
        model.save_weights(folder / f"{name}.weights.h5")
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(model.optimizer))
        final = train(model, STEPS_BEFORE, STEPS_BEFORE + STEPS_AFTER, name)
        for when, weights in (("middle", middle), ("final", final)):
            recorded |= {f"{name}/{when}/{n}": weight for n, weight in enumerate(weights)}
    np.savez_compressed(folder / "weights.npz", **recorded)
    (folder / "objects.pickle").write_bytes(pickle.dumps(OBJECTS))
    configs = [keras.saving.serialize_keras_object(each) for each in OBJECTS]
    (folder / "objects.json").write_text(json.dumps(configs, indent=1) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
