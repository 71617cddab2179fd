"""A planted bug is named by torch's module and line and by the line of JAX that computes something else instead."""

from typing import Any

import flax.linen as fnn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from torch import nn

from jaxd2l import parity
from jaxd2l.parity import torch_side, torch_trace
from jaxd2l.parity.samples import as_samples
from jaxd2l.types import Model

RANDOM = np.random.default_rng(0)
X, SEQUENCES = RANDOM.normal(size=(5, 8)).astype(np.float32), RANDOM.normal(size=(4, 5, 6)).astype(np.float32)
IMAGES = RANDOM.normal(size=(3, 2, 6, 6)).astype(np.float32)


def checked(module: nn.Module, port: Any, inputs: np.ndarray, **options: Any) -> parity.Report:
    return parity.check(module, port, (inputs, np.zeros(len(inputs), np.int32)), **options)


def plain(module: nn.Module, apply: Any) -> dict[str, Any]:
    """A port that takes torch's own arrays by name."""
    like = {name: jnp.zeros(p.shape) for name, p in module.named_parameters()}
    return {"port": Model(lambda key: like, lambda p, x, *, key=None: apply(p, x)), "weights": lambda arrays: arrays}


def linear(p: dict[str, Any], name: str, x: Any) -> Any:
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = nn.functional.gelu(self.a(x))  # torch's line
        return x + self.b(h)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers, self.head = nn.ModuleList(Block() for _ in range(3)), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class NNXBlock(nnx.Module):
    def __init__(self, rngs: nnx.Rngs, *, wrong: bool) -> None:
        self.a, self.b, self.wrong = nnx.Linear(8, 16, rngs=rngs), nnx.Linear(16, 8, rngs=rngs), wrong

    def __call__(self, x):
        h = self.a(x)
        h = nnx.gelu(h, approximate=self.wrong)  # JAX's line
        return x + self.b(h)


class NNXResidual(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([NNXBlock(rngs, wrong=i == 1) for i in range(3)])
        self.head = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class ScannedBlock(fnn.Module):
    @fnn.compact
    def __call__(self, x, _):
        h = fnn.Dense(16, name="a")(x)
        h = jax.nn.gelu(h)  # JAX's line
        return x + fnn.Dense(8, name="b")(h), None


class ScannedResidual(fnn.Module):
    @fnn.compact
    def __call__(self, x):
        layers = fnn.scan(ScannedBlock, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        return fnn.Dense(3, name="head")(layers(name="layers")(x, None)[0])


def stacked(arrays: dict[str, Any]) -> Any:
    """The weights of three blocks as the scan takes them."""

    def dense(name: str) -> dict[str, Any]:
        every = [(arrays[f"layers.{i}.{name}.weight"].T, arrays[f"layers.{i}.{name}.bias"]) for i in range(3)]
        return {"kernel": jnp.stack([w for w, _ in every]), "bias": jnp.stack([b for _, b in every])}

    head = {"kernel": arrays["head.weight"].T, "bias": arrays["head.bias"]}
    return {"params": {"layers": {"a": dense("a"), "b": dense("b")}, "head": head}}


@pytest.mark.parametrize(
    ("port", "options", "layer"),
    [
        (NNXResidual, {}, "layers.1 (Block): gelu"),
        pytest.param(
            ScannedResidual(),
            {"weights": stacked},
            "layers.0 (Block): gelu",
            marks=pytest.mark.long,
            id="within a scan",
        ),
    ],
)
def test_an_operation_belongs_to_its_module(port, options, layer) -> None:
    report = checked(Residual(), port, X, **options)
    assert report.first_diverging == layer
    assert report.where is not None
    assert report.where.torch_line.text.endswith("# torch's line")
    assert report.where.jax_line.text.endswith("# JAX's line")
    assert report.where.torch_line.function == "Block.forward"


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm, self.last = nn.LSTM(6, 7, batch_first=True), nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.lstm(x)  # torch's line
        return self.last(outputs[:, -1])


def recurrent(p, x):
    """With the input and forget gates exchanged."""

    def cell(carry, x):
        h, c = carry
        gates = x @ p["lstm.weight_ih_l0"].T + h @ p["lstm.weight_hh_l0"].T
        f, i, g, o = jnp.split(gates + p["lstm.bias_ih_l0"] + p["lstm.bias_hh_l0"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zero = jnp.zeros((len(x), 7))
    _, outputs = jax.lax.scan(cell, (zero, zero), x.swapaxes(0, 1))  # JAX's line
    return linear(p, "last", outputs[-1])


@pytest.mark.long
def test_a_layer_that_returns_a_tuple_is_blamed_and_not_what_follows() -> None:
    module = Recurrent()
    report = checked(module, **plain(module, recurrent), inputs=SEQUENCES)
    assert report.first_diverging == "lstm (LSTM)"
    assert report.where.quantity == "lstm (LSTM) output[0]"
    assert report.where.torch_line.text.endswith("# torch's line")
    assert report.where.jax_line.text.endswith("# JAX's line")
    assert [match.layer for match in report.layers][:3] == [
        "lstm (LSTM) output[0]",
        "lstm (LSTM) output[1][0]",
        "lstm (LSTM) output[1][1]",
    ]


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(3, 6, 6) * 0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (x @ w for w in self.W)
        scores = q @ k.transpose(-1, -2) / 6**0.5
        weights = scores.softmax(-1)  # torch's line
        return weights @ v


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention, self.norm, self.last = Attention(), nn.LayerNorm(6), nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(x + self.attention(x))  # the norm's line
        return self.last(x)  # the last line


def attentive(bug: str, p, x):
    q, k, v = (x @ w for w in p["attention.W"])
    scores = jnp.einsum("btd,bsd->bts", q, k) / 6**0.5
    weights = jax.nn.softmax(scores, -2 if bug == "axis" else -1)  # JAX's line
    x = x + jnp.einsum("bts,bsd->btd", weights, v)
    centred, variance = x - x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    x = centred / jnp.sqrt(variance + (1e-6 if bug == "eps" else 1e-5))  # JAX's norm
    x = x * p["norm.weight"] + p["norm.bias"]
    return x @ p["last.weight"].T + (0 if bug == "bias" else p["last.bias"])  # JAX's last line


@pytest.mark.parametrize(
    ("bug", "layer", "torch_line", "jax_line"),
    [
        ("axis", "attention (Attention)", "# torch's line", "# JAX's line"),
        pytest.param("bias", "last (Linear)", "# the last line", "# JAX's last line", marks=pytest.mark.long),
        pytest.param("eps", "norm (LayerNorm)", "# the norm's line", "", marks=pytest.mark.long),
    ],
)
def test_a_module_written_from_scratch_is_named_with_the_line_inside_of_it(bug, layer, torch_line, jax_line) -> None:
    module = Attentive()
    report = checked(module, **plain(module, lambda p, x: attentive(bug, p, x)), inputs=SEQUENCES)
    assert report.first_diverging == layer
    assert report.where.torch_line.text.endswith(torch_line)
    assert report.where.jax_line.text.endswith(jax_line)
    if bug == "axis":
        assert report.where.quantity == "attention (Attention): softmax"


class Trying(nn.Module):
    """Falls back on another layer if the first refuses."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(9, 4), nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        try:
            return torch.tanh(self.a(x))
        except RuntimeError:
            return torch.tanh(self.b(x))


def test_a_layer_that_fails_on_the_way_is_forgotten() -> None:
    module = torch_side.torch_side(Trying(), as_samples((X, np.zeros(5))), lambda o, y: o.sum(), torch.float64)
    assert [q.name for q in torch_trace.trace(module).quantities] == ["b (Linear)", "tanh"]


class Towers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.last = nn.Linear(8, 4), nn.Linear(8, 4), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a = torch.tanh(self.a(x))
        b = torch.sigmoid(self.b(x))
        return self.last(torch.cat([a, b], 1))


@pytest.mark.long
def test_a_branch_that_is_right_excuses_no_other_branch() -> None:
    module = Towers()

    def towers(p, x):
        a = jnp.sin(linear(p, "a", x))  # JAX's line
        return linear(p, "last", jnp.concatenate([a, jax.nn.sigmoid(linear(p, "b", x))], 1))

    report = checked(module, **plain(module, towers), inputs=X)
    assert report.first_diverging == "tanh"
    assert report.where.jax_line.text.endswith("# JAX's line")


class Convolved(nn.Module):
    def __init__(self, *, module: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.last = nn.Conv2d(2, 4, 3), nn.Linear(64, 3)
        self.flatten = nn.Flatten() if module else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        x = self.flatten(x) if self.flatten else x.flatten(1)  # torch's line
        return self.last(torch.relu(x))


class LinenConvolved(fnn.Module):
    wrong: bool = True

    @fnn.compact
    def __call__(self, x):
        x = fnn.Conv(4, (3, 3), padding="VALID", name="conv")(x.transpose(0, 2, 3, 1))
        x = x if self.wrong else x.transpose(0, 3, 1, 2)
        x = x.reshape(len(x), -1)  # JAX's line
        return fnn.Dense(3, name="last")(fnn.relu(x))


@pytest.mark.parametrize(
    ("module", "layer"), [(True, "flatten (Flatten)"), pytest.param(False, "reshape", marks=pytest.mark.long)]
)
def test_a_flatten_in_another_order_is_the_first_divergence(module, layer) -> None:
    report = checked(Convolved(module=module), LinenConvolved(), IMAGES)
    assert report.first_diverging == layer
    assert report.where.torch_line.text.endswith("# torch's line")
    assert report.where.jax_line.text.endswith("# JAX's line")


@pytest.mark.long
def test_right_ports_are_found_layer_by_layer_and_get_no_line() -> None:
    report = checked(Convolved(module=True), LinenConvolved(wrong=False), IMAGES)
    report.assert_ok()
    assert report.where is None
    assert all(row is not None and row.verdict in ("bitwise", "within-oracle") for _, row in report.layers)


@pytest.mark.long
def test_what_jax_does_after_the_last_layer_is_found_by_its_line() -> None:
    module = nn.Sequential(nn.Linear(8, 4), nn.Tanh())

    def port(p, x):
        x = jnp.tanh(linear(p, "0", x))
        return x[:, ::-1]  # JAX's line

    report = checked(module, **plain(module, port), inputs=X)
    assert report.first_diverging == ""
    assert report.where.torch_line is None
    assert report.where.jax_line.text.endswith("# JAX's line")
