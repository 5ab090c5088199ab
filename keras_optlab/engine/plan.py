"""What is decided once for each variable, when an optimizer is built."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, final

import keras
from keras import ops

from keras_optlab.engine import backend
from keras_optlab.engine.formula import COMPENSATION, Formula
from keras_optlab.engine.groups import path_of
from keras_optlab.engine.rounding import compensation_dtype, is_half
from keras_optlab.engine.slots import Slot

if TYPE_CHECKING:
    from keras_optlab.engine.optimizer import Optimizer


@final
@dataclass(frozen=True)
class Plan:
    """How one variable is updated.

    Args:
        group: Number of its `ParameterGroup` counted from 1; 0 where none matches.
        frozen: Whether it stays exactly as it is.
        formula: What updates it; the same object for all variables of one kind.
        slots: Its slots by name.
        partial_slots: Names of those whose first axis does not go with the variable's.
        kept: What a backend keeps of it from step to step.
    """

    group: int
    frozen: bool
    formula: Formula
    slots: dict[str, keras.Variable]
    partial_slots: frozenset[str]
    kept: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def dtype(self) -> str:
        """Dtype of the arithmetic."""
        return self.formula.dtype

    @cached_property
    def key(self) -> str:
        """Variables of one key share the hyperparameter tensors of a step."""
        return f"{self.group}/{self.dtype}"


def arithmetic_dtype(variable: Any) -> str:
    """float64 for float64 variables, float32 for all others."""
    dtype = keras.backend.standardize_dtype(variable.dtype)
    return dtype if dtype == "float64" else "float32"


def widest(dtypes: Iterable[str]) -> str:
    """float64 where any is, else float32."""
    return "float64" if "float64" in set(dtypes) else "float32"


def assign_groups(optimizer: "Optimizer", variables: list[Any]) -> list[int]:
    """For each variable the number of the first group that matches it, 0 where none does.

    Raises:
        ValueError: For a group that matches nothing or overrides what cannot be overridden.
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
    return [
        next((number for number, group in enumerate(groups, 1) if group.matches(variable)), 0)
        for variable in variables
    ]


def make_plans(optimizer: "Optimizer", variables: list[Any], groups: list[int]) -> list[Plan]:
    """Make the slots of all variables, and the plan of each."""
    declared = [
        # Keras writes such a variable's "gradient" into it, without any update.
        {} if getattr(variable, "overwrite_with_gradient", False) else optimizer.slots(variable)
        for variable in variables
    ]
    made = _make_slots(optimizer, variables, declared)
    for number, (variable, slots) in enumerate(zip(variables, made, strict=True)):
        if optimizer.rounding == "compensated" and is_half(variable.dtype):
            slots[COMPENSATION] = optimizer.extra_state.add_zeros(
                f"{COMPENSATION}_{number}",
                tuple(variable.shape),
                compensation_dtype(variable.dtype),
                optimizer.layout_of(variable),
            )
    formulas: dict[tuple, Formula] = {}
    return [
        Plan(
            group=group,
            frozen=group > 0 and optimizer.groups[group - 1].learning_rate_multiplier == 0.0,
            formula=_formula(optimizer, variable, group, tuple(made_slots), formulas),
            slots=made_slots,
            partial_slots=frozenset(name for name, slot in own.items() if not slot.by_rows),
        )
        for variable, group, own, made_slots in zip(variables, groups, declared, made, strict=True)
    ]


def _formula(
    optimizer: "Optimizer", variable: Any, group: int, slots: tuple, formulas: dict[tuple, Formula]
) -> Formula:
    """The formula of a variable, from those made already where one of its kind is."""
    is_whole = optimizer.needs_whole and optimizer.needs_whole(variable)
    kind = (
        _decay_name(optimizer, variable, group),
        arithmetic_dtype(variable),
        not optimizer.totals and not is_whole,
    )
    return formulas.setdefault((slots, kind), Formula(optimizer, *kind))


def _decay_name(optimizer: "Optimizer", variable: Any, group: int) -> str | None:
    """Name of the hyperparameter that decays a variable, or None where nothing does."""
    identities, pattern = optimizer.exclusions
    if optimizer.identity(variable) in identities:
        return None
    if pattern and (pattern.search(variable.name) or pattern.search(path_of(variable))):
        return None
    name = optimizer.decay_name(variable) if optimizer.decay_name else "weight_decay"
    return None if optimizer.setting_in_group(name, group).value is None else name


def _make_slots(
    optimizer: "Optimizer", variables: list[Any], declared: list[dict[str, Slot]]
) -> list[dict[str, keras.Variable]]:
    made: list[dict[str, keras.Variable]] = [{} for _ in variables]
    filled_with = cache(_filled_with)
    for block in sorted({slot.block for slots in declared for slot in slots.values()}):
        for variable, slots, own in zip(variables, declared, made, strict=True):
            for name, slot in slots.items():
                if slot.block == block:
                    with backend.known_as(name):
                        own[name] = _make_slot(optimizer, variable, name, slot, filled_with)
    return made


def _filled_with(number: float) -> Callable[..., Any]:
    """An initializer, whose tensors variables share where the backend allows it."""
    constant = keras.initializers.Constant(number) if number else keras.initializers.Zeros()
    return backend.shared(constant)


def _make_slot(
    optimizer: "Optimizer",
    variable: Any,
    name: str,
    slot: Slot,
    filled_with: Callable[[float], Callable[..., Any]],
) -> keras.Variable:
    if callable(slot.initial):

        def initializer(shape: tuple, dtype: str | None = None) -> Any:
            # A copy: a slot that shares the variable's memory would be updated with it.
            return ops.copy(ops.cast(slot.initial(variable), dtype))
    else:
        initializer = filled_with(slot.initial)
    dtype = arithmetic_dtype(variable)
    if optimizer.slot_dtype and not slot.exact:
        dtype = optimizer.slot_dtype
    if slot.shape is None:
        return optimizer.add_variable_from_reference(variable, name, initializer, dtype)
    name = f"{path_of(variable).replace('/', '_')}_{name}"
    return optimizer.add_variable(slot.shape, initializer, dtype, name=name)
