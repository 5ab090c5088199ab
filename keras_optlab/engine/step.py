"""One step of an optimizer: its numbers, sums over the model, and the update of each variable."""

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, final

from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine import sparse, starting
from keras_optlab.engine.all_gradients import transformed
from keras_optlab.engine.plan import Plan
from keras_optlab.engine.update import Update

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


@final
class Stepper:
    """Runs the steps of an optimizer.

    Args:
        optimizer: The optimizer.
        run: Function that updates variables, like `backend.run`.
        measure: Function that runs a pass over the model, like `backend.measure`.
    """

    def __init__(
        self,
        optimizer: "Optimizer",
        run: Callable[..., None] = backend.run,
        measure: Callable[..., list[dict[str, Any]]] = backend.measure,
    ) -> None:
        self.optimizer = optimizer
        self.run = run
        self.measure = measure

    def update_all(
        self, gradients: Sequence[Any], variables: Sequence[Any], learning_rate: Any
    ) -> None:
        """Update all variables of a step."""
        plans = self._plans_of(variables)
        values = self.optimizer.engine.numbers.of_step(plans, learning_rate, advances=True)
        updates = [
            Update(variable, gradient, plan, values[plan.key])
            for variable, gradient, plan in zip(variables, gradients, plans, strict=True)
            if not plan.frozen
        ]
        starting.start(updates)
        self._run(self._with_model_sums(updates, learning_rate))

    def transformed(self, gradients: list[Any]) -> list[Any]:
        """Return the gradients of a step after clipping and transforms' `all_gradients` hooks."""
        return transformed(self.optimizer, gradients)

    def update_one(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable with the current numbers, without weight decay.

        Raises:
            ValueError: If the algorithm needs all variables at once.
        """
        optimizer = self.optimizer
        if optimizer.model_passes:
            raise ValueError(
                f"{type(optimizer).__name__} sums over all variables of a step, and so cannot "
                "update one of them. Call `apply` with the gradients of all."
            )
        gradient = sparse.of_variable(gradient, variable)
        plan = optimizer.engine.plans[optimizer.position(variable)].undecayed()
        values = optimizer.engine.numbers.of_step([plan], learning_rate, advances=False)
        if not plan.frozen:
            update = Update(variable, gradient, plan, values[plan.key])
            starting.start([update])
            self._run([update])

    def _with_model_sums(self, updates: list[Update], learning_rate: Any) -> list[Update]:
        """Run the passes over the model; return updates with the sums and new state in `h`."""
        optimizer, passes = self.optimizer, self.optimizer.model_passes
        if not passes or not updates:
            return updates
        updates = [update._replace(gradient=sparse.dense(update.gradient)) for update in updates]
        sums: dict[str, Any] = {}
        for number in range(len(passes)):
            parts = self.measure(updates, number, optimizer.jit_compile)
            found: dict[str, Any] = {}
            for part in parts:
                for name, x in part.items():
                    x = ops.cast(x, optimizer.engine.dtype)
                    found[name] = found[name] + x if name in found else x
            sums |= found
            if number == len(passes) - 1:
                found |= optimizer.engine.numbers.advanced(0, learning_rate, sums, keeps=True)
            updates = [
                update._replace(
                    h=update.h | {name: ops.cast(x, update.plan.dtype) for name, x in found.items()}
                )
                for update in updates
            ]
        return updates

    def _run(self, updates: Iterable[Update]) -> None:
        """Run updates; sparse gradients update only their rows if that is exact or requested."""
        dense = []
        for update in updates:
            if isinstance(update.gradient, sparse.RowGradient):
                if self._updates_rows_alone(update.plan):
                    sparse.run(update)
                    continue
                update = update._replace(gradient=update.gradient.dense())
            dense.append(update)
        self.run(dense, self.optimizer.jit_compile)

    def _plans_of(self, variables: Sequence[Any]) -> list[Plan]:
        """Return the plans of the variables of a step, in most cases the full list of plans."""
        optimizer = self.optimizer
        plans, built_on = optimizer.engine.plans, optimizer.built_on
        if len(variables) == len(plans) and all(map(operator.is_, variables, built_on)):
            return plans
        return [plans[optimizer.position(variable)] for variable in variables]

    def _updates_rows_alone(self, plan: Plan) -> bool:
        """Return whether the rows of a table that were not looked up remain unchanged."""
        optimizer, formula = self.optimizer, plan.formula
        rests_at_zero = formula.algorithm.rests_at_zero
        rests = rests_at_zero and rests_at_zero()
        rests = rests and not formula.weight_decay and not formula.transforms
        return formula.takes_rows and bool(optimizer.lazy or rests)
