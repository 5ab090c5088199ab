"""The interface between engine and backends, with defaults that suit most backends."""

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
    """Abstract base class for all that differs between TensorFlow, JAX and torch.

    The default methods are right for a backend that runs steps eagerly, on one device, and keeps
    no state. Other backends override them.
    """

    # Whether a compiled step treats everything outside `optimizer.variables` as constant. Other
    # backends read variables wherever they are kept.
    step_sees_only_its_variables: ClassVar[bool] = False
    # Whether `lookups` returns each row once, with the sum of its gradients.
    lookups_are_summed: ClassVar[bool] = False

    # How updates run.

    @abstractmethod
    def run(self, updates: "Sequence[Update]", jit_compile: str | bool) -> None:
        """Update all variables.

        Args:
            updates: The variables with their gradients and plans.
            jit_compile: Whether to compile formulas: True, False, or `"auto"` for whatever is
                fastest.
        """

    @abstractmethod
    def measure(
        self, updates: "Sequence[Update]", number: int, jit_compile: str | bool
    ) -> list[dict[str, Any]]:
        """Run a pass over the model on all variables, and write its new slots.

        Args:
            updates: The variables with their gradients and plans.
            number: Index of the pass among those of each formula.
            jit_compile: As for `run`.

        Returns:
            Each variable's part of the sums over the model, by name.
        """

    @abstractmethod
    def start(self, condition: Any, updates: "Sequence[Update]") -> None:
        """Set the state of variables to what `Formula.started` returns, if a condition holds.

        Args:
            condition: Boolean scalar.
            updates: The variables with their plans and numbers.
        """

    def prepare(  # noqa: B027, to do nothing is right
        self, plans: "Sequence[Plan]", variables: Sequence[Any], held: Callable[[Any], Any]
    ) -> None:
        """Prepare for updates once, when the optimizer is built; compiled steps do so when traced.

        Args:
            plans: The plan of each variable.
            variables: The variables.
            held: Function that returns what a Keras variable holds, ignoring any scope.
        """

    # Conditions.

    def conditionally(
        self,
        condition: Any,
        then: Callable[[], None],
        otherwise: Callable[[], None],
        variables: list[Any],
    ) -> None:
        """Call `then` or `otherwise`, depending on a boolean scalar; both may set `variables`."""
        return then() if condition else otherwise()

    def branch(self, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        """Return the result of `then` or `otherwise`, depending on a boolean scalar."""
        return then() if condition else otherwise()

    # Tracing and contexts.

    def in_trace(self) -> bool:
        """Whether variables created now have no value until the traced step has run."""
        return False

    def outside_trace(self) -> AbstractContextManager:
        """Return a context in which variables are created and set at once, even while tracing."""
        return nullcontext()

    def as_written(self, function: Callable) -> Callable:
        """Exempt a function from rewriting by the backend's compilers."""
        return function

    def no_gradient(self) -> AbstractContextManager:
        """Return a context in which operations are not recorded for differentiation."""
        return nullcontext()

    def to_host(self, tensor: Any) -> Any:
        """Return the value of a tensor or variable as NumPy, or None if a trace has none yet."""
        return ops.convert_to_numpy(tensor)

    # Variables.

    def known_as(self, name: str) -> AbstractContextManager:
        """Return a context in which the backend gives all new variables the same name."""
        return nullcontext()

    def shared(self, initializer: Callable[..., Any]) -> Callable[..., Any]:
        """Return an initializer that may give several variables the same tensor.

        By default it does not, since variables are written in place or donate their memory.
        """
        return initializer

    def checkpointed(self, variables: dict[str, keras.Variable]) -> Any:
        """Return the variables as an object that the backend's checkpoints save with its owner."""
        return None

    @abstractmethod
    def read_rows(self, variable: Any, rows: Any) -> Any:
        """Return some rows of a variable."""

    @abstractmethod
    def write_rows(self, variable: Any, rows: Any, values: Any) -> None:
        """Overwrite some rows of a variable."""

    # Replicas.

    def has_replicas(self) -> bool:
        """Whether this step runs on one of several replicas, each with its part of the batch."""
        return False

    def sum_over_replicas(self, gradients: list[Any]) -> list[Any]:
        """Return the sums over all replicas, the same on each of them."""
        return gradients

    # Random numbers.

    def random_state(self) -> list[int]:
        """Return the state of the backend's generator, if layers without a seed draw from it."""
        return []

    def set_random_state(self, state: list[int]) -> None:  # noqa: B027, as for `prepare`
        """Restore what `random_state` returned."""

    # Gradients.

    def shaped(self, gradient: Any, shape: tuple[int, ...]) -> Any:
        """Return a gradient with its variable's shape, which by default it always has."""
        return gradient

    @abstractmethod
    def is_sparse(self, gradient: Any) -> bool:
        """Whether a gradient has the sparse type that the backend uses for embeddings."""

    @abstractmethod
    def lookups(self, gradient: Any) -> tuple[Any, Any] | None:
        """Return the row numbers and values of a sparse gradient, or None for any other."""

    @abstractmethod
    def lookups_from(self, rows: Any, values: Any, shape: tuple[int, ...]) -> Any:
        """Return a sparse gradient for a variable of a shape; the inverse of `lookups`."""

    @abstractmethod
    def dense(self, gradient: Any) -> Any:
        """Return a gradient as a dense tensor; rows that occur more than once are summed."""

    # Operations that Keras lacks, or lacks in some dtypes.

    @abstractmethod
    def bits_of(self, x: Any) -> Any:
        """Return the bits of a float32 tensor as int32."""

    @abstractmethod
    def float_of(self, bits: Any) -> Any:
        """Return the float32 tensor that has these bits."""

    @abstractmethod
    def maximum(self, x: Any, y: Any) -> Any:
        """Return the elementwise maximum; float64 stays float64, unlike in Keras."""

    @abstractmethod
    def minimum(self, x: Any, y: Any) -> Any:
        """Return the elementwise minimum; float64 stays float64, unlike in Keras."""

    def sum_along(self, x: Any, axis: int) -> Any:
        """Return the sum over one axis."""
        return ops.sum(x, axis)

    def total(self, x: Any) -> Any:
        """Return the sum of all elements, row by row: one long float32 sum would lose digits."""
        return ops.sum(ops.sum(x, -1)) if len(x.shape) else x
