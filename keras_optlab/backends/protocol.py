"""What the engine asks of a backend, with the answers that most of them give."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

import keras
from keras import ops

if TYPE_CHECKING:
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.update import Update


class Backend(metaclass=ABCMeta):
    """What differs between TensorFlow, JAX and torch; abstract.

    A method that is not abstract is right for a backend that runs steps eagerly, on one device,
    and keeps no state. A backend overrides it where that is not so.
    """

    # Whether a compiled step takes whatever is not in `optimizer.variables` for a constant. Others
    # read variables wherever they are kept.
    step_sees_only_its_variables: ClassVar[bool] = False
    # Whether `lookups` names each row once, with the sum of its gradients.
    lookups_are_summed: ClassVar[bool] = False

    # How updates run.

    @abstractmethod
    def run(self, updates: "Sequence[Update]", jit_compile: str | bool) -> None:
        """Update all variables.

        Args:
            updates: The variables with their gradients and plans.
            jit_compile: Whether formulas are compiled: True, False, or `"auto"` for what is
                fastest.
        """

    @abstractmethod
    def measure(
        self, updates: "Sequence[Update]", number: int, jit_compile: str | bool
    ) -> list[dict[str, Any]]:
        """Run a pass over the model on all variables, which writes the slots of the pass.

        Args:
            updates: The variables with their gradients and plans.
            number: Place of the pass among those of each formula.
            jit_compile: As for `run`.

        Returns:
            The sums of each variable by name, its part of those over the model.
        """

    @abstractmethod
    def start(self, condition: Any, updates: "Sequence[Update]") -> None:
        """Make the state of variables what `Formula.started` gives, where a condition holds.

        Args:
            condition: Boolean scalar.
            updates: The variables with their plans and numbers.
        """

    def prepare(  # noqa: B027, to do nothing is right
        self, plans: "Sequence[Plan]", variables: Sequence[Any], held: Callable[[Any], Any]
    ) -> None:
        """Get ready for updates by some plans, once; a compiled step does that when it is traced.

        Args:
            plans: The plan of each variable.
            variables: The variables.
            held: What a Keras variable holds, whatever scope asks.
        """

    # Conditions.

    def conditionally(
        self,
        condition: Any,
        then: Callable[[], None],
        otherwise: Callable[[], None],
        variables: list[Any],
    ) -> None:
        """Do one thing or the other with variables, as a boolean scalar says."""
        return then() if condition else otherwise()

    def branch(self, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        """What one function or the other returns, as a boolean scalar says."""
        return then() if condition else otherwise()

    # Tracing and contexts.

    def in_trace(self) -> bool:
        """Whether variables that are made now have no value before the traced step has run."""
        return False

    def outside_trace(self) -> AbstractContextManager:
        """A context in which variables are made and assigned at once, also while tracing."""
        return nullcontext()

    def as_written(self, function: Callable) -> Callable:
        """A function that no compiler of the backend rewrites."""
        return function

    def no_gradient(self) -> AbstractContextManager:
        """A context in which operations are not recorded for differentiation."""
        return nullcontext()

    def to_host(self, tensor: Any) -> Any:
        """The value of a tensor or variable as numpy, or None inside a trace that has none yet."""
        return ops.convert_to_numpy(tensor)

    # Variables.

    def known_as(self, name: str) -> AbstractContextManager:
        """A context in which the backend knows all variables that are made by one name."""
        return nullcontext()

    def shared(self, initializer: Callable[..., Any]) -> Callable[..., Any]:
        """An initializer that may give several variables the same tensor.

        By default it does not: variables are written where they stand, or give their memory away.
        """
        return initializer

    def checkpointed(self, variables: dict[str, keras.Variable]) -> Any:
        """The variables as an object that the backend's checkpoints save with its owner."""
        return None

    @abstractmethod
    def read_rows(self, variable: Any, rows: Any) -> Any:
        """Some rows of a variable."""

    @abstractmethod
    def write_rows(self, variable: Any, rows: Any, values: Any) -> None:
        """Overwrite some rows of a variable."""

    # Replicas.

    def has_replicas(self) -> bool:
        """Whether this step is that of one of several replicas, each with its part of the batch."""
        return False

    def sum_over_replicas(self, gradients: list[Any]) -> list[Any]:
        """The sums over all replicas, the same in each of them."""
        return gradients

    # Random numbers.

    def random_state(self) -> list[int]:
        """The state of the generator that layers without a generator draw from."""
        return []

    def set_random_state(self, state: list[int]) -> None:  # noqa: B027, as for `prepare`
        """Put back what `random_state` returned."""

    # Gradients.

    def shaped(self, gradient: Any, shape: tuple[int, ...]) -> Any:
        """A gradient of the shape that its variable has; by default it is always known."""
        return gradient

    @abstractmethod
    def is_sparse(self, gradient: Any) -> bool:
        """Whether a gradient is one of those that the backend has for embeddings."""

    @abstractmethod
    def lookups(self, gradient: Any) -> tuple[Any, Any] | None:
        """Row numbers and values of a sparse gradient; None for any other."""

    @abstractmethod
    def lookups_from(self, rows: Any, values: Any, shape: tuple[int, ...]) -> Any:
        """A sparse gradient of a variable of a shape; the opposite of `lookups`."""

    @abstractmethod
    def dense(self, gradient: Any) -> Any:
        """The gradient as an ordinary tensor; rows that occur more than once are summed."""

    # Operations that Keras does not have, or not in all dtypes.

    @abstractmethod
    def bits_of(self, x: Any) -> Any:
        """The bits of a float32 tensor as int32."""

    @abstractmethod
    def float_of(self, bits: Any) -> Any:
        """The float32 tensor that has these bits."""

    @abstractmethod
    def maximum(self, x: Any, y: Any) -> Any:
        """The larger of two, element by element; float64 stays float64, unlike in Keras."""

    @abstractmethod
    def minimum(self, x: Any, y: Any) -> Any:
        """The smaller of two, element by element; float64 stays float64, unlike in Keras."""

    def sum_along(self, x: Any, axis: int) -> Any:
        """The sum over one axis."""
        return ops.sum(x, axis)

    def total(self, x: Any) -> Any:
        """The sum of all elements, row by row: one long sum in float32 would lose digits."""
        return ops.sum(ops.sum(x, -1)) if len(x.shape) else x
