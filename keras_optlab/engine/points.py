"""Training at one point and evaluating at another: schedule-free methods, averages, Lookahead."""

from typing import TYPE_CHECKING, Any, final

from keras import ops

from keras_optlab.backends import backend
from keras_optlab.engine.algorithm import Values

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer
    from keras_optlab.engine.plan import Plan


def training_point_name(n: int) -> str:
    """Return the name in files of the training point of variable number `n`."""
    return f"training_point_{n}"


@final
class Points:
    """Moves the variables of an optimizer between the training and evaluation points.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: "Optimizer") -> None:
        self.optimizer = optimizer

    @property
    def differ(self) -> bool:
        """Whether the evaluation point differs from the training point."""
        transforms = self.optimizer.engine.transforms
        return self.optimizer.evaluation_point is not None or any(
            each.transform.evaluates_elsewhere for each in transforms
        )

    def check(self) -> None:
        """Check that there is at most one evaluation point.

        Raises:
            ValueError: If there are several.
        """
        optimizer = self.optimizer
        owners = [type(optimizer).__name__] if optimizer.evaluation_point else []
        owners += [
            repr(each.transform)
            for each in optimizer.engine.transforms
            if each.transform.evaluates_elsewhere
        ]
        if len(owners) > 1:
            raise ValueError(
                "A model can be evaluated at one point only. Received: "
                f"{' and '.join(owners)}, each of which defines an evaluation point. Keep one of "
                "them."
            )

    @property
    def is_evaluating(self) -> bool:
        """Whether the variables are at the evaluation point, not at the training point."""
        return self.differ and bool(backend.to_host(self.optimizer.engine.evaluating) > 0)

    def to_evaluation(self) -> None:
        """Move the variables to the evaluation point, and keep the training point."""
        optimizer = self.optimizer
        if not self.differ or not optimizer.built or self.is_evaluating:
            return
        if not backend.to_host(optimizer.iterations) > 0:
            # The two points coincide until the first step, which also sets the slots.
            return
        for n, variable in enumerate(optimizer.built_on):
            point = ops.copy(variable)
            optimizer.extra_state.keep(training_point_name(n), point)
            variable.assign(self._evaluation_point(n, point))
        optimizer.engine.evaluating.assign(1.0)

    def to_training(self) -> None:
        """Move the variables back to the training point, except those changed in the meantime."""
        optimizer = self.optimizer
        if not optimizer.built or not self.is_evaluating:
            return
        self.fetch()
        for n, variable in enumerate(optimizer.built_on):
            kept = optimizer.extra_state.take(training_point_name(n))
            if kept is None:
                kept = self._training_point(n, variable)
            elif not ops.all(self._evaluation_point(n, kept) == variable.value):
                kept = ops.copy(variable)
                self._start_slots_from(n, variable)
            variable.assign(kept)
        optimizer.engine.evaluating.assign(0.0)

    def fetch(self) -> None:
        """Fetch the training point that a restored TensorFlow checkpoint holds."""
        optimizer = self.optimizer
        if optimizer.built and self.is_evaluating:
            for n, variable in enumerate(optimizer.built_on):
                optimizer.extra_state.fetch(training_point_name(n), variable)

    def _start_slots_from(self, n: int, variable: Any) -> None:
        """Reset the slots that start from the parameter, as the first step would."""
        plan = self.optimizer.engine.plans[n]
        declared = dict(plan.formula.algorithm.slots(variable))
        for each in plan.formula.transforms:
            declared |= each.named(each.transform.slots(variable))
        for name, slot in declared.items():
            if callable(slot.initial):
                value = ops.cast(slot.initial(variable), plan.dtype)
                for part, x in plan.formula.storages.encode_slot(name, value, ()).items():
                    plan.slots[part].assign(ops.copy(x))

    def _evaluation_point(self, n: int, point: Any) -> Any:
        """Return the evaluation point of variable number `n`, given its training point."""
        plan = self.optimizer.engine.plans[n]
        if plan.frozen or not plan.slots:
            return ops.convert_to_tensor(point)
        p, slots, h = self._given(plan, point)
        if self.optimizer.evaluation_point:
            p = self.optimizer.evaluation_point(p, Values(**slots), h)
        for each in plan.formula.transforms:
            evaluation_point = each.transform.evaluation_point
            if evaluation_point is not None:
                age = ops.cast(self.optimizer.engine.numbers.ages[each.name], plan.dtype)
                seen = Values(**vars(h) | each.derived(vars(h), age))
                p = evaluation_point(p, each.own(slots), each.numbers(seen))
        return ops.cast(p, self.optimizer.built_on[n].dtype)

    def _training_point(self, n: int, point: Any) -> Any:
        """Return the training point of variable number `n`, given its evaluation point.

        Where it cannot be computed, return the evaluation point.
        """
        plan = self.optimizer.engine.plans[n]
        if plan.frozen or not plan.slots or not self.optimizer.training_point:
            return ops.convert_to_tensor(point)
        p, slots, h = self._given(plan, point)
        p = self.optimizer.training_point(p, Values(**slots), h)
        return ops.cast(p, self.optimizer.built_on[n].dtype)

    def _given(self, plan: "Plan", point: Any) -> tuple[Any, dict[str, Any], Values]:
        """Return the arguments for an algorithm's `evaluation_point` and `training_point`."""
        optimizer = self.optimizer
        with backend.no_gradient():
            rate = optimizer.learning_rate
            numbers = optimizer.engine.numbers.hyperparameters(plan.group, plan.dtype, rate)
            slots = plan.formula.storages.decode_slots(plan.slots, plan.dtype)
            return ops.cast(point, plan.dtype), slots, Values(**numbers)
