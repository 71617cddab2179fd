"""The same numbers in another order."""

import jax
import jax.numpy as jnp
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from parity_tests.causes.settings import Setting, normal, of_function, plant

IMAGES, TOKENS = normal(2, 3, 4, 4), normal(2, 5, 12)


def flat(p, x, order=(0, 1, 2, 3)):
    return x.transpose(order).reshape(len(x), -1) @ p["1.weight"].T + p["1.bias"]


FLATTEN = Setting(lambda: nn.Sequential(nn.Flatten(), nn.Linear(48, 3)), flat, IMAGES)


def heads(p, x, split=None, merge=None):
    """Four heads of three features; a mix of them, and back."""
    y = x.reshape(2, 5, 4, 3).transpose(0, 2, 1, 3) if split is None else split(x)
    y = jnp.cumsum(y, 2) * jnp.arange(1.0, 5)[:, None, None]
    y = y.transpose(0, 2, 1, 3).reshape(2, 5, 12) if merge is None else merge(y)
    return y @ p["weight"].T + p["bias"]


def by_feature(x):
    return x.reshape(2, 5, 3, 4).transpose(0, 3, 1, 2)


class Heads(nn.Linear):
    def forward(self, x):
        y = x.view(2, 5, 4, 3).transpose(1, 2)
        y = y.cumsum(2) * torch.arange(1, 5, dtype=x.dtype)[:, None, None]
        return super().forward(y.transpose(1, 2).reshape(2, 5, 12))


HEADS = Setting(lambda: Heads(12, 6), heads, TOKENS)


class Fused(nn.Linear):
    def forward(self, x):
        q, k, v = super().forward(x).chunk(3, -1)
        return torch.softmax(q, -1) * k + v**2


def fused(p, x, order=(0, 1, 2), interleaved=False):
    y = x @ p["weight"].T + p["bias"]
    parts = [y[..., i::3] for i in range(3)] if interleaved else jnp.split(y, 3, -1)
    q, k, v = (parts[i] for i in order)
    return jax.nn.softmax(q) * k + v**2


FUSED = Setting(lambda: Fused(12, 9), fused, TOKENS)


class Joined(nn.Linear):
    def forward(self, x, y):
        return super().forward(torch.cat([x, y], -1))


JOINED = Setting(lambda: Joined(12, 3), lambda p, x, y, swap=False: (
    jnp.concatenate([y, x] if swap else [x, y], -1) @ p["weight"].T + p["bias"]
), (normal(4, 6), normal(4, 6)))  # fmt: skip


def shuffle(x, order="crs"):
    n, c, h, w = x.shape
    sizes = {"c": c // 4, "r": 2, "s": 2}
    y = x.reshape(n, *(sizes[i] for i in order), h, w)
    at = {name: 1 + order.index(name) for name in order}
    return y.transpose(0, at["c"], 4, at["r"], 5, at["s"]).reshape(n, c // 4, 2 * h, 2 * w)


SHUFFLE = of_function(lambda x: F.pixel_shuffle(x, 2), shuffle, normal(2, 8, 3, 3))
TURNED = of_function(
    lambda x: torch.cumsum(x.transpose(1, 2), 2), lambda x, way="t": jnp.cumsum(
        x.swapaxes(1, 2) if way == "t" else x.reshape(2, 12, 5), 2
    ), TOKENS,
)  # fmt: skip
FLIPPED = of_function(
    lambda x: x.flip(1) * torch.arange(12), lambda x, f=lambda x: x[:, ::-1]: f(x) * jnp.arange(12.0), TOKENS
)
ROLLED = of_function(lambda x: torch.roll(x, 1, 1).cumsum(2), lambda x, by=1: jnp.cumsum(jnp.roll(x, by, 1), 2), TOKENS)

DEFECTS = [
    *plant("layout", FLATTEN, {
        "NHWC flattened": ("flatten order&NHWC", {"order": (0, 2, 3, 1)}),
        "height and width swapped": ("flatten order&height and width", {"order": (0, 1, 3, 2)}),
        "reversed axes": ("order", {"order": (0, 3, 2, 1)}),
    }),
    *plant("layout", HEADS, {
        "heads split as (feature, head)": ("head layout", {"split": by_feature}),
        "reshaped without a transpose": ("head layout", {"split": lambda x: x.reshape(2, 4, 5, 3)}),
        "joined as (feature, head)": ("head layout", {"merge": lambda y: y.transpose(0, 2, 3, 1).reshape(2, 5, 12)}),
        "joined without transposing back": ("head layout", {"merge": lambda y: y.reshape(2, 5, 12)}),
    }),
    *plant("layout", FUSED, {
        "key and value exchanged": ("order of query, key and value", {"order": (0, 2, 1)}),
        "fused features interleaved": ("interleaved", {"interleaved": True}),
    }),
    *plant("layout", JOINED, {"parts joined in the other order": ("order of concatenation", {"swap": True})}),
    *plant("layout", SHUFFLE, {
        "pixel_shuffle with channels last": ("pixel_shuffle&order", {"order": "rsc"}),
        "pixel_shuffle with rows and columns swapped": ("pixel_shuffle&order", {"order": "csr"}),
    }),
    *plant("layout", TURNED, {"reshape for a transpose": ("reshape&transpose", {"way": "r"})}),
    *plant("layout", FLIPPED, {"not flipped": ("flip&missing", {"f": lambda x: x})}),
    *plant("layout", ROLLED, {"rolled the other way": ("roll", {"by": -1})}),
]  # fmt: skip
