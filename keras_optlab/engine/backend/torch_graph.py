"""A formula as a graph of torch's bare operations, to be run one by one or compiled to one loop.

Keras' operations take longer to start than a block of a variable does.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.passes.dialect.common.cse_pass import CSEPass

from keras_optlab.engine.backend import torch_rewriting
from keras_optlab.engine.block import Block

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula


@final
class Program:
    """A formula, or a part of it, as a graph of torch's operations.

    What it computes of numbers alone is done once a step, and not once a block; in a compiled loop
    even once an element, since the compiler cannot know that writing leaves the numbers alone.

    Args:
        graph: The graph.
        tensor_count: How many of what it takes are tensors of some rows; numbers come after them.
    """

    def __init__(self, graph: fx.GraphModule, tensor_count: int) -> None:
        self.of_numbers, self.of_rows = torch_rewriting.numbers_apart(graph, tensor_count)
        self.forms: dict[Any, Callable[..., Any]] = {}

    def bound(
        self, h: dict[str, Any], compiled: bool = False, any_size: bool = False
    ) -> Callable[..., dict[str, torch.Tensor]]:
        """A function of the tensors of some rows, with the numbers of a step.

        Args:
            h: The hyperparameters that the graph was made with, with the values of this step.
            compiled: Whether it is one compiled loop, or operations that write where they may.
            any_size: Whether one compiled loop serves tensors of any size.
        """
        form = ("compiled", any_size) if compiled else "eager"
        if form not in self.forms:
            self.forms[form] = (
                torch.compile(self.of_rows, dynamic=any_size)
                if compiled
                else torch_rewriting.rewritten(self.of_rows)
            )
        run = self.forms[form]
        numbers = self.of_numbers(*_numbers(h))
        return lambda *tensors: run(*tensors, *numbers)


def totals(
    formula: "Formula", stage: int, shape: tuple[int, ...], tensors: dict[str, Any], h: dict
) -> Program:
    """A graph that takes tensors of some rows, and gives their part of a formula's totals."""

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        return formula.total(stage, _block(formula, named, numbers, shape))

    return _program(formula, ("totals", stage), function, tensors, h)


def first(
    formula: "Formula",
    shape: tuple[int, ...],
    tensors: dict[str, Any],
    h: dict,
    returned: frozenset[str],
) -> Program:
    """A graph that updates the slots that come before all else.

    Args:
        formula: The formula.
        shape: Shape of the whole variable.
        tensors: The tensors by name: `value`, `gradient` and the slots.
        h: Hyperparameters by name, and the totals.
        returned: Names of the slots that are not updated; the graph gives their new values.
    """

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        return _write(named, formula.first(_block(formula, named, numbers, shape)), returned)

    return _program(formula, ("first", returned), function, tensors, h)


def update(
    formula: "Formula",
    shape: tuple[int, ...],
    tensors: dict[str, Any],
    h: dict,
    first_done: bool = False,
) -> Program:
    """A graph that takes tensors of some rows, where `h` has the totals, and updates them.

    Args:
        formula: The formula.
        shape: Shape of the whole variable.
        tensors: The tensors by name: `value`, `gradient` and the slots.
        h: Hyperparameters by name, and the totals.
        first_done: Whether the slots that come first are new already.
    """

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        block = _block(formula, named, numbers, shape)
        new, new_slots = formula.finish(block, first={} if first_done else None)
        return _write(named, {"value": new, **new_slots})

    return _program(formula, ("update", first_done), function, tensors, h)


def whole_update(formula: "Formula", tensors: dict[str, Any], h: dict) -> Program:
    """A graph that takes the tensors of a whole variable and updates them, totals included."""

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        whole = _block(formula, named, numbers, ())
        new, new_slots = formula(whole.parameter, whole.gradient, whole.slots, whole.h)
        return _write(named, {"value": new, **new_slots})

    return _program(formula, "whole update", function, tensors, h)


def _write(
    named: dict[str, torch.Tensor], new: dict[str, Any], returned: frozenset[str] = frozenset()
) -> dict[str, Any]:
    for name in new.keys() - returned:
        named[name].copy_(new[name])
    return {name: new[name] for name in returned & new.keys()}


def _block(
    formula: "Formula", named: dict[str, Any], numbers: dict[str, Any], shape: tuple[int, ...]
) -> Block:
    own_rows = formula.optimizer.totals_by_rows
    h = numbers | {name: named[name] for name in own_rows if name in named}
    slots = {name: x for name, x in named.items() if name not in ("value", "gradient", *own_rows)}
    return Block(named["value"], named["gradient"], slots, h, shape)


def _program(
    formula: "Formula",
    use: Any,
    function: Callable[[dict, dict], dict[str, Any]],
    tensors: dict[str, torch.Tensor],
    h: dict[str, Any],
) -> Program:
    """A function as a program, from those made already where it is the same."""
    settled = {name: x for name, x in h.items() if _is_settled(x)}
    kinds = [
        (name, x.dtype, x.device, x.dim() if formula.elementwise else x.shape)
        for name, x in tensors.items()
    ]
    key = (use, *kinds, *h, *settled.items())
    if key not in formula.compiled:
        names = [name for name in h if name not in settled]

        def flat(*given: torch.Tensor) -> dict[str, Any]:
            named = dict(zip(tensors, given, strict=False))
            numbers = dict(zip(names, given[len(tensors) :], strict=True))
            return function(named, numbers | settled)

        # With fake tensors, since tracing with real ones would make the step.
        graph = make_fx(flat, tracing_mode="fake")(*tensors.values(), *_numbers(h))
        graph.graph.eliminate_dead_code()
        formula.compiled[key] = Program(CSEPass()(graph).graph_module, len(tensors))
    return formula.compiled[key]


def _numbers(h: dict[str, Any]) -> list[torch.Tensor]:
    """What a graph takes after the tensors: the hyperparameters that are not settled."""
    return [torch.as_tensor(x) for x in h.values() if not _is_settled(x)]


def _is_settled(x: Any) -> bool:
    return isinstance(x, (bool, float))
