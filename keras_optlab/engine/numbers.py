"""The numbers of a step: hyperparameters, scalars, and values derived from both."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, final

import keras
from keras import ops

from keras_optlab.arguments.hyperparameter import COMPLEMENT, LearningRateSchedule, Setting
from keras_optlab.backends import backend
from keras_optlab.engine import random_stream
from keras_optlab.engine.algorithm import Algorithm, Values
from keras_optlab.engine.groups import Combination
from keras_optlab.engine.slots import Scalar
from keras_optlab.engine.transform import Placed

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer
    from keras_optlab.engine.plan import Plan


@final
class Numbers:
    """Finds the value of each number, wherever it comes from.

    A hyperparameter is a constant, a schedule, a variable that can be set while a compiled step
    is in use, or the override of a parameter group.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: "Optimizer") -> None:
        self.optimizer = optimizer
        # The combinations of groups that occur among the variables; the first has no groups.
        self.combinations = [Combination()]
        # The factor that multiplies a learning-rate schedule.
        self.scale = Setting(1.0)
        # The scalars by name, for each combination of groups.
        self.scalars: dict[int, dict[str, keras.Variable]] = {}
        # The number of steps that each transform has seen, by its name.
        self.ages: dict[str, keras.Variable] = {}

    # Hyperparameters

    def uses(self, name: str) -> bool:
        """Whether a hyperparameter is in use, in the optimizer or in one of its groups."""
        optimizer = self.optimizer
        declared: Any = optimizer.declared_arguments[name]
        setting = declared.setting(optimizer)
        if setting.variable is not None or name in (optimizer.settable or ()):
            return True
        groups = optimizer.groups or ()
        values = [setting.value]
        values += [group.overrides[name] for group in groups if name in group.overrides]
        return declared.is_needed(optimizer) and not all(map(declared.is_off, values))

    def setting(self, name: str, group: int = 0) -> Setting:
        """Return a hyperparameter's setting for a combination of groups; 0 stands for none."""
        declared: Any = self.optimizer.declared_arguments[name]
        overrides = self.combinations[group].overrides
        if name in overrides:
            return Setting(declared.normalize(overrides[name]))
        return declared.setting(self.optimizer)

    def multiplier(self, group: int) -> float:
        """Return the learning-rate multiplier of a combination of groups."""
        return self.combinations[group].learning_rate_multiplier

    def hyperparameters(self, group: int, dtype: str, learning_rate: Any) -> dict[str, Any]:
        """Return a group combination's step count and hyperparameters, as scalars of `dtype`."""
        optimizer = self.optimizer
        values = {
            "t": ops.cast(optimizer.iterations + 1, dtype),
            "learning_rate": ops.cast(learning_rate, dtype),
        }
        multiplier = self.multiplier(group)
        if multiplier != 1.0:
            values["learning_rate"] = values["learning_rate"] * multiplier
        for name, declared in optimizer.formula_hyperparameters().items():
            setting = self.setting(name, group)
            if setting.value is None or not self.uses(name):
                continue
            values[name] = setting.tensor(optimizer.step_count, dtype)
            if declared.complement:
                complement = setting.complement_tensor(optimizer.step_count, dtype)
                values[f"{COMPLEMENT}{name}"] = complement
        return values

    # A step

    def of_step(
        self, plans: Iterable["Plan"], learning_rate: Any, advances: bool
    ) -> dict[str, dict[str, Any]]:
        """Return the contents of `h` for the variables of a step, by `Plan.key`.

        Args:
            plans: Plans of the variables.
            learning_rate: Scalar tensor.
            advances: Whether scalars and ages advance, as they do once per step.
        """
        optimizer = self.optimizer
        if backend.to_host(optimizer.step_count) is None:
            optimizer.engine.traced = True
        used = {plan.key: plan for plan in plans if not plan.frozen}
        ages = {name: self._next_age(name) for name in self.ages}
        values = {}
        for key, plan in used.items():
            h = self._derived(plan.group, plan.dtype, learning_rate, plan.formula.algorithm)
            for each in optimizer.engine.transforms:
                h |= each.derived(h, ops.cast(ages[each.name], plan.dtype))
            if optimizer.evaluates_elsewhere:
                # A copy, since the variable is reset below, before the formula reads the value.
                h["evaluating"] = ops.copy(optimizer.engine.evaluating)
            if optimizer.engine.rounding_seed is not None:
                # A copy, since TensorFlow treats a variable as a different kind of argument.
                h["rounding_seed"] = ops.copy(optimizer.engine.rounding_seed)
            if optimizer.engine.random_seed is not None:
                step = optimizer.iterations + 1
                h[random_stream.KEY] = random_stream.key_of_step(optimizer.engine.random_seed, step)
            values[key] = h
        if not optimizer.model_passes:
            for group in sorted({plan.group for plan in used.values()}):
                new = self.advanced(group, learning_rate, {}, advances)
                for key, plan in used.items():
                    if plan.group == group:
                        values[key] |= {name: ops.cast(x, plan.dtype) for name, x in new.items()}
        if advances:
            for name, age in ages.items():
                optimizer.assign(self.ages[name], age)
        if optimizer.evaluates_elsewhere:
            optimizer.assign(optimizer.engine.evaluating, 0.0)
        return values

    def _derived(
        self, group: int, dtype: str, learning_rate: Any, algorithm: Algorithm
    ) -> dict[str, Any]:
        """Return hyperparameters, the scalars before they advance, and values derived from both."""
        h = self.hyperparameters(group, dtype, learning_rate)
        state = self.scalars[self._group_of_state(group)]
        h |= {name: ops.cast(ops.copy(variable), dtype) for name, variable in state.items()}
        return h | (algorithm.derive(Values(**h)) if algorithm.derive else {})

    def advanced(
        self, group: int, learning_rate: Any, sums: dict[str, Any], keeps: bool
    ) -> dict[str, Any]:
        """Return what `advance` computes for a group, and store the new scalars if `keeps`."""
        optimizer = self.optimizer
        state = self.scalars[self._group_of_state(group)]
        if not state:
            return {}
        h = self._derived(group, optimizer.engine.dtype, learning_rate, optimizer)
        old = {name: h[name] for name in state}
        # Defined: `check_together` refuses an algorithm with scalars and no `advance`.
        advance: Any = optimizer.advance
        new = advance(Values(**old), Values(**sums), Values(**h))
        for name, variable in state.items() if keeps else ():
            optimizer.assign(variable, new[name])
        return new

    def _group_of_state(self, group: int) -> int:
        """Return the group whose scalars apply: `group`, or 0 if sums are taken over the model."""
        return 0 if self.optimizer.model_passes else group

    # All gradients

    def of_clipping(self, name: str) -> dict[str, Any]:
        """Return the limit of a clipping argument, and the epsilon added to the global norm."""
        optimizer = self.optimizer
        step, dtype = optimizer.step_count, optimizer.engine.dtype
        h = {name: self.setting(name).tensor(step, dtype), "clip_epsilon": 0.0}
        if optimizer.global_clip_epsilon:
            epsilon = self.setting(optimizer.global_clip_epsilon)
            h["clip_epsilon"] = epsilon.tensor(step, dtype)
        return h

    def of_all_gradients(self, placed: Placed) -> dict[str, Any]:
        """Return `h` for a transform's `all_gradients`, without the overrides of any group."""
        optimizer = self.optimizer
        h = self.hyperparameters(0, optimizer.engine.dtype, optimizer.learning_rate)
        return h | placed.derived(h, ops.cast(self._next_age(placed.name), optimizer.engine.dtype))

    def _next_age(self, name: str) -> Any:
        """Return the number of steps that a transform has seen, including the current one."""
        return ops.add(ops.convert_to_tensor(self.ages[name]), 1)

    # Variables

    def build(self, groups: Iterable[int]) -> None:
        """Create the variables of all numbers that are saved or can be set.

        Args:
            groups: Indices of the combinations of groups that occur.
        """
        optimizer = self.optimizer
        for group in sorted({0, *groups}):
            self.scalars[group] = self._build_scalars(group)
        self._build_hyperparameters()
        for each in optimizer.engine.transforms:
            age = optimizer.extra_state.add(f"{each.name}_age", 0.0, optimizer.engine.dtype)
            self.ages[each.name] = age

    def _build_scalars(self, group: int) -> dict[str, keras.Variable]:
        optimizer = self.optimizer
        state = {}
        for name, scalar in self._declared_scalars().items():
            if scalar.saved_by_keras and group == 0:
                initializer: Any = keras.initializers.Constant(scalar.initial)
                state[name] = optimizer.add_variable(
                    shape=(),
                    initializer=initializer,
                    dtype=optimizer.engine.dtype,
                    name=name,
                )
            else:
                members = self.combinations[group].members
                saved_as = "_".join(["group", *map(str, members), name]) if group else name
                state[name] = optimizer.extra_state.add(
                    saved_as, scalar.initial, optimizer.engine.dtype
                )
        return state

    def _build_hyperparameters(self) -> None:
        """Create the variables of all hyperparameters that are in use and not schedules."""
        optimizer = self.optimizer
        state, dtype = optimizer.extra_state, optimizer.engine.dtype
        for name, declared in optimizer.hyperparameters().items():
            setting = declared.setting(optimizer)
            if not self.uses(name) or setting.value is None or setting.is_schedule:
                continue
            setting.variable = state.add(name, setting.value, dtype)
            if declared.complement:
                # A loaded file may have changed the number. Files of 0.1.0 may lack the complement.
                number = setting.current()
                setting.complement = state.add(f"{COMPLEMENT}{name}", 1.0 - number, dtype)
        if isinstance(optimizer.held_learning_rate, LearningRateSchedule):
            self.scale.variable = state.add("learning_rate_scale", self.scale.value, "float32")

    def _declared_scalars(self) -> dict[str, Scalar]:
        return self.optimizer.scalars() if self.optimizer.scalars else {}

    def restart(self) -> None:
        """Reset the numbers that built-ins do not save, as before the first step."""
        for age in self.ages.values():
            age.assign(0.0)
        declared = self._declared_scalars()
        for state in self.scalars.values():
            for name, variable in state.items():
                scalar = declared[name]
                if not scalar.saved_by_keras:
                    variable.assign(scalar.initial)
