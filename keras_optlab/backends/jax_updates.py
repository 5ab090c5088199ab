"""How updates run on JAX: formulas are inlined into the compiled step, or compiled separately."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
from jax.core import Tracer

from keras_optlab.backends import xla

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula
    from keras_optlab.engine.update import Update

# Outside a compiled step, fewer elements than this are not worth compiling.
LARGE = 1 << 16


def run(updates: "Sequence[Update]", jit_compile: str | bool) -> None:
    """Update all variables."""
    compiled: dict[tuple, list[Update]] = {}
    for update in updates:
        if not _is_worth_it(update, jit_compile):
            old = {name: slot.value for name, slot in update.plan.slots.items()}
            formula = update.plan.formula
            _store(update, formula(update.variable.value, update.gradient, old, update.h))
        else:
            compiled.setdefault((update.plan.formula, update.plan.key), []).append(update)
    for (formula, _), alike in compiled.items():
        states = [
            (update.variable.value, {name: slot.value for name, slot in update.plan.slots.items()})
            for update in alike
        ]
        gradients, h = [update.gradient for update in alike], alike[0].h
        run_one = _compiled(formula)
        pairs = zip(states, gradients, strict=True)
        new = [run_one(parameter, g, slots, h) for (parameter, slots), g in pairs]
        for update, state in zip(alike, new, strict=True):
            _store(update, state)


def start(condition: Any, updates: "Sequence[Update]") -> None:
    """Set the state of variables to what a step starts from, if a condition holds."""

    def started(states: list[xla.State]) -> list[xla.State]:
        new = []
        for update, (parameter, slots) in zip(updates, states, strict=True):
            formula, starts = update.plan.formula, update.plan.starts
            parameter, new_slots = formula.started(parameter, slots, update.h, starts)
            new.append((parameter, slots | new_slots))
        return new

    states = [
        (update.variable.value, {name: slot.value for name, slot in update.plan.slots.items()})
        for update in updates
    ]
    if isinstance(condition, Tracer):
        states = jax.lax.cond(condition, started, lambda states: states, states)
    elif condition:
        states = started(states)
    for update, state in zip(updates, states, strict=True):
        _store(update, state)


def measure(
    updates: "Sequence[Update]", number: int, jit_compile: str | bool
) -> list[dict[str, Any]]:
    """Run pass `number` over the model, and return each variable's part of its sums."""
    found = []
    for update in updates:
        formula = update.plan.formula
        old = {name: slot.value for name, slot in update.plan.slots.items()}
        run_one = partial(formula.measured, number)
        if _is_worth_it(update, jit_compile):
            run_one = formula.cache.setdefault(("measured", number), jax.jit(run_one))
        sums, new_slots = run_one(update.variable.value, update.gradient, old, update.h)
        for name, new_slot in new_slots.items():
            update.plan.slots[name].assign(new_slot)
        found.append(sums)
    return found


def _compiled(formula: "Formula") -> Callable[..., xla.State]:
    """Return the compiled formula; it is compiled only once."""
    if "called" not in formula.cache:
        function = partial(xla.in_order, formula) if _on_one_cpu() else formula
        formula.cache["called"] = jax.jit(function)
    return formula.cache["called"]


def _is_worth_it(update: "Update", jit_compile: str | bool) -> bool:
    """Whether to compile a formula for a variable; always True in a trace."""
    is_small = math.prod(update.variable.shape) < LARGE
    in_trace = isinstance(update.gradient, Tracer)
    return in_trace or not (jit_compile is False or (jit_compile == "auto" and is_small))


def _on_one_cpu() -> bool:
    """Whether an order pays: only XLA on CPU copies buffers, and it slows down sharded updates."""
    return jax.default_backend() == "cpu" and jax.device_count() == 1


def _store(update: "Update", state: tuple[Any, dict[str, Any]]) -> None:
    parameter, new_slots = state
    update.variable.assign(parameter)
    for name, new_slot in new_slots.items():
        update.plan.slots[name].assign(new_slot)
