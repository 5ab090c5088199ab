"""TensorFlow: a step is a tf.function, with or without XLA."""

from collections.abc import Callable, Sequence
from typing import Any, final

import keras
import numpy as np
import tensorflow as tf

from benchmarks.measure import Runner
from benchmarks.problem import Gradient, SparseGradient

MODES = {"graph": {}, "jit": {}}
RIVAL = None
# No optimizer refuses a sparse gradient.
SPARSE_REFUSAL = (), ""
STREAM_NAME = "TensorFlow with XLA"


@final
class Step:
    """Runs update steps of an optimizer.

    Args:
        optimizer: Optimizer that is not built yet.
        variables: Variables to update.
        gradients: Their gradients, as `held` returns them, the same in each step.
        mode: One of `MODES`.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        variables: list[keras.Variable],
        gradients: "Held",
        mode: str,
    ) -> None:
        optimizer.build(variables)
        self.variables = variables

        @tf.function(jit_compile=mode == "jit")
        def step() -> None:
            optimizer.apply(gradients.read(), variables)

        self.step = step

    def run(self, repeats: int) -> None:
        """Run a number of steps, and wait until the last is done."""
        for _ in range(repeats):
            self.step()
        _wait_for(self.variables[-1].value)

    def weights(self) -> list[np.ndarray]:
        """Return the current weights."""
        return [variable.numpy() for variable in self.variables]


@final
class Held:
    """Gradients in memory, in the form that a step reads.

    In graph mode, gradients of the same shape are stacked in one variable: in training, gradients
    are computed within the step, so reading a variable for each would add time. With XLA, each has
    its own variable, because XLA would compile a slice for each gradient of a stack.
    """

    def __init__(self, gradients: Sequence[Gradient], mode: str) -> None:
        self.kinds = [
            number if isinstance(gradient, SparseGradient) or mode == "jit" else gradient.shape
            for number, gradient in enumerate(gradients)
        ]
        alike: dict[Any, list[Gradient]] = {}
        for kind, gradient in zip(self.kinds, gradients, strict=True):
            alike.setdefault(kind, []).append(gradient)
        self.readers = {kind: _reader(own) for kind, own in alike.items()}

    def read(self) -> list[tf.Tensor | tf.IndexedSlices]:
        """Return the gradients, in order."""
        read = {kind: iter(reader()) for kind, reader in self.readers.items()}
        return [next(read[kind]) for kind in self.kinds]


def held(gradients: Sequence[Gradient], mode: str) -> Held:
    """Return gradients in memory, in the form that a step of this mode reads."""
    return Held(gradients, mode)


def _reader(gradients: list[Gradient]) -> Callable[[], list[tf.Tensor | tf.IndexedSlices]]:
    # Variables, because constants might be folded into the graph.
    if isinstance(gradients[0], SparseGradient):
        (gradient,) = gradients
        rows, indices = tf.Variable(gradient.rows), tf.Variable(gradient.indices)
        shape = tf.constant(gradient.shape)
        return lambda: [tf.IndexedSlices(rows.read_value(), indices.read_value(), shape)]
    if len(gradients) == 1:
        alone = tf.Variable(gradients[0])
        return lambda: [alone.read_value()]
    stacked = tf.Variable(np.stack(gradients))
    return lambda: tf.unstack(stacked.read_value())


def _wait_for(variable: tf.Variable) -> None:
    # Read a single row: reading it all would copy a variable that is updated by rows.
    tf.gather(variable, [0]).numpy()


def rival(name: str, shapes: list[tuple[int, ...]]) -> None:
    """Return None: TensorFlow has no other library of optimizers."""


def stream(size: int) -> Runner:
    """Return a runner of x += y on vectors of `size` float32 numbers."""
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
    """Return the name of the GPU in use, or None."""
    devices = tf.config.list_physical_devices("GPU")
    if not devices:
        return None
    return tf.config.experimental.get_device_details(devices[0]).get("device_name", "GPU")


def fresh_start() -> None:
    """Discard everything compiled so far."""
    keras.utils.clear_session()


def compiled(step: Step) -> None:
    """Return None: TensorFlow does not report how much memory a compiled step needs."""


@final
class Memory:
    """GPU memory, as the backend accounts for it."""

    def used(self) -> int:
        """Return the bytes in use, and count the peak from now on."""
        tf.config.experimental.reset_memory_stats("GPU:0")
        return tf.config.experimental.get_memory_info("GPU:0")["current"]

    def peak(self) -> int:
        """Return the largest number of bytes in use at once."""
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
