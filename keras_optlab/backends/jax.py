"""JAX: a compiled step sees only what is passed in; gradients may be sparse (BCOO).

Keras' trainer compiles the whole step. Formulas are inlined into it and traced once per shape
(`jax_updates`).
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

import jax
import keras
import numpy as np
from jax import numpy as jnp
from jax.core import Tracer
from jax.experimental.sparse import BCOO, JAXSparse

from keras_optlab.backends import jax_updates
from keras_optlab.backends.protocol import Backend

if TYPE_CHECKING:
    from keras_optlab.engine.update import Update


@final
class JAX(Backend):
    """The JAX backend."""

    step_sees_only_its_variables: ClassVar[bool] = True

    def run(self, updates: "Sequence[Update]", jit_compile: str | bool) -> None:
        jax_updates.run(updates, jit_compile)

    def measure(
        self, updates: "Sequence[Update]", number: int, jit_compile: str | bool
    ) -> list[dict[str, Any]]:
        return jax_updates.measure(updates, number, jit_compile)

    def start(self, condition: Any, updates: "Sequence[Update]") -> None:
        jax_updates.start(condition, updates)

    def conditionally(
        self,
        condition: Any,
        then: Callable[[], None],
        otherwise: Callable[[], None],
        variables: list[Any],
    ) -> None:
        if not isinstance(condition, Tracer):
            return super().conditionally(condition, then, otherwise, variables)

        def branch(function: Callable[[], None]) -> Callable[[list], list]:
            def on_values(values: list) -> list:
                mapping = list(zip(variables, values, strict=True))
                with keras.StatelessScope(state_mapping=mapping) as scope:
                    function()
                return [scope.get_current_value(variable) for variable in variables]

            return on_values

        old = [variable.value for variable in variables]
        new = jax.lax.cond(condition, branch(then), branch(otherwise), old)
        for variable, value in zip(variables, new, strict=True):
            variable.assign(value)
        return None

    def branch(self, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        if not isinstance(condition, Tracer):
            return super().branch(condition, then, otherwise)
        return jax.lax.cond(condition, then, otherwise)

    def to_host(self, tensor: Any) -> Any:
        value = tensor.value if isinstance(tensor, keras.Variable) else tensor
        return None if isinstance(value, Tracer) else np.asarray(value)

    def read_rows(self, variable: Any, rows: Any) -> Any:
        return variable.value[rows]

    def write_rows(self, variable: Any, rows: Any, values: Any) -> None:
        variable.assign(variable.value.at[rows].set(values))

    def is_sparse(self, gradient: Any) -> bool:
        return isinstance(gradient, JAXSparse)

    def lookups(self, gradient: Any) -> tuple[Any, Any] | None:
        if not isinstance(gradient, BCOO) or (gradient.n_batch, gradient.n_sparse) != (0, 1):
            return None
        return gradient.indices[:, 0].astype("int32"), gradient.data

    def lookups_from(self, rows: Any, values: Any, shape: tuple[int, ...]) -> BCOO:
        return BCOO((values, rows[:, None]), shape=shape)

    def dense(self, gradient: Any) -> Any:
        return gradient.todense() if self.is_sparse(gradient) else gradient

    def bits_of(self, x: Any) -> Any:
        return jax.lax.bitcast_convert_type(x, jnp.int32)

    def float_of(self, bits: Any) -> Any:
        return jax.lax.bitcast_convert_type(bits, jnp.float32)

    def maximum(self, x: Any, y: Any) -> Any:
        return jnp.maximum(x, y)

    def minimum(self, x: Any, y: Any) -> Any:
        return jnp.minimum(x, y)


BACKEND = JAX()
