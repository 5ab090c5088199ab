"""Many steps of an optimizer on a problem whose gradient is a formula, compiled as one loop.

`fit` would spend most of the time around such small problems. Here a whole run is one call: a loop
in a graph on TensorFlow, a scan on JAX, single steps on torch.
"""

from collections.abc import Callable, Sequence
from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.keras_glue.types import to_numpy
from keras_optlab.optimizers import SGD

Points = list[Any]


@final
class Descent:
    """A training that goes on from call to call, and can be started again.

    Args:
        optimizer: A new optimizer of this package.
        start: List of arrays, where the variables start.
        gradient: Function of a list of tensors, the variables' values, and a row of what is
            given to `run`, that returns the list of gradients.
        observe: Function of the list of values after a step that returns the tensor to keep of
            each step. None for the values themselves, which then all have to be of one shape.
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        start: Sequence[np.ndarray],
        gradient: Callable[[Points, Any], Points],
        observe: Callable[[Points], Any] | None = None,
    ) -> None:
        self.optimizer = optimizer
        self.variables = [
            # A copy, because torch would go on using the memory of the array.
            keras.Variable(np.array(value, "float32"))
            for value in start
        ]
        optimizer.build(self.variables)
        self.gradient = gradient
        self.observe: Callable[[Points], Any] = observe or ops.stack
        self.loop = LOOPS[keras.backend.backend()](self)
        self.state = [*self.variables, *optimizer.variables]
        self.hyperparameters: dict[str, float] = {}
        self.initial = [np.array(to_numpy(variable)) for variable in self.state]

    def restart(self, **hyperparameters: float) -> None:
        """Go back to the start, perhaps with other values of hyperparameters.

        Args:
            **hyperparameters: Numbers to set on the optimizer, such as `momentum=0.5`.
        """
        for name in hyperparameters:
            own = float(to_numpy(getattr(self.optimizer, name)))
            self.hyperparameters.setdefault(name, own)
        for variable, value in zip(self.state, self.initial, strict=True):
            variable.assign(value.copy())
        # Not all hyperparameters are among the optimizer's variables on every backend.
        for name, value in {**self.hyperparameters, **hyperparameters}.items():
            setattr(self.optimizer, name, value)

    def run(self, rows: np.ndarray | int) -> np.ndarray:
        """Go on, one step for each row.

        Args:
            rows: Array with what the gradient of each step is given, such as its noise; or an
                integer, the number of steps of a gradient that needs nothing.

        Returns:
            What was observed after each step, as an array with a leading axis of steps.
        """
        if isinstance(rows, int):
            rows = np.zeros((rows, 0), "float32")
        return np.array(to_numpy(self.loop(ops.convert_to_tensor(rows))))

    def values(self) -> list[np.ndarray]:
        """The values of the variables."""
        return [np.array(to_numpy(variable)) for variable in self.variables]


def descend(
    optimizer: keras.optimizers.Optimizer,
    start: Any,
    gradient: Callable[[Any, Any], Any],
    rows: np.ndarray | int,
) -> np.ndarray:
    """The way of one variable.

    Args:
        optimizer: A new optimizer of this package.
        start: Array, where the variable starts.
        gradient: Function of the variable's value and a row that returns its gradient.
        rows: See `Descent.run`.

    Returns:
        The start and the point after each step, as an array with a leading axis of steps.
    """
    start = np.asarray(start, "float32")
    descent = Descent(optimizer, [start], lambda points, row: [gradient(points[0], row)])
    return np.concatenate([start[None], descent.run(rows)[:, 0]])


def sweep(
    optimizer: keras.optimizers.Optimizer,
    rates: Sequence[float] | np.ndarray,
    start: Any,
    gradient: Callable[[Any, Any], Any],
    observe: Callable[[Any], Any] | None = None,
) -> Descent:
    """A descent of the same variable at several learning rates at once.

    An optimizer has one learning rate, so each rate gets coordinates of its own: with θ = c φ the
    gradient in φ is c times that in θ. Gradient descent, with momentum or not, then moves θ as with
    c² times the rate. Methods that divide by the gradient's own size move it as with c times the
    rate (their ε becomes ε / c).

    Args:
        optimizer: A new optimizer of an elementwise algorithm. Its learning rate, 1 at the top
            if it is a schedule, is multiplied by each of `rates`.
        rates: The learning rates.
        start: Array, where the variable starts at each rate.
        gradient: Function of the values, with a leading axis of rates, and a row that returns
            gradients of the same shape.
        observe: Function of these values, see `Descent`. None for the values themselves.

    Returns:
        A `Descent` that observes arrays with a leading axis of rates.
    """
    start = np.asarray(start, "float32")
    scale = scales(optimizer, rates).reshape(-1, *[1] * start.ndim)
    observe, factor = observe or (lambda values: values), ops.convert_to_tensor(scale)
    return Descent(
        optimizer,
        [start / scale],
        lambda points, row: [factor * gradient(factor * points[0], row)],
        lambda points: observe(factor * points[0]),
    )


def scales(
    optimizer: keras.optimizers.Optimizer, rates: Sequence[float] | np.ndarray
) -> np.ndarray:
    """The scale of the coordinates that stands for each learning rate, see `sweep`."""
    factors = np.asarray(rates, "float32")
    return np.sqrt(factors) if isinstance(optimizer, SGD) else factors


def tensorflow_loop(descent: Descent) -> Callable[[Any], Any]:
    """The steps as a loop in a graph."""
    import tensorflow as tf

    def step(row: Any) -> Any:
        points = [tf.identity(variable.value) for variable in descent.variables]
        descent.optimizer.apply(descent.gradient(points, row), descent.variables)
        return descent.observe([tf.identity(variable.value) for variable in descent.variables])

    def steps(rows: Any) -> Any:
        # One iteration at a time: each reads what the one before has written.
        return tf.map_fn(step, rows, parallel_iterations=1, fn_output_signature=tf.float32)

    graphs = {}

    def loop(rows: Any) -> Any:
        row = tuple(rows.shape[1:])
        if row not in graphs:
            # A graph of its own, because TensorFlow warns of many calls that each trace one.
            spec = tf.TensorSpec([None, *row], rows.dtype)
            graphs[row] = tf.function(steps, autograph=False).get_concrete_function(spec)
        return graphs[row](rows)

    return loop


def jax_loop(descent: Descent) -> Callable[[Any], Any]:
    """The steps as a scan over the state."""
    import jax

    def step(state: tuple, row: Any) -> tuple:
        points, own = state
        points, own = descent.optimizer.stateless_apply(own, descent.gradient(points, row), points)
        return (points, own), descent.observe(points)

    scan = jax.jit(lambda state, rows: jax.lax.scan(step, state, rows))

    def loop(rows: Any) -> Any:
        variables, own = descent.variables, descent.optimizer.variables
        state = ([variable.value for variable in variables], [variable.value for variable in own])
        (points, after), observed = scan(state, rows)
        for variable, value in zip([*variables, *own], [*points, *after], strict=True):
            variable.assign(value)
        return observed

    return loop


def torch_loop(descent: Descent) -> Callable[[Any], Any]:
    """The steps one by one."""
    import torch

    def loop(rows: Any) -> Any:
        observed = []
        with torch.no_grad():
            for row in rows:
                points = [variable.value.detach() for variable in descent.variables]
                descent.optimizer.apply(descent.gradient(points, row), descent.variables)
                values = [variable.value.detach() for variable in descent.variables]
                # A copy, because the next step writes into the same memory.
                observed.append(descent.observe(values).clone())
        return torch.stack(observed)

    return loop


LOOPS = {"tensorflow": tensorflow_loop, "jax": jax_loop, "torch": torch_loop}
