"""JAX: a step is a jitted pure function, which may overwrite the old weights and slots."""

import importlib.util
from collections.abc import Sequence
from typing import Any, final

import jax
import keras
import numpy as np
from jax import numpy as jnp
from jax.experimental.sparse import BCOO

from benchmarks import problem
from benchmarks.measure import Runner
from benchmarks.problem import Gradient, SparseGradient

MODES = {"jit": {}}
RIVAL = "optax"
SPARSE_REFUSAL = (ValueError,), "bcoo"
STREAM_NAME = "JAX"


@final
class Step:
    """Runs update steps of an optimizer.

    Args:
        optimizer: Optimizer that is not built yet.
        variables: Variables to update. Their values move into the step's state.
        gradients: Their gradients, as `held` returns them, the same in each step.
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
        self.gradients = gradients
        self.state = _take([variables, optimizer.variables])

        def step(state: Any, gradients: Any) -> Any:
            weights, slots = state
            return optimizer.stateless_apply(slots, gradients, weights)

        self.step = jax.jit(step, donate_argnums=0)

    def run(self, repeats: int) -> None:
        """Run a number of steps, and wait until the last is done."""
        for _ in range(repeats):
            self.state = self.step(self.state, self.gradients)
        jax.block_until_ready(self.state)

    def weights(self) -> list[np.ndarray]:
        """Return the current weights."""
        return [np.array(weight) for weight in self.state[0]]


def held(gradients: Sequence[Gradient], mode: str) -> list[Any]:
    """Return gradients in memory, in the form that a step of any mode reads."""
    return [_tensor(gradient) for gradient in gradients]


def _tensor(gradient: Gradient) -> Any:
    if isinstance(gradient, SparseGradient):
        indices = jnp.asarray(gradient.indices.astype(np.int32)[:, None])
        return BCOO((jnp.asarray(gradient.rows), indices), shape=gradient.shape)
    return jnp.asarray(gradient)


def _take(lists: list[list[keras.Variable]]) -> list[list[jax.Array]]:
    """Move values out of variables, as copies: a buffer that two share can be donated only once."""
    old = [[variable.value for variable in variables] for variables in lists]
    new = jax.block_until_ready(jax.tree.map(jnp.copy, old))
    for value in jax.tree.leaves(old):
        value.delete()
    return new


class _RivalStep:
    """Runs update steps of an optax transformation."""

    def __init__(self, transformation: Any, shapes: list[tuple[int, ...]]) -> None:
        import optax

        weights = [variable.value for variable in problem.variables(shapes)]
        self.gradients = [jnp.asarray(gradient) for gradient in problem.gradients(shapes)]
        self.state = weights, transformation.init(weights)

        def step(state: Any, gradients: Any) -> Any:
            weights, slots = state
            updates, slots = transformation.update(gradients, slots, weights)
            return optax.apply_updates(weights, updates), slots

        self.step = jax.jit(step, donate_argnums=0)

    def run(self, repeats: int) -> None:
        """Run a number of steps, and wait until the last is done."""
        for _ in range(repeats):
            self.state = self.step(self.state, self.gradients)
        jax.block_until_ready(self.state)


def rival(name: str, shapes: list[tuple[int, ...]]) -> _RivalStep | None:
    """Return steps of optax's optimizer for a case; None if it has none or is not installed."""
    if not importlib.util.find_spec("optax"):
        return None
    import optax

    transformations = {
        "SGD momentum": lambda: optax.sgd(0.01, momentum=0.9),
        "SGD Nesterov": lambda: optax.sgd(0.01, momentum=0.9, nesterov=True),
        "Adagrad": lambda: optax.adagrad(1e-3),
        "RMSprop": lambda: optax.rmsprop(1e-3),
        "Adadelta": lambda: optax.adadelta(1e-3),
        "Adam": lambda: optax.adam(1e-3),
        "AMSGrad": lambda: optax.amsgrad(1e-3),
        "AdamW": lambda: optax.adamw(1e-3, weight_decay=0.004),
        "Adamax": lambda: optax.adamax(1e-3),
        "Nadam": lambda: optax.nadam(1e-3),
        "Lion": lambda: optax.lion(1e-3, weight_decay=0.0),
        "Lamb": lambda: optax.lamb(1e-3),
        "Adafactor": lambda: optax.adafactor(1e-3),
    }
    return _RivalStep(transformations[name](), shapes) if name in transformations else None


def stream(size: int) -> Runner:
    """Return a runner of x += y on vectors of `size` float32 numbers."""
    add = jax.jit(lambda x, y: x + y, donate_argnums=0)
    held = {"x": jnp.ones(size), "y": jnp.ones(size)}

    def run(repeats: int) -> None:
        for _ in range(repeats):
            held["x"] = add(held["x"], held["y"])
        held["x"].block_until_ready()

    return run


def gpu() -> str | None:
    """Return the name of the GPU in use, or None."""
    device = jax.devices()[0]
    return None if device.platform == "cpu" else device.device_kind


def fresh_start() -> None:
    """Discard everything compiled so far."""
    keras.utils.clear_session()


def compiled(step: Step) -> jax.stages.Compiled:
    """Return the program that XLA compiles for a step."""
    return step.step.lower(step.state, step.gradients).compile()


@final
class Memory:
    """GPU memory, as the backend accounts for it."""

    def used(self) -> int:
        """Return the bytes in use; JAX counts the peak from the start of the process."""
        return jax.devices()[0].memory_stats()["bytes_in_use"]

    def peak(self) -> int:
        """Return the largest number of bytes in use at once."""
        return jax.devices()[0].memory_stats()["peak_bytes_in_use"]
