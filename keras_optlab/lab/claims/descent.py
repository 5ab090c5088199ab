"""Runs of an optimizer on a problem with an analytic gradient, compiled as one loop.

On problems this small, `fit` would spend most of its time on overhead. Here a whole run is one
call: a loop in a graph on TensorFlow, a scan on JAX, single steps on torch.
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
    """A training run that continues from call to call and can be restarted.

    The start and every later point are an array or a tuple of arrays. `gradient` takes the point
    and one of the rows passed to `run`. `observe` takes the point after a step and returns the
    tensor to record.

    With `rates`, it trains at several learning rates at once, and points get a leading axis for
    them. The algorithm must be elementwise, and its rate, 1 or a schedule that peaks at 1, is
    multiplied by each of `rates`. Since an optimizer has only one learning rate, each of `rates`
    gets different coordinates: with θ = c φ, the gradient in φ is c times that in θ. Gradient
    descent, with or without momentum, then moves θ as if the rate were c² times as large. Methods
    that divide by the gradient's size move it as if the rate were c times as large (their ε
    becomes ε / c).
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
        """Go back to the start, and set the hyperparameters that change between runs."""
        for variable, value in zip(self.state, self.initial, strict=True):
            variable.assign(value.copy())
        # Not all hyperparameters are among the optimizer's variables on every backend.
        for name, value in hyperparameters.items():
            setattr(self.optimizer, name, value)

    def run(self, rows: np.ndarray | int) -> np.ndarray:
        """Take one step per row, and return what is observed after each.

        A row is passed to `gradient`, for example as its noise. An integer is the number of steps.
        """
        if isinstance(rows, int):
            rows = np.zeros((rows, 0), "float32")
        return np.array(to_numpy(self.loop(ops.convert_to_tensor(rows))))

    def point(self) -> Any:
        """Return the current point."""
        values = [*map(ops.multiply, self.scales, self.variables)]
        return keras.tree.pack_sequence_as(self.start, values)

    def step(self, row: Any) -> Any:
        """Take one step, and return what is observed after it."""
        gradients = keras.tree.flatten(self.gradient(self.point(), row))
        self.optimizer.apply([*map(ops.multiply, self.scales, gradients)], self.variables)
        return self.observe(self.point())


def descend(
    optimizer: Any, start: Any, gradient: Callable[[Any, Any], Any], rows: np.ndarray | int
) -> np.ndarray:
    """Return the path of one array: its start, then its value after each step; see `Descent`."""
    way = Descent(optimizer, np.asarray(start), gradient).run(rows)
    return np.concatenate([np.asarray(start, "float32")[None], way])


def loop(step: Callable[[Any], Any], state: list[keras.Variable]) -> Callable[[Any], Any]:
    """Return a function that calls `step`, which writes to `state`, once for each row."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # One iteration at a time: each reads what the previous one wrote.
        options: Any = {"parallel_iterations": 1, "fn_output_signature": tf.float32}
        compiled = tf.function(lambda rows: tf.map_fn(step, rows, **options), autograph=False)
        # Traced once for any number of rows: TensorFlow warns if many calls each trace a graph.
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
