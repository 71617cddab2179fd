"""Calls are seen under the names that people write, replaced one by one, and tried only in their roles."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from jaxd2l.parity.replacements import OF_VALUES, candidates, changed, record

X = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.gelu(self.a(x))
        y += x
        return self.b(y) / 2


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().double()


def hints(function, *args: torch.Tensor) -> str:
    module = nn.Module()
    return "\n".join(c.hint for c in candidates(record(lambda: function(*args), module), OF_VALUES))


def test_calls_know_their_module_and_what_they_come_from(net) -> None:
    program = record(lambda: net(X), net)
    sites = list(program.sites.values())
    assert [s.name for s in sites] == ["linear", "gelu", "add", "linear", "div"]
    assert [s.module for s in sites] == ["a", "", "", "b", ""]
    assert {s.name for s in program.before(sites[3])} == {"linear", "gelu", "add"}
    assert sites[4].scalar == 2
    assert program.is_own(net.a.weight, sites[0])
    assert not program.is_own(X, sites[0])


def test_one_call_is_replaced_and_the_module_stays_as_it_is(net) -> None:
    program = record(lambda: net(X), net)
    [gelu] = [s for s in program.sites.values() if s.name == "gelu"]
    expected = net.b(torch.relu(net.a(X)) + X) / 2
    before = net(X)
    torch.testing.assert_close(changed(lambda: net(X), {gelu.number: torch.relu}), expected)
    assert torch.equal(net(X), before)


def test_an_operation_is_tried_only_in_its_role() -> None:
    halved = hints(lambda x: (x @ x.mT / 2).tanh(), X)
    assert "attention scale" not in halved
    assert "the divisor 2 is missing" in halved
    assert "attention scale is missing" in hints(lambda x: F.softmax(x @ x.mT / math.sqrt(4), -1), X)
    assert "eps" not in hints(lambda x: (x + 1e-5).tanh(), X)
    assert "wrong eps" in hints(lambda x: x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-5), X)
    assert "skip connection" not in hints(lambda x: x + x.tanh(), X)
    assert "skip connection" in hints(lambda x: x + F.linear(x, torch.eye(4, dtype=x.dtype)), X)


def test_what_a_model_does_not_have_is_not_tried() -> None:
    found = hints(lambda x: x.tanh(), X)
    for word in ("padding", "eps", "mask", "gate", "flatten", "dropout", "embedding", "scale"):
        assert word not in found
    assert "tanh is missing" in found


def test_calls_of_one_kind_are_changed_together_too() -> None:
    twice = hints(lambda x: torch.relu(torch.relu(x) - 1), X)
    assert "activation: JAX has silu, torch relu (everywhere: 2 times)" in twice


def test_attention_as_a_layer_is_taken_apart() -> None:
    layer = nn.MultiheadAttention(4, 2, batch_first=True).double().eval()
    program = record(lambda: layer(X[None], X[None], X[None]), layer)
    names = {site.name for site in program.sites.values()}
    assert {"linear", "softmax", "matmul", "chunk"} <= names
    whole, weights = layer(X[None], X[None], X[None])
    by_formula, same = changed(lambda: layer(X[None], X[None], X[None]), {-1: torch.relu})
    torch.testing.assert_close(by_formula, whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(same, weights, rtol=0, atol=1e-14)


def test_what_switches_gradients_is_never_replaced() -> None:
    def compute() -> torch.Tensor:
        with torch.no_grad():
            return torch.relu(X).sum()

    changed(compute, dict.fromkeys(range(2, 20), lambda *args, **kwargs: X.sum()))
    assert torch.is_grad_enabled()
