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


@final
class Descent:
    """A training that goes on from call to call, and can be started again.

    The start is an array or a tuple of arrays, and so is each point. `gradient` is a function of
    the point and a row of what is given to `run`; `observe`, of the point after a step, returns the
    tensor to keep of it.

    With `rates` it trains at several learning rates at once: points have a leading axis of them.
    The algorithm has to be elementwise, and its rate, 1 or a schedule with 1 at the top, is
    multiplied by each of `rates`. An optimizer has one learning rate, so each of `rates` gets other
    coordinates: with θ = c φ the gradient in φ is c times that in θ. Gradient descent, with
    momentum or not, then moves θ as with c² times the rate. Methods that divide by the gradient's
    size move it as with c times the rate (their ε becomes ε / c).
    """

    def __init__(
        self,
        optimizer: keras.optimizers.Optimizer,
        start: Any,
        gradient: Callable[[Any, Any], Any],
        observe: Callable[[Any], Any] = lambda point: point,
        rates: Sequence[float] | np.ndarray | None = None,
    ) -> None:
        self.optimizer, self.gradient, self.observe = optimizer, gradient, observe
        self.start = start if isinstance(start, tuple) else np.asarray(start)
        factors = np.asarray(1.0 if rates is None else rates, "float32")
        factors = np.sqrt(factors) if isinstance(optimizer, SGD) else factors
        self.scales, self.variables = [], []
        for array in keras.tree.flatten(self.start):
            scale = factors.reshape(*factors.shape, *[1] * array.ndim)
            self.scales.append(ops.convert_to_tensor(scale))
            self.variables.append(keras.Variable(array.astype("float32") / scale))
        optimizer.build(self.variables)
        self.state = [*self.variables, *optimizer.variables]
        self.initial = [np.array(to_numpy(variable)) for variable in self.state]
        self.loop = loop(self.step, self.state)

    def restart(self, **hyperparameters: float) -> None:
        """Go back to the start, with values for those hyperparameters that change between runs."""
        for variable, value in zip(self.state, self.initial, strict=True):
            variable.assign(value.copy())
        # Not all hyperparameters are among the optimizer's variables on every backend.
        for name, value in hyperparameters.items():
            setattr(self.optimizer, name, value)

    def run(self, rows: np.ndarray | int) -> np.ndarray:
        """Go on, one step for each row, and return what is observed after each.

        A row is what the gradient is given, such as its noise; an integer is a number of steps.
        """
        if isinstance(rows, int):
            rows = np.zeros((rows, 0), "float32")
        return np.array(to_numpy(self.loop(ops.convert_to_tensor(rows))))

    def point(self) -> Any:
        """Where the training is."""
        values = [*map(ops.multiply, self.scales, self.variables)]
        return keras.tree.pack_sequence_as(self.start, values)

    def step(self, row: Any) -> Any:
        """One step, and what is observed after it."""
        gradients = keras.tree.flatten(self.gradient(self.point(), row))
        self.optimizer.apply([*map(ops.multiply, self.scales, gradients)], self.variables)
        return self.observe(self.point())


def descend(
    optimizer: Any, start: Any, gradient: Callable[[Any, Any], Any], rows: np.ndarray | int
) -> np.ndarray:
    """The way of one array: its start, and its value after each step; see `Descent`."""
    way = Descent(optimizer, np.asarray(start), gradient).run(rows)
    return np.concatenate([np.asarray(start, "float32")[None], way])


def loop(step: Callable[[Any], Any], state: list[keras.Variable]) -> Callable[[Any], Any]:
    """A function that takes a step, which writes to the state, for each of its rows."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # One iteration at a time: each reads what the one before has written.
        options: Any = {"parallel_iterations": 1, "fn_output_signature": tf.float32}
        compiled = tf.function(lambda rows: tf.map_fn(step, rows, **options), autograph=False)
        # For any number of rows, since TensorFlow warns of many calls that each trace a graph.
        graph = functools.cache(compiled.get_concrete_function)
        return lambda rows: graph(tf.TensorSpec([None, *rows.shape[1:]], rows.dtype))(rows)
    if keras.backend.backend() == "torch":
        import torch

        return torch.no_grad()(lambda rows: torch.stack([*map(step, rows)]))
    import jax

    def pure_step(values: list[Any], row: Any) -> tuple[list[Any], Any]:
        with keras.StatelessScope(zip(state, values, strict=True)) as scope:
            observed = step(row)
        return [scope.get_current_value(variable) for variable in state], observed

    scan = jax.jit(functools.partial(jax.lax.scan, pure_step))

    def steps(rows: Any) -> Any:
        values, observed = scan([variable.value for variable in state], rows)
        for variable, value in zip(state, values, strict=True):
            variable.assign(value)
        return observed

    return steps
