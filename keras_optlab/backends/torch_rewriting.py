"""Rewriting of torch graphs to fewer operations, in place where possible.

An operation on a block of a variable is a pass over the cache, but a new buffer for its result is
one over memory. Without rewriting, a step takes 1.5 to 2.3 times as long for a variable of 4
million elements (RMSprop, Nadam, Lion, Lamb, Adafactor), and 1.3 to 1.4 times as long for 60 small
ones in bundles (RMSprop, Nadam, Lion), on 2 CPU cores. The graph alone saves nothing.
"""

import operator
from copy import deepcopy
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten
ADD, SUBTRACT = aten.add.Tensor, aten.sub.Tensor


def rewritten(graph: fx.GraphModule) -> fx.GraphModule:
    """Return a graph that computes the same in fewer operations."""
    graph = deepcopy(graph)
    _scale_while_adding(graph.graph)
    _multiply_while_adding(graph.graph)
    _write_in_place(graph)
    return graph


def _scale_while_adding(graph: fx.Graph) -> None:
    """Merge `a ± s b`, where s is a number, into one operation."""
    numbers: dict[fx.Node, fx.Node] = {}
    for node in list(graph.nodes):
        if not _is_sum(node) or node.kwargs:
            continue
        a, b = node.args
        if node.target is ADD and not _is_scaled(b):
            a, b = b, a
        if not (_is_scaled(b) and _alike(a, node)):
            continue
        number, tensor = _number_first(b)
        with graph.inserting_before(node):
            if number not in numbers:
                numbers[number] = graph.call_method("item", (number,))
            _replace(node, node.target, (a, tensor), {"alpha": numbers[number]})
    graph.eliminate_dead_code()


def _multiply_while_adding(graph: fx.Graph) -> None:
    """Merge `a ± s b c` into one operation, and `a ± s b / c` as well."""
    for node in list(graph.nodes):
        if not _is_sum(node):
            continue
        a, b = node.args
        factors = _factors(b, node)
        if not (factors and _alike(a, node)):
            continue
        scale = node.kwargs.get("alpha", 1.0)
        with graph.inserting_before(node):
            if b.target is aten.div.Tensor and scale == 1.0 and _is_scaled(factors[0]):
                number, tensor = _number_first(factors[0])
                factors, scale = (tensor, factors[1]), graph.call_method("item", (number,))
            if node.target is SUBTRACT:
                scale = graph.call_function(operator.neg, (scale,))
            joint = aten.addcdiv if b.target is aten.div.Tensor else aten.addcmul
            _replace(node, joint.default, (a, *factors), {"value": scale})
    graph.eliminate_dead_code()


def _is_sum(node: fx.Node) -> bool:
    return node.target in (ADD, SUBTRACT) and node.meta["val"].is_floating_point()


def _is_scaled(x: Any) -> bool:
    """Whether something is a tensor times a number, and used only once."""
    if not isinstance(x, fx.Node) or x.target is not aten.mul.Tensor or len(x.users) > 1:
        return False
    if not all(isinstance(factor, fx.Node) for factor in x.args):
        return False
    number, tensor = _number_first(x)
    is_number = number.meta["val"].dim() == 0 and number.meta["val"].is_floating_point()
    return is_number and _alike(tensor, x)


def _number_first(product: fx.Node) -> list[fx.Node]:
    factors: list[Any] = list(product.args)
    return sorted(factors, key=lambda factor: factor.meta["val"].dim())


def _factors(x: Any, like: fx.Node) -> tuple[fx.Node, ...] | None:
    """Return the operands of a product or quotient used only once, if they are like `like`."""
    if not isinstance(x, fx.Node) or len(x.users) > 1:
        return None
    factors: tuple[Any, ...]
    if x.target is aten.pow.Tensor_Scalar and x.args[1] == 2:
        factors = (x.args[0], x.args[0])
    elif x.target in (aten.mul.Tensor, aten.div.Tensor):
        factors = x.args
    else:
        return None
    return factors if all(_alike(factor, like) for factor in factors) else None


def _replace(node: fx.Node, target: Any, args: tuple, kwargs: dict[str, Any]) -> None:
    new = node.graph.call_function(target, args, kwargs)
    new.meta = node.meta
    node.replace_all_uses_with(new)
    node.graph.erase_node(node)


def _write_in_place(module: fx.GraphModule) -> None:
    """Make elementwise operations write where their result is copied to, or over an operand.

    Only if nothing reads the overwritten tensor later.
    """
    nodes = list(module.graph.nodes)
    position = {node: number for number, node in enumerate(nodes)}
    targets: dict[fx.Node, fx.Node] = {}
    for copy in nodes:
        if copy.target is not aten.copy_.default:
            continue
        target, source = copy.args[:2]
        other_uses = [position[user] for user in target.users if user is not copy]
        free = max(other_uses, default=-1) <= position[source] and not _has_views(target)
        if free and source not in targets and _alike(source, target) and _writing(source):
            targets[source] = target
            copy.replace_all_uses_with(source)
            module.graph.erase_node(copy)
    left = list(module.graph.nodes)
    last_use = {node: max((position[x] for x in node.users), default=-1) for node in left}
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
    """Whether a view may share the memory of a result."""
    operations = [user.target for user in node.users if user.op == "call_function"]
    return any(getattr(operation, "is_view", False) for operation in operations)


def _alike(x: Any, y: fx.Node) -> bool:
    """Whether something is a tensor, not a scalar, with the shape, dtype and device of `y`."""
    if not isinstance(x, fx.Node):
        return False
    one, other = x.meta["val"], y.meta["val"]
    return (
        one.dim() > 0
        and one.shape == other.shape
        and one.dtype == other.dtype
        and one.device == other.device
    )


def _writing(node: fx.Node) -> Any:
    """Return the form of an elementwise operation that takes an `out` argument, or None."""
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
