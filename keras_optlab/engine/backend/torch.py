"""torch: steps run eagerly, and must not be recorded for differentiation.

Each operation of eager torch is a pass over memory into a buffer made for it, and costs some
microseconds of Python. So large variables are updated in blocks that stay in the processor's cache,
and small ones many at a time; torch's own fused kernels are used where one computes the same
(`torch_kernels`); and `jit_compile=True` makes one compiled loop of a formula.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial as partial_function
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import torch

from keras_optlab.engine.backend import torch_bundles, torch_graph, torch_kernels

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula
    from keras_optlab.engine.plan import Plan
    from keras_optlab.engine.update import Update

# Steps run eagerly and read variables wherever they are kept.
STEP_SEES_ONLY_ITS_VARIABLES = False

# Whether `keras.ops.cast(0.9, "float64")` is 0.9 rounded to float32, as it is for most
# hyperparameters of the built-ins.
CAST_ROUNDS_PYTHON_NUMBERS = False

# Whether `lookups` names each row once, with the sum of its gradients.
LOOKUPS_ARE_SUMMED = True

# Keras' Nadam takes 1 - beta after beta was rounded to float32 (0.99900001), except on torch:
# 6e-6 of a step.
NADAM_ROUNDS_BETAS_FIRST = False

# Elements of a block: all that a formula holds of it fits into the cache, and the time that torch
# takes to start an operation is small beside the time for the block.
BLOCK = 1 << 19

# The same for a compiled formula, which takes longer to start and keeps nothing of its block; what
# it cannot help keeping stays a part of a large variable.
COMPILED_BLOCK = 1 << 23


def run(updates: "list[Update]", jit_compile: str | bool) -> None:
    """Update all variables."""
    first = next(iter(updates), None)
    if jit_compile is False or (first and first.variable.value is not first.plan.kept["tensor"]):
        # In a `keras.StatelessScope` variables stand for tensors that are not ours to write.
        for update in updates:
            _run_alone(update)
        return
    bundles, others = torch_bundles.split(updates)
    for bundle, own in bundles:
        for job in _by_kernels([bundle.gather(own)], jit_compile):
            _run_job(job, jit_compile)
        bundle.write_back()
    small: dict[tuple, list] = {}
    for job in _by_kernels(_jobs(others), jit_compile):
        update, value, gradient, slots = job
        formula = update.plan.formula
        if value.numel() < torch_bundles.LARGE:
            shape = None if formula.elementwise else tuple(value.shape)
            dtypes = (value.dtype, gradient.dtype, *(slot.dtype for slot in slots.values()))
            kind = (formula, update.plan.key, value.device, dtypes, shape)
            small.setdefault(kind, []).append(job)
        else:
            _run_job(job, jit_compile)
    for (formula, *_), alike in small.items():
        _run_together(formula, alike, jit_compile is True)


def _by_kernels(jobs: list[torch_kernels.Job], jit_compile: str | bool) -> list[torch_kernels.Job]:
    """The jobs that are left to the formula."""
    return torch_kernels.run(jobs) if jit_compile == "auto" else jobs


def _run_job(job: torch_kernels.Job, jit_compile: str | bool) -> None:
    """Update one large variable."""
    update, value, gradient, slots = job
    formula = update.plan.formula
    if jit_compile is True and not (formula.stages and value.dim() == 2):
        _run_compiled(formula, value, gradient, slots, _h(update))
    elif value.device.type != "cpu":
        _store(value, slots, *formula(value, gradient, slots, _h(update)))
    else:
        _run_in_blocks(update, value, gradient, slots, jit_compile is True)


def _h(update: "Update") -> dict[str, Any]:
    """The hyperparameters, as Python numbers where that makes the formula simpler."""
    return update.h | update.plan.formula.settled(update.h)


def _jobs(updates: "list[Update]") -> list[torch_kernels.Job]:
    """Each update with its tensors: the variable's, the gradient and the slots'.

    They are detached, since torch's compiler refuses views of what may require a gradient.
    """
    return [
        (
            update,
            update.variable.value.detach(),
            update.gradient.detach(),
            {name: slot.value.detach() for name, slot in update.plan.slots.items()},
        )
        for update in updates
    ]


def prepare(plans: "list[Plan]", variables: list[Any], held: Callable[[Any], Any]) -> None:
    """Bundle small variables."""
    with torch.no_grad():
        torch_bundles.make(plans, variables, held)
    for plan, variable in zip(plans, variables, strict=True):
        plan.kept["tensor"] = held(variable)


def _run_alone(update: "Update") -> None:
    """Update a variable by single operations, through Keras."""
    slots = {name: slot.value for name, slot in update.plan.slots.items()}
    parts = (update.variable.value, update.gradient, slots, _h(update))
    new, new_slots = update.plan.formula(*parts)
    update.variable.assign(new)
    for name, new_slot in new_slots.items():
        update.plan.slots[name].assign(new_slot)


def _store(
    value: torch.Tensor, slots: dict[str, torch.Tensor], new: Any, new_slots: dict[str, Any]
) -> None:
    value.copy_(new)
    for name, new_slot in new_slots.items():
        slots[name].copy_(new_slot)


def _run_in_blocks(
    update: "Update",
    value: torch.Tensor,
    gradient: torch.Tensor,
    slots: dict[str, torch.Tensor],
    compiled: bool,
) -> None:
    formula, h, shape = update.plan.formula, _h(update), tuple(value.shape)
    by_rows = [name for name in slots if name not in update.plan.partial_slots]
    tensors = {"value": value, "gradient": gradient} | {name: slots[name] for name in by_rows}
    if formula.elementwise and all(tensor.is_contiguous() for tensor in tensors.values()):
        tensors = {name: tensor.view(-1) for name, tensor in tensors.items()}
    elif not formula.stages or len(shape) > 2:
        _store(value, slots, *formula(value, gradient, slots, h))
        return
    partial = {name: slots[name] for name in update.plan.partial_slots}
    size = COMPILED_BLOCK if compiled else BLOCK

    def in_blocks(
        make_program: Callable[..., torch_graph.Program], h: dict[str, Any]
    ) -> Iterator[dict[str, torch.Tensor]]:
        """What a program gives for each block of rows."""
        rows = max(1, size // tensors["value"][:1].numel())
        pieces = [tensor.split(rows) for tensor in tensors.values()]
        run_it, length = None, None
        for block in zip(*pieces, strict=True):
            # The last one may be shorter.
            if len(block[0]) != length:
                length = len(block[0])
                program = make_program(dict(zip(tensors, block, strict=True)) | partial, h)
                run_it = program.bound(h, compiled)
            yield run_it(*block, *partial.values())

    for stage in range(formula.stages):
        program_for = partial_function(torch_graph.totals, formula, stage, shape)
        parts: dict[str, list[torch.Tensor]] = {}
        for part in in_blocks(program_for, h):
            for name, total in part.items():
                parts.setdefault(name, []).append(total)
        own_rows = parts.keys() & set(formula.optimizer.totals_by_rows)
        tensors |= {name: torch.cat(parts.pop(name)) for name in own_rows}
        h = h | {name: torch.stack(blocks).sum(0) for name, blocks in parts.items()}
    first_apart = bool(formula.stages and formula.optimizer.first_slots)
    if first_apart:
        returned = update.plan.partial_slots
        program_for = partial_function(torch_graph.first, formula, shape, returned=returned)
        # Each block gives the same for the slots that are not cut, which all of them read.
        *_, new_partial = in_blocks(program_for, h)
        for name, x in new_partial.items():
            partial[name].copy_(x)
    program_for = partial_function(torch_graph.update, formula, shape, first_done=first_apart)
    for _ in in_blocks(program_for, h):
        pass


def _run_together(formula: "Formula", alike: list, compiled: bool) -> None:
    """Update small variables of one kind, as many at a time as make a block."""
    start = 0
    while start < len(alike):
        end, elements = start, 0
        while end < len(alike) and (end == start or elements < torch_bundles.LARGE):
            elements += alike[end][1].numel()
            end += 1
        updates, values, gradients, slots = zip(*alike[start:end], strict=True)
        h = _h(updates[0])
        if formula.elementwise:
            _run_joined(formula, values, gradients, slots, h, compiled)
        elif len(updates) > 1:
            _run_stacked(formula, values, gradients, slots, h)
        else:
            _store(values[0], slots[0], *formula(values[0], gradients[0], slots[0], h))
        start = end


def _run_joined(
    formula: "Formula", values: Any, gradients: Any, slots: Any, h: dict, compiled: bool
) -> None:
    """Update variables as one long vector, which an elementwise formula cannot tell from them."""
    lists = {"value": values} | {name: [own[name] for own in slots] for name in slots[0]}
    joined = {name: _joined(tensors) for name, tensors in lists.items()}
    gradient = _joined(gradients)
    own = {name: x for name, x in joined.items() if name != "value"}
    if compiled:
        _run_compiled(formula, joined["value"], gradient, own, h)
    else:
        tensors = {"value": joined["value"], "gradient": gradient, **own}
        torch_graph.update(formula, (), tensors, h).bound(h)(*tensors.values())
    sizes = [value.numel() for value in values]
    for name, vector in joined.items():
        parts = zip(vector.split(sizes), lists[name], strict=True)
        torch._foreach_copy_(list(lists[name]), [part.view(x.shape) for part, x in parts])


def _joined(tensors: Any) -> torch.Tensor:
    return torch.cat([tensor.reshape(-1) for tensor in tensors])


def _run_stacked(formula: "Formula", values: Any, gradients: Any, slots: Any, h: dict) -> None:
    """Update variables of one shape side by side, each a whole of its own."""
    lists = {name: [own[name] for own in slots] for name in slots[0]}
    stacked = {name: torch.stack(tensors) for name, tensors in lists.items()}
    side_by_side = torch.vmap(lambda p, g, own: formula(p, g, own, h))
    new, new_slots = side_by_side(torch.stack(values), torch.stack(gradients), stacked)
    torch._foreach_copy_(list(values), list(new))
    for name, new_slot in new_slots.items():
        torch._foreach_copy_(lists[name], list(new_slot))


def _run_compiled(
    formula: "Formula",
    value: torch.Tensor,
    gradient: torch.Tensor,
    slots: dict[str, torch.Tensor],
    h: dict[str, Any],
) -> None:
    """Update a variable by one compiled loop, which writes where it has read."""
    tensors = {"value": value, "gradient": gradient, **slots}
    if formula.elementwise and all(tensor.is_contiguous() for tensor in tensors.values()):
        tensors = {name: tensor.view(-1) for name, tensor in tensors.items()}
    program = torch_graph.whole_update(formula, tensors, h)
    program.bound(h, compiled=True, any_size=formula.elementwise)(*tensors.values())


def has_replicas() -> bool:
    """Whether this step is one of several replicas'; torch leaves that to the user's loop."""
    return False


def sum_over_replicas(gradients: list[Any]) -> list[Any]:
    """The gradients; there are no replicas."""
    return gradients


def checkpointed(variables: dict[str, keras.Variable]) -> Any:
    """Nothing: Keras' files are what saves an optimizer here."""
    return None


def conditionally(
    condition: Any, then: Callable[[], None], otherwise: Callable[[], None], variables: list
) -> None:
    """Do one thing or the other with variables, as a boolean scalar says."""
    return then() if condition else otherwise()


def once_if(condition: Any, update: Callable[[Any, Any], Any], state: Any) -> Any:
    """The state after an update if a condition holds, and else as it is."""
    return update(0.0, state) if condition else state


def random_state() -> list[int]:
    """The state of torch's own generator, from which Keras' layers draw here."""
    return torch.get_rng_state().tolist()


def set_random_state(state: list[int]) -> None:
    """Put back what `random_state` returned."""
    torch.set_rng_state(torch.tensor(state, dtype=torch.uint8))


def is_sparse(gradient: Any) -> bool:
    """Whether a gradient is one of those that torch has for embeddings."""
    return isinstance(gradient, torch.Tensor) and gradient.is_sparse


def lookups(gradient: Any) -> tuple[Any, Any] | None:
    """Row numbers and values of a sparse gradient; None for any other."""
    if not is_sparse(gradient) or gradient.sparse_dim() != 1:
        return None
    gradient = gradient.coalesce()
    return gradient.indices()[0].to(torch.int32), gradient.values()


def lookups_from(rows: Any, values: Any, shape: tuple[int, ...]) -> torch.Tensor:
    """A sparse gradient of a variable of a shape; the opposite of `lookups`."""
    return torch.sparse_coo_tensor(rows[None], values, shape)


def read_rows(variable: Any, rows: Any) -> Any:
    """Some rows of a variable."""
    return variable.value.index_select(0, rows)


def write_rows(variable: Any, rows: Any, values: Any) -> None:
    """Overwrite some rows of a variable."""
    variable.value.index_copy_(0, rows.long(), values)


def bits_of(x: Any) -> Any:
    """The bits of a float32 tensor as int32."""
    return x.view(torch.int32)


def float_of(bits: Any) -> Any:
    """The float32 tensor that has these bits."""
    return bits.view(torch.float32)


def dense(gradient: Any) -> Any:
    """The gradient as an ordinary tensor; rows that occur more than once are summed."""
    return gradient.to_dense() if is_sparse(gradient) else gradient


def as_written(function: Callable) -> Callable:
    """The function itself; it is TensorFlow that rewrites functions."""
    return function


def no_gradient() -> AbstractContextManager:
    """A context in which operations are not recorded for differentiation."""
    return torch.no_grad()


def outside_trace() -> AbstractContextManager:
    """A context in which variables are made and assigned at once, also while tracing."""
    return nullcontext()


def known_as(name: str) -> AbstractContextManager:
    """A context that changes nothing: names are Keras' own here."""
    return nullcontext()


def shared(initializer: Callable[..., Any]) -> Callable[..., Any]:
    """The initializer itself: variables are written where they stand."""
    return initializer


def to_host(tensor: Any) -> np.ndarray | None:
    """The value as numpy; torch always has one."""
    return keras.ops.convert_to_numpy(tensor)


def decayed(parameter: Any, weight_decay: Any, learning_rate: Any) -> Any:
    """The parameter after decoupled weight decay, in the arithmetic of the built-ins."""
    # Keras takes the factor in float32 here, also for float64 variables: 3e-8 of a weight a step.
    factor = 1 - weight_decay.to(torch.float32) * learning_rate.to(torch.float32)
    return parameter * factor.to(parameter.dtype)


def maximum(x: Any, y: Any) -> Any:
    """The larger of two, element by element."""
    return torch.maximum(torch.as_tensor(x), torch.as_tensor(y))


def minimum(x: Any, y: Any) -> Any:
    """The smaller of two, element by element."""
    return torch.minimum(torch.as_tensor(x), torch.as_tensor(y))


def sum_along(x: Any, axis: int) -> Any:
    """The sum over one axis."""
    return torch.sum(x, axis)


def total(x: Any) -> Any:
    """The sum of all elements, row by row: one long sum in float32 would lose digits."""
    return torch.sum(torch.sum(x, -1)) if len(x.shape) else x
