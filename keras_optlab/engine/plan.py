"""Per-variable decisions, made once when an optimizer is built."""

import difflib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, final

import keras

from keras_optlab.engine import slot_variables
from keras_optlab.engine.algorithm import Algorithm
from keras_optlab.engine.formula import Formula
from keras_optlab.engine.groups import Combination, path_of
from keras_optlab.engine.slots import Start
from keras_optlab.engine.storage import arithmetic_dtype
from keras_optlab.engine.transform import for_variable

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


@final
@dataclass(frozen=True)
class Plan:
    """Update plan of one variable.

    Args:
        group: Index of its combination of groups in `Numbers.combinations`; 0 if no group matches.
        frozen: Whether updates leave the variable exactly unchanged.
        formula: Formula that updates it; the same object for all variables of one kind.
        slots: Its slots by name.
        partial_slots: Names of the slots whose first axis does not correspond to the variable's.
        starts: How the slots that start from the parameter are initialized, by name.
        kept: What a backend caches for the variable between steps.
    """

    group: int
    frozen: bool
    formula: Formula
    slots: dict[str, keras.Variable]
    partial_slots: frozenset[str]
    starts: dict[str, Start]
    kept: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def dtype(self) -> str:
        """Dtype of the arithmetic."""
        return self.formula.dtype

    def undecayed(self) -> "Plan":
        """Return the same plan without weight decay."""
        return replace(self, formula=self.formula.undecayed)

    @cached_property
    def key(self) -> str:
        """Key under which variables share the hyperparameter tensors of a step."""
        return f"{self.group}/{self.dtype}/{type(self.formula.algorithm).__name__}"


def assign_groups(
    optimizer: "Optimizer", variables: list[Any]
) -> tuple[list[Combination], list[int]]:
    """Return the combinations of groups that occur, and the index of each variable's combination.

    The first combination has no groups.

    Raises:
        ValueError: If a group matches no variable or overrides what cannot be overridden.
    """
    groups = optimizer.groups or ()
    allowed = optimizer.formula_hyperparameters()
    for group in groups:
        for name, value in group.overrides.items():
            if name not in allowed:
                close = difflib.get_close_matches(name, allowed, 1)
                hint = f" Did you mean `{close[0]}`?" if close else ""
                raise ValueError(
                    f"A group can override {', '.join(f'`{known}`' for known in allowed)} of "
                    f"{type(optimizer).__name__}. Received: `{name}` in {group!r}.{hint}"
                )
            allowed[name].normalize(value)
        if not any(group.matches(variable) for variable in variables):
            raise ValueError(
                f"Each group must match a variable. Received: {group!r}, which matches none of "
                f"{[path_of(variable) for variable in variables]}. Correct its `match`, or "
                "leave the group out."
            )
    combinations: dict[tuple[int, ...], Combination] = {(): Combination()}
    places = []
    for variable in variables:
        found = Combination.of(groups, variable)
        combinations.setdefault(found.members, found)
        places.append(list(combinations).index(found.members))
    return list(combinations.values()), places


def make_plans(optimizer: "Optimizer", variables: list[Any], groups: list[int]) -> list[Plan]:
    """Create the slots of all variables, and return the plan of each."""
    # Keras overwrites variables that have this flag with their "gradient": they get no update.
    updated = [not getattr(variable, "overwrite_with_gradient", False) for variable in variables]
    routes = [optimizer.route(variable) for variable in variables]
    around = [
        for_variable(optimizer.engine.transforms, variable) if is_updated else ()
        for variable, is_updated in zip(variables, updated, strict=True)
    ]
    declared = [
        route.slots(variable) if is_updated else {}
        for variable, route, is_updated in zip(variables, routes, updated, strict=True)
    ]
    draws = [
        is_updated and any(each.draws for each in (route, *(placed.transform for placed in own)))
        for route, own, is_updated in zip(routes, around, updated, strict=True)
    ]
    made = slot_variables.make(optimizer, variables, declared, around, draws)
    formulas: dict[tuple, Formula] = {}
    plans = []
    for number, (variable, route, group) in enumerate(zip(variables, routes, groups, strict=True)):
        slots, storages, partial, starts = made[number]
        kind = (
            route,
            _decay_name(optimizer, route, variable, group),
            optimizer.decoupled_weight_decay,
            arithmetic_dtype(variable),
            storages,
            around[number],
        )
        key = (tuple(slots), kind)
        if key not in formulas:
            formulas[key] = Formula(*kind)
        plan = Plan(
            group=group,
            frozen=optimizer.engine.numbers.multiplier(group) == 0.0,
            formula=formulas[key],
            slots=slots,
            partial_slots=partial,
            starts=starts,
        )
        plans.append(plan)
    return plans


def _decay_name(
    optimizer: "Optimizer", algorithm: Algorithm, variable: Any, group: int
) -> str | None:
    """Return the name of the hyperparameter that decays a variable, or None if none does."""
    if optimizer.engine.exclusions.contain(variable, optimizer.identity(variable)):
        return None
    name = algorithm.decay_hyperparameter
    return None if optimizer.engine.numbers.setting(name, group).value is None else name
