"""A formula as a graph of torch's bare operations, each of which writes where it may.

Keras' operations take longer than a block of a variable does, and a fresh buffer for each result is
a pass over memory that a result in the place of its operand is not.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.passes.dialect.common.cse_pass import CSEPass

if TYPE_CHECKING:
    from keras_optlab.engine.formula import Formula

COPY = torch.ops.aten.copy_.default


def totals(
    formula: "Formula", stage: int, shape: tuple[int, ...], tensors: dict[str, Any], h: dict
) -> Callable[..., dict[str, torch.Tensor]]:
    """A graph that takes tensors of some rows, and gives their part of a formula's totals."""

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        return formula.total(stage, *_parts(formula, named, numbers), shape)

    return _graph(formula, ("totals", stage), function, tensors, h)


def first(
    formula: "Formula",
    shape: tuple[int, ...],
    tensors: dict[str, Any],
    h: dict,
    returned: frozenset[str],
) -> Callable[..., dict[str, torch.Tensor]]:
    """A graph that updates the slots that come before all else.

    Args:
        formula: The formula.
        shape: Shape of the whole variable.
        tensors: The tensors by name: `value`, `gradient` and the slots.
        h: Hyperparameters by name, and the totals.
        returned: Names of the slots that are not updated; the graph gives their new values.
    """

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        return _write(named, formula.first(*_parts(formula, named, numbers), shape), returned)

    return _graph(formula, ("first", returned), function, tensors, h)


def update(
    formula: "Formula",
    shape: tuple[int, ...],
    tensors: dict[str, Any],
    h: dict,
    first_done: bool = False,
) -> Callable[..., Any]:
    """A graph that takes tensors of some rows, where `h` has the totals, and updates them.

    Args:
        formula: The formula.
        shape: Shape of the whole variable.
        tensors: The tensors by name: `value`, `gradient` and the slots.
        h: Hyperparameters by name, and the totals.
        first_done: Whether the slots that come first are new already.
    """

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        parts = _parts(formula, named, numbers)
        new, new_slots = formula.finish(*parts, shape, first={} if first_done else None)
        return _write(named, {"value": new, **new_slots})

    return _graph(formula, ("update", first_done), function, tensors, h)


def whole_update(formula: "Formula", tensors: dict[str, Any], h: dict) -> Callable[..., Any]:
    """A graph that takes the tensors of a whole variable and updates them, totals included."""

    def function(named: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
        new, new_slots = formula(*_parts(formula, named, numbers))
        return _write(named, {"value": new, **new_slots})

    return _graph(formula, "whole update", function, tensors, h)


def compiled(
    formula: "Formula", graph: fx.GraphModule, any_size: bool = False
) -> Callable[..., Any]:
    """A graph of a formula compiled to one loop, for tensors of any size or of one."""
    if graph not in formula.compiled:
        formula.compiled[graph] = torch.compile(graph, dynamic=any_size)
    return formula.compiled[graph]


def numbers_of(h: dict[str, Any]) -> list[torch.Tensor]:
    """What a graph takes after the tensors: the hyperparameters that are not settled."""
    return [torch.as_tensor(x) for x in h.values() if not isinstance(x, (bool, float))]


def _write(
    named: dict[str, torch.Tensor], new: dict[str, Any], returned: frozenset[str] = frozenset()
) -> dict[str, Any]:
    for name in new.keys() - returned:
        named[name].copy_(new[name])
    return {name: new[name] for name in returned & new.keys()}


def _parts(
    formula: "Formula", named: dict[str, Any], numbers: dict[str, Any]
) -> tuple[Any, Any, dict, dict]:
    own_rows = formula.optimizer.totals_by_rows
    h = numbers | {name: named[name] for name in own_rows if name in named}
    slots = {name: x for name, x in named.items() if name not in ("value", "gradient", *own_rows)}
    return named["value"], named["gradient"], slots, h


def _graph(
    formula: "Formula",
    use: Any,
    function: Callable[[dict, dict], dict[str, Any]],
    tensors: dict[str, torch.Tensor],
    h: dict[str, Any],
) -> Callable[..., Any]:
    """A function as a graph, from those made already where it is the same."""
    settled = {name: x for name, x in h.items() if isinstance(x, (bool, float))}
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
        graph = make_fx(flat, tracing_mode="fake")(*tensors.values(), *numbers_of(h))
        graph.graph.eliminate_dead_code()
        graph = CSEPass()(graph).graph_module
        _write_in_place(graph)
        formula.compiled[key] = graph
    return formula.compiled[key]


def _write_in_place(module: fx.GraphModule) -> None:
    """Let elementwise operations write where their result is copied to, or over an operand.

    Only where nothing reads what is overwritten any more.
    """
    nodes = list(module.graph.nodes)
    position = {node: number for number, node in enumerate(nodes)}
    targets: dict[fx.Node, fx.Node] = {}
    for copy in nodes:
        if copy.target is not COPY:
            continue
        target, source = copy.args[:2]
        other_uses = [position[user] for user in target.users if user is not copy]
        free = max(other_uses, default=-1) <= position[source] and not _has_views(target)
        if free and source not in targets and _alike(source, target) and _writing(source):
            targets[source] = target
            copy.replace_all_uses_with(source)
            module.graph.erase_node(copy)
    left = list(module.graph.nodes)
    last_use = {node: max(map(position.get, node.users), default=-1) for node in left}
    own = set()
    for node in left:
        written = _writing(node)
        if not written or not node.meta["val"].dim() or _has_views(node):
            continue
        place = targets.get(node)
        if place is None:
            own.add(node)
            over = [x for x in node.all_input_nodes if x in own and last_use[x] == position[node]]
            place = next((x for x in over if _alike(x, node)), None)
        if place is not None:
            node.target = written
            node.kwargs = {**node.kwargs, "out": place}
    module.recompile()


def _has_views(node: fx.Node) -> bool:
    """Whether something else may share the memory of a result."""
    operations = [user.target for user in node.users if user.op == "call_function"]
    return any(getattr(operation, "is_view", False) for operation in operations)


def _alike(x: fx.Node, y: fx.Node) -> bool:
    x, y = x.meta["val"], y.meta["val"]
    return x.dim() > 0 and x.shape == y.shape and x.dtype == y.dtype and x.device == y.device


def _writing(node: fx.Node) -> Any:
    """The form of an elementwise operation that writes where it is told, or None."""
    operation = node.target
    if (
        not isinstance(operation, torch._ops.OpOverload)
        or torch.Tag.pointwise not in operation.tags
    ):
        return None
    arguments = [argument.name for argument in operation._schema.arguments]
    packet = operation.overloadpacket
    for name in (f"{operation._overloadname}_out", "out"):
        form = getattr(packet, name) if name in packet.overloads() else None
        if form and [argument.name for argument in form._schema.arguments] == [*arguments, "out"]:
            return form
    return None
