"""Layers and skip connections left out, doubled, or in another order."""

import jax
import jax.numpy as jnp
import torch
from torch import nn

from parity_tests.causes.settings import Setting, normal, plant

X = normal(4, 6)


def linear(p, name, x):
    return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def norm(p, name, x):
    y = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return y * p[f"{name}.weight"] + p[f"{name}.bias"]


class Block(nn.Module):
    """A pre-norm block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down, self.last = nn.LayerNorm(6), nn.Linear(6, 9), nn.Linear(9, 6), nn.LayerNorm(6)

    def forward(self, x):
        x = x + self.down(torch.relu(self.up(self.norm(x))))
        return self.last(x)


def block(p, x, skip=1, way="pre", last=True, scale=1.0):
    if way == "post":
        y = norm(p, "norm", x + linear(p, "down", jax.nn.relu(linear(p, "up", x))))
    else:
        h = norm(p, "norm", x)
        kept = {"pre": x, "normed": h}[way]
        y = (kept * skip + linear(p, "down", jax.nn.relu(linear(p, "up", h)))) * scale
    return norm(p, "last", y) if last else y


class Residual(nn.Module):
    """relu after the sum, as in ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        h = torch.relu(self.a(x))
        return torch.relu(self.b(h) + x)


def residual(p, x, way="after", skip=1, swap=False):
    a, b = ("b", "a") if swap else ("a", "b")
    h = linear(p, b, jax.nn.relu(linear(p, a, x)))
    return jax.nn.relu(h + skip * x) if way == "after" else jax.nn.relu(h) + skip * x


def stack() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.LayerNorm(6), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 6))


def stacked(p, x, layers=(0, 1, 2, 3, 4, 5), names=None):
    ways = {1: jax.nn.relu, 2: lambda x: norm(p, "2", x), 4: jnp.tanh}
    for i in layers:
        name = str((names or {}).get(i, i))
        x = ways[i](x) if i in ways else linear(p, name, x)
    return x


class Capped(nn.Linear):
    """Gemma's cap of the logits, and a temperature."""

    def forward(self, x):
        return 30.0 * torch.tanh(super().forward(x) / 30.0) / 0.7


BLOCK = Setting(Block, block, X)
RESIDUAL = Setting(Residual, residual, X)
STACK = Setting(stack, stacked, X)
CAPPED = Setting(lambda: Capped(6, 3), lambda p, x, cap=True, t=0.7, bias=1: (
    lambda y: (30 * jnp.tanh(y / 30) if cap else y) / t
)(x @ p["weight"].T + bias * p["bias"]), 9 * X)  # fmt: skip

DEFECTS = [
    *plant("structure", BLOCK, {
        "no skip connection": ("skip connection&missing", {"skip": 0}),
        "post-norm for pre-norm": ("post-norm", {"way": "post"}),
        "skip taken after the norm": ("skip connection&after the norm", {"way": "normed"}),
        "last norm missing": ("last&missing", {"last": False}),
        "skip added twice": ("skip connection&twice", {"skip": 2}),
    }),
    *plant("structure", RESIDUAL, {
        "relu before the sum": ("order&relu", {"way": "before"}),
        "no skip connection in a residual block": ("skip connection&missing", {"skip": 0}),
        "the two layers exchanged": ("exchanged", {"swap": True}),
    }),
    *plant("structure", STACK, {
        "norm before relu": ("order&layer_norm&relu", {"layers": (0, 2, 1, 3, 4, 5)}),
        "norm missing": ("2&missing", {"layers": (0, 1, 3, 4, 5)}),
        "a linear layer twice": ("3&twice", {"layers": (0, 1, 2, 3, 3, 4, 5)}),
        "a linear layer in another's place": ("in place of", {"names": {3: 0}}),
        "tanh missing": ("tanh&missing", {"layers": (0, 1, 2, 3, 5)}),
        "relu twice as tanh": ("relu", {"layers": (0, 1, 2, 3, 1, 5)}),
    }),
    *plant("structure", CAPPED, {
        "bias missing": ("bias&missing", {"bias": 0}),
        "temperature missing": ("0.7&missing", {"t": 1}),
        "multiplied by the temperature": ("0.7&multiplies", {"t": 1 / 0.7}),
    }),
]  # fmt: skip
