"""Graphs rewritten to fewer, in-place operations give the same numbers as the originals."""

import keras
import pytest

if keras.backend.backend() != "torch":
    pytest.skip("graphs of operations are torch's", allow_module_level=True)

import torch
from torch.fx.experimental.proxy_tensor import make_fx

from keras_optlab.backends import torch_rewriting


def operations(graph):
    return [
        str(node.target).removeprefix("aten.").partition(".")[0]
        for node in graph.graph.nodes
        if isinstance(node.target, torch._ops.OpOverload)
    ]


X, Y = torch.tensor([3.0, -2.0, 0.5]), torch.tensor([0.25, 7.0, -1.5])
S, R = torch.tensor(0.3), torch.tensor(1.7)

CASES = {
    "a + s b": (lambda x, y, s, r: x + s * y, ["add"]),
    "s a + b": (lambda x, y, s, r: s * x + y, ["add"]),
    "a - s b": (lambda x, y, s, r: x - y * s, ["sub"]),
    "s a + r b": (lambda x, y, s, r: s * x + r * y, ["mul", "add"]),
    "s a - b": (lambda x, y, s, r: s * x - y, ["mul", "sub"]),
    "a - s b^2": (lambda x, y, s, r: x - s * y**2, ["addcmul"]),
    "a + b c": (lambda x, y, s, r: x + x * y, ["addcmul"]),
    "a - b / c": (lambda x, y, s, r: x - x / y, ["addcdiv"]),
    "a - s b / c": (lambda x, y, s, r: x - s * y / x, ["addcdiv"]),
    "a + s (b / c)": (lambda x, y, s, r: x + s * (y / x), ["addcdiv"]),
    "a number and b c": (lambda x, y, s, r: s + x * y, ["mul", "add"]),
    "a product used twice": (lambda x, y, s, r: x + s * y - torch.exp(s * y), None),
    "rows and columns": (lambda x, y, s, r: x[:, None] + y[:, None] * x[None, :], None),
}


@pytest.mark.parametrize("name", CASES)
def test_a_sum_takes_one_operation(name):
    function, expected = CASES[name]
    graph = make_fx(function, tracing_mode="fake")(X, Y, S, R)
    rewritten = torch_rewriting.rewritten(graph)
    given = (X.clone(), Y.clone())
    torch.testing.assert_close(rewritten(*given, S, R), graph(X, Y, S, R), rtol=2e-7, atol=1e-7)
    assert torch.equal(given[0], X) and torch.equal(given[1], Y)
    assert expected is None or operations(rewritten) == expected


def test_whole_numbers_and_booleans_stay_as_they_are():
    bits, one = torch.tensor([1 << 24, 3], dtype=torch.int32), torch.tensor(5, dtype=torch.int32)

    def function(x, s, flag):
        return x + s * x, x + x * x, x.float() + flag * x.float()

    given = (bits, one, torch.tensor(True))
    graph = make_fx(function, tracing_mode="fake")(*given)
    for new, old in zip(torch_rewriting.rewritten(graph)(*given), graph(*given), strict=True):
        assert new.dtype == old.dtype and torch.equal(new, old)


def test_a_result_is_written_over_what_it_is_copied_to():
    def function(x, y, s, r):
        slot = r * y + x
        x.copy_(x - s * slot)
        y.copy_(slot)

    graph = make_fx(function, tracing_mode="fake")(X, Y, S, R)
    plain, written = (X.clone(), Y.clone()), (X.clone(), Y.clone())
    function(*plain, S, R)
    torch_rewriting.rewritten(graph)(*written, S, R)
    torch.testing.assert_close(written, plain, rtol=2e-7, atol=1e-7)
