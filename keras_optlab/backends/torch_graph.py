"""Formulas as graphs of bare torch operations, run one by one or compiled to one loop.

Keras' operations take longer to start than to compute on a block of a variable.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.passes.dialect.common.cse_pass import CSEPass

from keras_optlab.backends import torch_rewriting
from keras_optlab.backends.block import Block

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula


@final
class Program:
    """A formula, or a part of it, as a graph of torch's operations.

    Args:
        graph: The graph; it takes tensors of some rows, followed by numbers.
    """

    def __init__(self, graph: fx.GraphModule) -> None:
        self.graph = graph
        self.forms: dict[Any, Callable[..., Any]] = {}

    def bound(
        self, h: dict[str, Any], compiled: bool = False, any_size: bool = False
    ) -> Callable[..., dict[str, torch.Tensor]]:
        """Return a function of the tensors of some rows, bound to the numbers of a step.

        Args:
            h: The hyperparameters that the graph was made with, with the values of this step.
            compiled: Whether it is one compiled loop, or operations in place where possible.
            any_size: Whether one compiled loop serves tensors of any size.
        """
        form = ("compiled", any_size) if compiled else "eager"
        if form not in self.forms:
            self.forms[form] = (
                torch.compile(self.graph, dynamic=any_size)
                if compiled
                else torch_rewriting.rewritten(self.graph)
            )
        run = self.forms[form]
        numbers = _numbers(h)
        return lambda *tensors: run(*tensors, *numbers)


def measure(
    formula: "Formula",
    number: int,
    shape: tuple[int, ...],
    tensors: dict[str, Any],
    h: dict,
    returned: frozenset[str],
) -> Program:
    """Return a graph that runs a pass on tensors of some rows: it writes slots and returns sums.

    Args:
        formula: The formula.
        number: Index of the pass among the formula's stages.
        shape: Shape of the whole variable.
        tensors: The tensors by name: `value`, `gradient` and the slots.
        h: Hyperparameters by name, and the sums of earlier passes.
        returned: Names of the slots that are not written but returned along with the sums.
    """

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        block = _block(named, numbers, shape)
        sums, new_slots = formula.run_pass(formula.stages[number], block)
        return {sum_name(name): x for name, x in sums.items()} | _write(named, new_slots, returned)

    return _program(formula, ("measure", number, returned), function, tensors, h)


def sum_name(name: str) -> str:
    """Return the name of a sum in the results of `measure`, where no slot has it."""
    return f"sum of {name}"


def update(formula: "Formula", shape: tuple[int, ...], tensors: dict[str, Any], h: dict) -> Program:
    """Return a graph that updates tensors of some rows once the stages are done.

    Args:
        formula: The formula.
        shape: Shape of the whole variable.
        tensors: The tensors by name: `value`, `gradient` and the slots.
        h: Hyperparameters by name, and the sums of the stages.
    """

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        new, new_slots = formula.rest(_block(named, numbers, shape))
        return _write(named, {"value": new, **new_slots})

    return _program(formula, "update", function, tensors, h)


def _whole_update(formula: "Formula", tensors: dict[str, Any], h: dict) -> Program:
    """Return a graph that updates the tensors of a whole variable, stages included."""

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        whole = _block(named, numbers, ())
        new, new_slots = formula(whole.parameter, whole.gradient, whole.slots, whole.h)
        return _write(named, {"value": new, **new_slots})

    return _program(formula, "whole update", function, tensors, h)


def run_compiled(formula: "Formula", tensors: dict[str, torch.Tensor], h: dict[str, Any]) -> None:
    """Update a variable in place, by one compiled loop."""
    if formula.elementwise and all(tensor.is_contiguous() for tensor in tensors.values()):
        tensors = {name: tensor.view(-1) for name, tensor in tensors.items()}
    program = _whole_update(formula, tensors, h)
    program.bound(h, compiled=True, any_size=formula.elementwise)(*tensors.values())


def _write(
    named: dict[str, torch.Tensor], new: dict[str, Any], returned: frozenset[str] = frozenset()
) -> dict[str, Any]:
    for name in new.keys() - returned:
        named[name].copy_(new[name])
    return {name: new[name] for name in returned & new.keys()}


def _block(named: dict[str, Any], numbers: dict[str, Any], shape: tuple[int, ...]) -> Block:
    slots = {name: x for name, x in named.items() if name not in ("value", "gradient")}
    return Block(named["value"], named["gradient"], slots, numbers, shape)


def _program(
    formula: "Formula",
    use: Any,
    function: Callable[[dict, dict], dict[str, Any]],
    tensors: dict[str, torch.Tensor],
    h: dict[str, Any],
) -> Program:
    """Return a function as a program, reusing an earlier one if it is the same."""
    constants = {name: x for name, x in h.items() if _is_constant(x)}
    kinds = [
        (name, x.dtype, x.device, x.dim() if formula.elementwise else x.shape)
        for name, x in tensors.items()
    ]
    key = (use, *kinds, *h, *constants.items())
    if key not in formula.cache:
        names = [name for name in h if name not in constants]

        def flat(*given: torch.Tensor) -> dict[str, Any]:
            named = dict(zip(tensors, given, strict=False))
            numbers = dict(zip(names, given[len(tensors) :], strict=True))
            return function(named, numbers | constants)

        # With fake tensors, since tracing with real ones would take the step.
        graph = make_fx(flat, tracing_mode="fake")(*tensors.values(), *_numbers(h))
        graph.graph.eliminate_dead_code()
        formula.cache[key] = Program(_without_repeats(graph))
    return formula.cache[key]


def _without_repeats(graph: fx.GraphModule) -> fx.GraphModule:
    """Return a graph without repeated operations (common subexpressions)."""
    result = CSEPass()(graph)
    return result.graph_module if result else graph


def _numbers(h: dict[str, Any]) -> list[torch.Tensor]:
    """Return what a graph takes after the tensors: the hyperparameters that are not constant."""
    return [torch.as_tensor(x) for x in h.values() if not _is_constant(x)]


def _is_constant(x: Any) -> bool:
    return isinstance(x, (bool, float))
