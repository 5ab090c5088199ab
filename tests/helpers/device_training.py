"""Models, batches and optimizers for training on one device and on several alike."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_optlab import ParameterGroup, callbacks, optimizers, schedules

STEPS, BATCH = 30, 24
ROWS = 20


def limited_sgd(**limit: float) -> Callable[[], Any]:
    return lambda: optimizers.SGD(0.1, momentum=0.9, **limit)


@dataclass(frozen=True)
class Configuration:
    """An optimizer, and the model and data that it trains on.

    Args:
        optimizer: Function that makes it.
        on_table: Whether it trains an embedding table, with sparse gradients on TensorFlow.
        callbacks: Function that makes the callbacks of `fit`.
        dtype: Dtype of the variables.
        faulty: Whether one row of one batch is NaN; only one replica sees it.
    """

    optimizer: Callable[[], Any]
    on_table: bool = False
    callbacks: Callable[[], list] = field(default=list)
    dtype: str = "float32"
    faulty: bool = False


CONFIGURATIONS = {
    "adam": Configuration(lambda: optimizers.Adam(0.01)),
    "sgd_momentum": Configuration(limited_sgd()),
    "one_cycle": Configuration(limited_sgd(), callbacks=lambda: [callbacks.OneCycle(0.2)]),
    # For loops that call no callbacks.
    "one_cycle_schedules": Configuration(
        lambda: optimizers.SGD(
            schedules.OneCycleLearningRate(0.2, STEPS), schedules.OneCycleMomentum(STEPS)
        )
    ),
    "muon": Configuration(lambda: optimizers.Muon(0.01, exclude_layers=["last"])),
    "schedule_free": Configuration(
        lambda: optimizers.ScheduleFreeAdamW(0.01, warmup_steps=5, weight_decay=0.01)
    ),
    "groups": Configuration(
        lambda: optimizers.AdamW(
            0.01,
            weight_decay=0.1,
            use_ema=True,
            ema_momentum=0.9,
            groups=[
                ParameterGroup("bias$", weight_decay=0.0),
                ParameterGroup("first/", learning_rate_multiplier=0.3, beta_1=0.5),
            ],
        )
    ),
    "ema": Configuration(
        lambda: optimizers.Adam(0.02, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=5)
    ),
    "clipnorm": Configuration(limited_sgd(clipnorm=0.1)),
    "global_clipnorm": Configuration(limited_sgd(global_clipnorm=0.1)),
    "clipvalue": Configuration(limited_sgd(clipvalue=0.03)),
    "accumulation": Configuration(
        lambda: optimizers.Nadam(0.01, gradient_accumulation_steps=3, global_clipnorm=0.1)
    ),
    "accumulation_schedule_free": Configuration(
        lambda: optimizers.ScheduleFreeAdamW(0.01, gradient_accumulation_steps=3)
    ),
    "table_sgd": Configuration(lambda: optimizers.SGD(1.0), on_table=True),
    "table_adagrad": Configuration(lambda: optimizers.Adagrad(0.1), on_table=True),
    "table_adam": Configuration(lambda: optimizers.Adam(0.01), on_table=True),
    "table_lazy_adam": Configuration(lambda: optimizers.Adam(0.01, lazy=True), on_table=True),
    "table_clipnorm": Configuration(
        lambda: optimizers.SGD(1.0, momentum=0.5, clipnorm=0.03, lazy=True), on_table=True
    ),
    "jit_compile": Configuration(lambda: optimizers.Adam(0.01, jit_compile=True)),
    "skip": Configuration(lambda: optimizers.Adam(0.01, nonfinite="skip"), faulty=True),
}
# Half-precision gradients depend on the order of summation, so only replicas can agree.
HALF_PRECISION = {
    "stochastic_rounding": Configuration(
        lambda: optimizers.Adam(0.01, rounding="stochastic"), dtype="bfloat16"
    ),
    "compensated_rounding": Configuration(
        lambda: optimizers.Adam(0.01, slot_dtype="bfloat16"), dtype="bfloat16"
    ),
}
CONFIGURATIONS |= HALF_PRECISION
# The main uses of several devices; the others run where something may differ.
MAIN = [
    "adam",
    "one_cycle_schedules",
    "muon",
    "schedule_free",
    "groups",
    "ema",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
]


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def assert_same_bits(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    """Fail unless two lists of arrays are equal to the last bit."""
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets of all batches of a configuration."""
    configuration = CONFIGURATIONS[name]
    random = np.random.default_rng(5)
    y = random.normal(size=(STEPS * BATCH, 3)).astype("float32")
    if configuration.on_table:
        # Few rows in each batch, so that some are not looked up.
        start = np.repeat(random.integers(0, ROWS - 6, size=STEPS), BATCH)[:, None]
        return (start + random.integers(0, 6, size=(STEPS * BATCH, 4))).astype("int32"), y
    x = random.normal(size=(STEPS * BATCH, 5)).astype("float32")
    if configuration.faulty:
        x[7 * BATCH] = np.nan
    return x, y


def compiled_model(name: str) -> keras.Model:
    """Return the model of a configuration, from the same start each time."""
    configuration = CONFIGURATIONS[name]
    dtype = configuration.dtype
    keras.utils.set_random_seed(1)
    if configuration.on_table:
        layers = [
            keras.layers.Input((4,), dtype="int32"),
            keras.layers.Embedding(ROWS, 4, name="first", dtype=dtype),
            keras.layers.Flatten(),
        ]
    else:
        layers = [
            keras.layers.Input((5,)),
            keras.layers.Dense(8, activation="tanh", name="first", dtype=dtype),
        ]
    layers.append(keras.layers.Dense(3, name="last", dtype=dtype))
    model = keras.Sequential(layers, name="model")
    model.compile(configuration.optimizer(), "mse")
    return model


def fit(model: keras.Model, name: str, steps: slice = slice(0, STEPS)) -> None:
    """Train on some of the batches."""
    configuration = CONFIGURATIONS[name]
    x, y = data(name)
    rows = slice(steps.start * BATCH, steps.stop * BATCH)
    model.fit(
        x[rows],
        y[rows],
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
        callbacks=configuration.callbacks(),
    )


def batches(name: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the same batches for a custom loop."""
    x, y = data(name)
    for start in range(0, len(x), BATCH):
        yield x[start : start + BATCH], y[start : start + BATCH]


def weights(model: keras.Model) -> list[np.ndarray]:
    """Return copies of the model's weights as float32, so that a file can hold bfloat16 ones."""
    return [keras.ops.convert_to_numpy(weight).astype("float32") for weight in model.weights]


def optimizer_state(model: keras.Model) -> list[np.ndarray]:
    """Return copies of the optimizer's variables."""
    variables = model.optimizer.variables
    return [keras.ops.convert_to_numpy(each).astype("float32") for each in variables]


def vector(arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.ravel(array).astype("float64") for array in arrays])


class OneDevice:
    """Weights trained on one device; each configuration trains on first request."""

    def __init__(self) -> None:
        self.trained: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def start_and_end(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return all weights as one vector, before and after the steps."""
        if name not in self.trained:
            model = compiled_model(name)
            start = vector(weights(model))
            fit(model, name)
            self.trained[name] = start, vector(weights(model))
        return self.trained[name]

    def difference(self, name: str, arrays: list[np.ndarray]) -> float:
        """Return the distance to the weights of one device, relative to the distance travelled."""
        start, end = self.start_and_end(name)
        difference = np.linalg.norm(vector(arrays) - end)
        return float(difference / np.linalg.norm(end - start))


class Results:
    """Arrays of several configurations in an `.npz` file."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def add(self, name: str, arrays: list[np.ndarray]) -> None:
        """Add the arrays of a configuration."""
        self.arrays |= {f"{name}/{n}": array for n, array in enumerate(arrays)}

    def save(self, path: str) -> None:
        """Write all of them."""
        np.savez(path, **self.arrays)

    @staticmethod
    def load(path: Any) -> dict[str, list[np.ndarray]]:
        """Return what `save` wrote: a list of arrays for each name."""
        found: dict[str, list[np.ndarray]] = {}
        with np.load(path) as file:
            for key in file.files:
                found.setdefault(key.rpartition("/")[0], []).append(file[key])
        return found
