"""The small problem that all checks share: variables, gradients, and the resulting weights."""

import inspect
import unittest
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, final

import keras
import numpy as np
from keras import ops

from keras_optlab.engine.optimizer import Optimizer
from keras_optlab.testing.internals import Call, numpy, run_plainly, with_fixed_seed

# The table is a matrix too; sparse gradients hold some of its rows.
SHAPES = {"matrix": (6, 4), "vector": (4,), "scalar": (), "empty": (0, 3), "table": (8, 3)}
STEPS = 6

# Relative to the distance that a variable has travelled.
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}
# Units in the last place: a step rounds a weight twice, by decay and step, in each of two runs.
LAST_PLACES = 2


@final
class NotApplicable(unittest.SkipTest):
    """Error for a check that makes no sense for a class or backend; the message says why."""


@final
@keras.saving.register_keras_serializable("keras_optlab")
class Sample(keras.layers.Layer):
    """A linear layer on 6 features whose weights are the variables of the problem."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"name": "sample", **kwargs})

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        self.weights_by_name = {
            name: self.add_weight(shape=shape, initializer="zeros", name=name)
            for name, shape in SHAPES.items()
        }
        # Of full rank, so that no matrix algorithm has to divide rounding errors by each other.
        pattern = np.cos(np.arange(24.0) ** 2).reshape(SHAPES["table"])
        self.pattern = ops.convert_to_tensor(pattern, "float32")

    def call(self, x: Any) -> Any:
        """Return an output that each weight contributes to."""
        w = self.weights_by_name
        lookup = ops.sum(w["table"] * self.pattern) + ops.sum(w["empty"])
        return ops.matmul(x, w["matrix"]) + w["vector"] + w["scalar"] + lookup


@final
class Problem:
    """An optimizer class, with variables by name, their starting values and all gradients.

    Args:
        cls: The optimizer class.
        arguments: Arguments of its constructor.
        shapes: Shapes of the variables by name.
        steps: Number of steps.
        dtype: Dtype of the variables.

    Raises:
        TypeError: If the class is not a subclass of `Optimizer`.
    """

    def __init__(
        self,
        cls: type[Optimizer],
        arguments: dict[str, Any],
        shapes: dict[str, tuple[int, ...]] = SHAPES,
        steps: int = STEPS,
        dtype: str = "float32",
    ) -> None:
        if not (inspect.isclass(cls) and issubclass(cls, Optimizer)):
            raise TypeError(
                f"`cls` must be a subclass of keras_optlab's `Optimizer`. Received: {cls!r}"
            )
        self.cls = cls
        self.arguments = arguments
        self.shapes = shapes
        self.names = list(shapes)
        self.dtype = dtype
        self.steps = steps

    def like(self, **changes: Any) -> "Problem":
        """Return a problem of the same class with other shapes, steps or dtype.

        Groups are left out, since they match variables by name.
        """
        arguments = {name: value for name, value in self.arguments.items() if name != "groups"}
        return Problem(self.cls, arguments, **changes)

    def must_be_comparable(self) -> None:
        """Refuse to compare weights that depend on the last bits of intermediate values.

        Raises:
            NotApplicable: If they do.
        """
        if self.optimizer().slot_dtype == "bfloat16":
            raise NotApplicable(
                "bfloat16 slots use stochastic rounding, which depends on the last bits of the "
                "values"
            )

    @cached_property
    def start(self) -> list[np.ndarray]:
        """Starting values of the variables: small, so that their last place is small too."""
        return self._arrays(np.random.default_rng(1), 0.1)

    @cached_property
    def gradients(self) -> list[list[np.ndarray]]:
        """A list of gradients for each step."""
        generator = np.random.default_rng(2)
        return [self._arrays(generator, 1.0) for _ in range(self.steps)]

    def _arrays(self, generator: np.random.Generator, scale: float) -> list[np.ndarray]:
        return [
            np.asarray(generator.normal(scale=scale, size=shape), self.dtype)
            for shape in self.shapes.values()
        ]

    def optimizer(self, **changes: Any) -> Optimizer:
        """Return a new optimizer with some arguments changed; all draw the same random numbers."""
        return with_fixed_seed(self.cls(**{**self.arguments, **changes}))

    def variables(self) -> list[keras.Variable]:
        """Return new variables with their starting values."""
        return [
            keras.Variable(value.copy(), dtype=self.dtype, name=name)
            for name, value in zip(self.names, self.start, strict=True)
        ]

    def built(self, **changes: Any) -> tuple[Optimizer, list[keras.Variable]]:
        """Return a new optimizer and the new variables it is built for."""
        variables = self.variables()
        optimizer = self.optimizer(**changes)
        optimizer.build(variables)
        return optimizer, variables

    def model(self, optimizer: Optimizer, **compile_arguments: Any) -> keras.Model:
        """Return a model that trains the problem's variables, from their starting values."""
        model = keras.Sequential([keras.layers.Input((6,)), Sample()])
        for variable, value in zip(model.trainable_variables, self.start, strict=True):
            variable.assign(value)
        model.compile(optimizer=optimizer, loss="mse", **compile_arguments)
        return model

    # The plain formula

    def take_plain_steps(self) -> None:
        """Run the plain formula now, unless it has already run."""
        len(self.expected)

    @cached_property
    def _recorded(self) -> tuple[list[np.ndarray], list[Call]]:
        calls: list[Call] = []
        optimizer, variables = self.built()
        take_steps(run_plainly(optimizer, calls), variables, self.gradients)
        return arrays(variables), calls

    @property
    def expected(self) -> list[np.ndarray]:
        """The weights after all steps, by the plain formula."""
        return self._recorded[0]

    @property
    def calls(self) -> list[Call]:
        """The calls of `step` in all steps, in order."""
        return self._recorded[1]

    def expected_with(self, **changes: Any) -> list[np.ndarray]:
        """Return the weights after all steps, by the plain formula with some arguments changed."""
        optimizer, variables = self.built(**changes)
        take_steps(run_plainly(optimizer), variables, self.gradients)
        return arrays(variables)

    @cached_property
    def last_calls(self) -> list[Call]:
        """The calls of `step` in the last step."""
        in_a_step = len({call.name for call in self.calls})
        return self.calls[-in_a_step:]

    # Results

    def fault(self, what: str) -> AssertionError:
        """Return an error that names the class and its arguments."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        return AssertionError(f"{self.cls.__name__}({arguments}): {what}")

    def difference(
        self, found: Sequence[np.ndarray], expected: Sequence[np.ndarray] | None = None
    ) -> str:
        """Describe where weights differ by more than rounding; "" if they do not.

        Args:
            found: The weights.
            expected: The weights to expect; None for those of the plain formula.
        """
        expected = self.expected if expected is None else expected
        for name, start, end, value in zip(self.names, self.start, expected, found, strict=True):
            end, value = end.astype("float64"), value.astype("float64")
            if not np.all(np.isfinite(value)):
                return f"`{name}` is not finite"
            distance = np.max(np.abs(end - start), initial=0.0)
            rounding = LAST_PLACES * self.steps * np.spacing(np.abs(end).astype(self.dtype))
            error = np.max(np.maximum(np.abs(value - end) - rounding, 0.0), initial=0.0)
            if not error <= TOLERANCES[self.dtype] * distance:
                share = error / distance if distance else np.inf
                return f"`{name}` is off by {share:.1e} of the distance it travels"
        return ""

    # Hyperparameters

    @cached_property
    def other_values(self) -> dict[str, list[float]]:
        """Other allowed values of each hyperparameter that is a number and in use."""
        optimizer, _ = self.built()
        declared = {"learning_rate": self.cls.declared_arguments["learning_rate"]}
        declared |= {
            name: each
            for name, each in self.cls.formula_hyperparameters().items()
            if optimizer.uses(name)
        }
        values = {name: each.original(optimizer) for name, each in declared.items()}
        numbers = {name: value for name, value in values.items() if isinstance(value, (int, float))}
        others = {name: _others(declared[name], value) for name, value in numbers.items()}
        return {name: found for name, found in others.items() if found}


def _others(declared: Any, value: float) -> list[float]:
    """Return other values that a declared hyperparameter allows."""
    others = []
    # The first is close, so that few algorithms diverge, yet far enough from an epsilon of 1e-7.
    for candidate in (0.9 * value + 0.01, 0.99 * value, 1.01 * value, 2 * value, value + 1):
        try:
            other = declared.normalize(candidate)
        except (TypeError, ValueError):
            continue
        if other != value:
            others.append(other)
    return others


def tensors(gradient: Iterable[np.ndarray]) -> list[Any]:
    """Convert arrays to tensors."""
    return [ops.convert_to_tensor(value) for value in gradient]


def arrays(variables: Iterable[Any]) -> list[np.ndarray]:
    """Return copies of the values of variables."""
    return [numpy(variable) for variable in variables]


def take_steps(optimizer: Optimizer, variables: list[Any], gradients: Iterable[list]) -> None:
    """Take a step with each list of gradients."""
    for each in gradients:
        optimizer.apply(tensors(each), variables)


def first_line(error: BaseException) -> str:
    """Return the type of an error and the first line of its message, truncated."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text[:300]}".removesuffix(": ")
