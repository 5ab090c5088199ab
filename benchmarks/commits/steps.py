"""Steps of the optimizers, timed by asv, on the backend that `KERAS_BACKEND` names."""

from collections.abc import Callable
from typing import final

import keras
import numpy as np

from keras_optlab import optimizers

ALGORITHMS = ["SGD", "Adam", "Lamb", "Adafactor", "Muon"]
SHAPES = {"one matrix": [(1000, 1000)], "100 variables": [(64, 64), (64,)] * 50}
PARAMETERS = (ALGORITHMS, list(SHAPES))
NAMES = ("algorithm", "shapes")


def stepper(algorithm: str, shapes: str) -> Callable[[], None]:
    """A built optimizer as a function that takes a step, in the mode that `fit` takes."""
    random = np.random.default_rng(0)
    arrays = [random.normal(size=shape).astype("float32") for shape in SHAPES[shapes]]
    variables = [keras.Variable(array) for array in arrays]
    gradients = [keras.ops.convert_to_tensor(array) for array in arrays]
    optimizer = getattr(optimizers, algorithm)(0.001)
    optimizer.build(variables)
    if keras.backend.backend() == "torch":
        return lambda: optimizer.apply(gradients, variables)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(lambda: optimizer.apply(gradients, variables))
    import jax

    step = jax.jit(optimizer.stateless_apply)
    state = [variable.value for variable in optimizer.variables]
    values = [variable.value for variable in variables]
    return lambda: jax.block_until_ready(step(state, gradients, values))


@final
class Step:
    """A step once all is compiled."""

    params, param_names, timeout = PARAMETERS, NAMES, 300

    def setup(self, algorithm: str, shapes: str) -> None:
        """Take the first step, which compiles."""
        self.step = stepper(algorithm, shapes)
        self.step()

    def time_step(self, algorithm: str, shapes: str) -> None:
        """A step."""
        self.step()


@final
class FirstStep:
    """All that comes before a second step: build, trace, compile, run."""

    params, param_names, timeout = PARAMETERS, NAMES, 300
    # Once in each measurement, without steps to warm up.
    number, warmup_time = 1, 0

    def setup(self, algorithm: str, shapes: str) -> None:
        """Load what only a process's first step needs."""
        stepper("SGD", "one matrix")()

    def time_first_step(self, algorithm: str, shapes: str) -> None:
        """The first step of a new optimizer."""
        stepper(algorithm, shapes)()
