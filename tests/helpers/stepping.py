"""Steps to take in every context, and the results that the equations in NumPy give."""

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from formulas import DECAY_BY_THEMSELVES, FORMULAS

from keras_optlab import optimizers

# A table above TensorFlow's limit for compiled updates (65,536 elements), ten small variables that
# are updated together, and single variables of several ranks.
SHAPES = {
    "scalar": (),
    "vector": (7,),
    "matrix": (6, 4),
    "kernel": (2, 3, 4, 5),
    "table": (300, 300),
    **{f"small_{n}": (5, 3) for n in range(10)},
}
# For contexts that are slow to enter: dynamo, replicas.
FEW_SHAPES = {name: SHAPES[name] for name in ("scalar", "matrix", "table", "small_0")}

# Constructor arguments, and what is set after the second of four steps. The learning rate rises,
# because schedule-free averages weight by the largest rate so far and would ignore a lower one.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "SGD": {"learning_rate": 0.01, "momentum": 0.9},
    "RMSprop": {"learning_rate": 0.001, "momentum": 0.5},
}
CHANGES = {"learning_rate": 0.02, "momentum": 0.6, "beta_1": 0.7}
BEFORE, AFTER = 2, 2

# Each Newton-Schulz iteration multiplies a rounding error by up to `muon_a`.
TOLERANCES = {"Muon": 2e-5}
TOLERANCE = 1e-5


class Problem:
    """An algorithm, the start of its variables, and the gradients of each step.

    Args:
        name: Name of the algorithm.
        shapes: Shapes of the variables by name.
    """

    def __init__(self, name: str, shapes: dict[str, tuple[int, ...]] = SHAPES) -> None:
        random = np.random.default_rng(5)
        self.name = name
        self.shapes = shapes
        self.start = self.arrays(random, 0.0)
        self.gradients = [self.arrays(random, 0.3) for _ in range(BEFORE + AFTER)]
        self.arguments = {"learning_rate": 0.01} | ARGUMENTS.get(name, {})

    def arrays(self, random: np.random.Generator, mean: float) -> list[np.ndarray]:
        return [
            np.asarray(random.normal(mean, size=shape), "float32") for shape in self.shapes.values()
        ]

    def make(self) -> tuple[Any, list[keras.Variable]]:
        """Return a new, built optimizer and its variables."""
        pairs = zip(self.shapes, self.start, strict=True)
        variables = [keras.Variable(value.copy(), name=name) for name, value in pairs]
        optimizer = getattr(optimizers, self.name)(**self.arguments)
        optimizer.build(variables)
        return optimizer, variables

    @property
    def changes(self) -> dict[str, float]:
        """The hyperparameters to set after half of the steps."""
        parameters = inspect.signature(getattr(optimizers, self.name)).parameters
        names = set(CHANGES) & set(parameters)
        if self.name == "ScheduleFreeAdamW":
            # Its state determines the training point for one beta_1 only.
            names.remove("beta_1")
        return {name: CHANGES[name] for name in sorted(names)}

    def run(self, step: Callable[[list[np.ndarray]], None], optimizer: Any) -> None:
        """Take all steps, and set the hyperparameters in between."""
        self.run_in_two(lambda gradients: [step(each) for each in gradients], optimizer)

    def run_in_two(self, steps: Callable[[list], Any], optimizer: Any) -> None:
        """Take the steps in two calls of `steps`, a function of several steps' gradients."""
        steps(self.gradients[:BEFORE])
        for name, value in self.changes.items():
            setattr(optimizer, name, value)
        steps(self.gradients[BEFORE:])

    def expected(self) -> list[np.ndarray]:
        """Return the weights after all steps, by the equations in float64."""
        parameters = inspect.signature(getattr(optimizers, self.name)).parameters.values()
        h = {parameter.name: parameter.default for parameter in parameters} | self.arguments
        weights = [np.asarray(value, "float64") for value in self.start]
        states: list[dict] = [{} for _ in weights]
        for t, gradients in enumerate(self.gradients, 1):
            if t == BEFORE + 1:
                h |= self.changes
            now = SimpleNamespace(**h, decay=0.96)
            for n, gradient in enumerate(gradients):
                if now.weight_decay and self.name not in DECAY_BY_THEMSELVES:
                    weights[n] = weights[n] * (1 - now.learning_rate * now.weight_decay)
                gradient = np.asarray(gradient, "float64")
                weights[n] = FORMULAS[self.name](weights[n], gradient, states[n], t, now)
        return weights

    def check(self, weights: list[Any]) -> None:
        """Assert that weights match the equations, relative to the distance travelled."""
        for name, start, end, value in zip(
            self.shapes, self.start, self.expected(), weights, strict=True
        ):
            ours = np.asarray(keras.ops.convert_to_numpy(value), "float64")
            rounding = 8 * np.spacing(np.abs(end).astype("float32"))
            error = np.max(np.maximum(np.abs(ours - end) - rounding, 0.0), initial=0.0)
            distance = np.max(np.abs(end - start))
            limit = TOLERANCES.get(self.name, TOLERANCE)
            assert error <= limit * distance, f"{name}: off by {error / distance:.1e}"
