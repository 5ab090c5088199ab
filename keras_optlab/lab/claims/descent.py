"""Many steps of an optimizer on a problem whose gradient is a formula, compiled as one loop.

`fit` would spend most of the time around such small problems. Here a whole run is one call: a loop
in a graph on TensorFlow, a scan on JAX, single steps on torch.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.optimizers import SGD

Rates = Sequence[float] | np.ndarray


def same(point: Any) -> Any:
    """What to observe of a descent whose way is of interest."""
    return point


def nothing(point: Any) -> Any:
    """What to observe of a descent of which only the end matters."""
    return ops.zeros(())


@final
class Descent:
    """A training that goes on from call to call, and can be started again.

    Args:
        optimizer: A new optimizer of this package.
        start: Where to start: an array, or a list of arrays.
        gradient: Function of the point, which is like `start`, and a row of what is given to
            `run`, that returns the gradient, like `start` too.
        observe: Function of the point after a step that returns the tensor to keep of each step.
        rates: Learning rates, see `sweep`: the point then has a leading axis of rates. None for
            the rate of the optimizer.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        start: Any,
        gradient: Callable[[Any, Any], Any],
        observe: Callable[[Any], Any] = nothing,
        rates: Rates | None = None,
    ) -> None:
        arrays = [np.asarray(array, "float32") for array in keras.tree.flatten(start)]
        factors = [scale(optimizer, rates, array.ndim) for array in arrays]
        self.optimizer, self.start = optimizer, start
        self.gradient, self.observe = gradient, observe
        self.scales = [ops.convert_to_tensor(factor) for factor in factors]
        self.variables = [
            keras.Variable(array / factor) for array, factor in zip(arrays, factors, strict=True)
        ]
        optimizer.build(self.variables)
        self.loop = LOOPS[keras.backend.backend()](self)
        self.state = [*self.variables, *optimizer.variables]
        self.initial = [np.array(to_numpy(variable)) for variable in self.state]
        self.hyperparameters: dict[str, float] = {}

    def restart(self, **hyperparameters: float) -> None:
        """Go back to the start, perhaps with other values of hyperparameters."""
        for name in hyperparameters:
            given = float(to_numpy(getattr(self.optimizer, name)))
            self.hyperparameters.setdefault(name, given)
        for variable, value in zip(self.state, self.initial, strict=True):
            variable.assign(value.copy())
        # Not all hyperparameters are among the optimizer's variables on every backend.
        for name, value in {**self.hyperparameters, **hyperparameters}.items():
            setattr(self.optimizer, name, value)

    def run(self, rows: np.ndarray | int) -> np.ndarray:
        """Go on, one step for each row, and return what is observed after each.

        Args:
            rows: Array with what the gradient of each step is given, such as its noise; or an
                integer, the number of steps of a gradient that needs nothing.
        """
        if isinstance(rows, int):
            rows = np.zeros((rows, 0), "float32")
        return np.array(to_numpy(self.loop(ops.convert_to_tensor(rows))))

    def point(self, values: Sequence[Any] | None = None) -> Any:
        """The point, like `start`, for values of the variables; None for those they have."""
        if values is None:
            values = [variable.value for variable in self.variables]
        return keras.tree.pack_sequence_as(self.start, self.scaled(values))

    def slopes(self, values: Sequence[Any], row: Any) -> list[Any]:
        """The gradient of each variable."""
        return self.scaled(keras.tree.flatten(self.gradient(self.point(values), row)))

    def scaled(self, tensors: Sequence[Any]) -> list[Any]:
        """Tensors, one for each variable, times the scales."""
        pairs = zip(self.scales, tensors, strict=True)
        return [ops.multiply(factor, tensor) for factor, tensor in pairs]


def descend(
    optimizer: keras.optimizers.Optimizer,
    start: Any,
    gradient: Callable[[Any, Any], Any],
    rows: np.ndarray | int,
) -> np.ndarray:
    """The way of one variable: its start, and its value after each step.

    Args:
        optimizer: A new optimizer of this package.
        start: Array.
        gradient: Function of the value and a row that returns the gradient.
        rows: See `Descent.run`.
    """
    start = np.asarray(start, "float32")
    return np.concatenate([start[None], Descent(optimizer, start, gradient, same).run(rows)])


def sweep(
    optimizer: keras.optimizers.Optimizer,
    rates: Rates,
    start: Any,
    gradient: Callable[[Any, Any], Any],
    observe: Callable[[Any], Any] = same,
) -> Descent:
    """A descent of the same variable at several learning rates at once.

    An optimizer has one learning rate, so each rate gets other coordinates: with θ = c φ the
    gradient in φ is c times that in θ. Gradient descent, with momentum or not, then moves θ as with
    c² times the rate. Methods that divide by the gradient's size move it as with c times the rate
    (their ε becomes ε / c).

    The optimizer's algorithm has to be elementwise. Its rate, 1 or a schedule with 1 at the top, is
    multiplied by each of `rates`.
    """
    return Descent(optimizer, np.asarray(start), gradient, observe, rates)


def scale(
    optimizer: keras.optimizers.Optimizer, rates: Rates | None, axes: int
) -> np.ndarray | np.float32:
    """What multiplies coordinates of a number of axes at each rate; see `sweep`."""
    if rates is None:
        return np.float32(1.0)
    factors = np.asarray(rates, "float32").reshape(-1, *[1] * axes)
    return np.sqrt(factors) if isinstance(optimizer, SGD) else factors


def step(descent: Descent, row: Any) -> Any:
    """One step of variables that can be written to, and what is observed after it."""
    variables = descent.variables
    slopes = descent.slopes([variable.value for variable in variables], row)
    descent.optimizer.apply(slopes, variables)
    return descent.observe(descent.point())


def tensorflow_loop(descent: Descent) -> Callable[[Any], Any]:
    """The steps as a loop in a graph."""
    import tensorflow as tf

    def steps(rows: Any) -> Any:
        # One iteration at a time: each reads what the one before has written.
        return tf.map_fn(
            functools.partial(step, descent),
            rows,
            parallel_iterations=1,
            fn_output_signature=tf.float32,
        )

    @functools.cache
    def graph(shape: tuple[int, ...], dtype: Any) -> Callable[[Any], Any]:
        # For any number of rows, since TensorFlow warns of many calls that each trace a graph.
        rows = tf.TensorSpec([None, *shape], dtype)
        return tf.function(steps, autograph=False).get_concrete_function(rows)

    return lambda rows: graph(tuple(rows.shape[1:]), rows.dtype)(rows)


def jax_loop(descent: Descent) -> Callable[[Any], Any]:
    """The steps as a scan over the state."""
    import jax

    count = len(descent.variables)

    def step(state: list[Any], row: Any) -> tuple[list[Any], Any]:
        values, slots = state[:count], state[count:]
        slopes = descent.slopes(values, row)
        values, slots = descent.optimizer.stateless_apply(slots, slopes, values)
        return [*values, *slots], descent.observe(descent.point(values))

    scan = jax.jit(lambda state, rows: jax.lax.scan(step, state, rows))

    def loop(rows: Any) -> Any:
        state, observed = scan([variable.value for variable in descent.state], rows)
        for variable, value in zip(descent.state, state, strict=True):
            variable.assign(value)
        return observed

    return loop


def torch_loop(descent: Descent) -> Callable[[Any], Any]:
    """The steps one by one."""
    import torch

    def loop(rows: Any) -> Any:
        with torch.no_grad():
            return torch.stack([step(descent, row) for row in rows])

    return loop


LOOPS = {"tensorflow": tensorflow_loop, "jax": jax_loop, "torch": torch_loop}
