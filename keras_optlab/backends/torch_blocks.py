"""torch: large variables, updated in blocks that stay in the processor's cache.

Each operation of eager torch is a pass over its operands and a new buffer. In a block, that is a
pass over the cache, not over memory.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from keras_optlab.backends import torch_graph
from keras_optlab.backends.torch_job import Job

# Elements of a block: all that a formula holds of it fits into the cache, and the time that torch
# takes to start an operation is small compared to the time for the block.
BLOCK = 1 << 19

# The same for a compiled formula, which takes longer to start and keeps no intermediates of its
# block. Any that it cannot avoid are only a fraction of a large variable.
COMPILED_BLOCK = 1 << 23


def run(job: Job, compiled: bool) -> None:
    """Update a variable in blocks if its formula can be cut, otherwise as a whole."""
    formula, h, shape = job.formula, job.h, tuple(job.value.shape)
    partial_slots = job.update.plan.partial_slots
    tensors = {name: x for name, x in job.tensors.items() if name not in partial_slots}
    if formula.elementwise and all(tensor.is_contiguous() for tensor in tensors.values()):
        tensors = {name: tensor.view(-1) for name, tensor in tensors.items()}
    elif not formula.is_cut_by_rows or len(shape) > 2:
        job.run()
        return
    uncut = {name: job.slots[name] for name in partial_slots}
    size = COMPILED_BLOCK if compiled else BLOCK

    def in_blocks(
        make_program: Callable[..., torch_graph.Program], h: dict[str, Any]
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Yield the result of a program for each block of rows."""
        rows = max(1, size // tensors["value"][:1].numel())
        pieces = [tensor.split(rows) for tensor in tensors.values()]
        programs: dict[int, Callable[..., dict[str, torch.Tensor]]] = {}
        for block in zip(*pieces, strict=True):
            # The last block may be shorter.
            if len(block[0]) not in programs:
                program = make_program(dict(zip(tensors, block, strict=True)) | uncut, h)
                programs[len(block[0])] = program.bound(h, compiled)
            yield programs[len(block[0])](*block, *uncut.values())

    for number in range(len(formula.stages)):
        program_for = partial(torch_graph.measure, formula, number, shape, returned=partial_slots)
        parts: dict[str, list[torch.Tensor]] = {}
        for part in in_blocks(program_for, h):
            for name, x in part.items():
                parts.setdefault(name, []).append(x)
        for name in partial_slots & parts.keys():
            # All blocks read the uncut slots, and return the same new values for them.
            uncut[name].copy_(parts.pop(name)[-1])
        sums = {name: torch.stack(blocks).sum(0) for name, blocks in parts.items()}
        h = h | {name.removeprefix(torch_graph.sum_name("")): x for name, x in sums.items()}
    for _ in in_blocks(partial(torch_graph.update, formula, shape), h):
        pass


def measure(job: Job, number: int) -> dict[str, Any]:
    """Run a pass over the model in blocks, and return the variable's part of its sums.

    Requires `is_flat`.
    """
    total: dict[str, Any] = {}
    names, h = list(job.slots), job.h
    tensors = job.tensors.values()
    for block in zip(*(tensor.view(-1).split(BLOCK) for tensor in tensors), strict=True):
        value, gradient, *rest = block
        slots = dict(zip(names, rest, strict=True))
        sums, new_slots = job.formula.measured(number, value, gradient, slots, h)
        for name, new_slot in new_slots.items():
            slots[name].copy_(new_slot)
        total = {name: total[name] + x if total else x for name, x in sums.items()}
    return total


def is_flat(job: Job) -> bool:
    """Whether the tensors can be cut anywhere, as vectors."""
    return job.formula.elementwise and all(
        tensor.is_contiguous() and tensor.shape == job.value.shape
        for tensor in job.tensors.values()
    )
