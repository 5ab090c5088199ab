"""TensorFlow: a step is a tf.function, with or without XLA."""

from collections.abc import Sequence
from typing import Any, final

import keras
import numpy as np
import tensorflow as tf

from benchmarks.measure import Runner
from benchmarks.problem import Gradient, SparseGradient

MODES = {"graph": {}, "jit": {}}
RIVAL = None
# Whatever it is given it takes.
SPARSE_REFUSAL = (), ""
STREAM_NAME = "TensorFlow with XLA"


@final
class Step:
    """Update steps of an optimizer.

    Args:
        optimizer: Optimizer that is not built yet.
        variables: Variables to update.
        gradients: What `held` has made of their gradients, the same in each step.
        mode: One of `MODES`.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list[keras.Variable],
        gradients: list[Any],
        mode: str,
    ) -> None:
        optimizer.build(variables)
        self.variables = variables

        @tf.function(jit_compile=mode == "jit")
        def step() -> None:
            optimizer.apply([_read(gradient) for gradient in gradients], variables)

        self.step = step

    def run(self, repeats: int) -> None:
        """Take so many steps, and wait until the last is done."""
        for _ in range(repeats):
            self.step()
        _wait_for(self.variables[-1].value)

    def weights(self) -> list[np.ndarray]:
        """The weights at present."""
        return [variable.numpy() for variable in self.variables]


def held(gradients: Sequence[Gradient]) -> list[Any]:
    """Gradients in memory, where a step reads them."""
    return [_hold(gradient) for gradient in gradients]


def _hold(gradient: Gradient) -> Any:
    # A constant might be folded into the graph.
    if isinstance(gradient, SparseGradient):
        return tf.Variable(gradient.rows), tf.Variable(gradient.indices), gradient.shape
    return tf.Variable(gradient)


def _read(held: Any) -> tf.Tensor | tf.IndexedSlices:
    if isinstance(held, tuple):
        rows, indices, shape = held
        return tf.IndexedSlices(rows.read_value(), indices.read_value(), tf.constant(shape))
    return held.read_value()


def _wait_for(variable: tf.Variable) -> None:
    # A row, not the whole: that would copy a variable that is updated by rows.
    tf.gather(variable, [0]).numpy()


def rival(name: str, shapes: list[tuple[int, ...]]) -> None:
    """None: there is no other library of optimizers."""


def stream(size: int) -> Runner:
    """x += y over so many float32."""
    x, y = tf.Variable(tf.ones([size])), tf.Variable(tf.ones([size]))

    @tf.function(jit_compile=True)
    def add() -> None:
        x.assign_add(y)

    def run(repeats: int) -> None:
        for _ in range(repeats):
            add()
        _wait_for(x)

    return run


def gpu() -> str | None:
    """Name of the GPU that is used, or None."""
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    return tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU")


def fresh_start() -> None:
    """Forget what is compiled."""
    keras.utils.clear_session()


def compiled(step: Step) -> None:
    """None: TensorFlow does not say what a compiled step needs."""


@final
class Memory:
    """The GPU's memory, as the backend accounts for it."""

    def used(self) -> int:
        """Bytes in use now; the peak counts from here."""
        tf.config.experimental.reset_memory_stats("GPU:0")
        return tf.config.experimental.get_memory_info("GPU:0")["current"]

    def peak(self) -> int:
        """Most bytes that were in use at once."""
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
