"""Scale, mask, axis and order in attention: fused, as a layer, and written out."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from parity_tests.causes.settings import Setting, normal, plant

X = normal(2, 5, 12)
PADDING = np.arange(5) < np.array([[3], [5]])


def attend(q, k, v, scale=None, axis=-1, causal=None, seen=None, fill=-jnp.inf):
    scores = q @ k.swapaxes(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if causal is not None:
        scores = jnp.where(jnp.tril(jnp.ones(scores.shape[-2:], bool), causal), scores, fill)
    if seen is not None:
        scores = jnp.where(seen, scores, fill)
    return jax.nn.softmax(scores, axis) @ v


def heads(x):
    return x.reshape(*x.shape[:-1], 4, -1).swapaxes(-2, -3)


def joined(x):
    return x.swapaxes(-2, -3).reshape(*x.shape[:-3], x.shape[-2], -1)


class Fused(nn.Module):
    """With torch's fused attention."""

    def __init__(self, causal: bool = True) -> None:
        super().__init__()
        self.qkv, self.out, self.causal = nn.Linear(12, 36), nn.Linear(12, 12), causal

    def forward(self, x, mask=None):
        q, k, v = (h.unflatten(-1, (4, 3)).transpose(1, 2) for h in self.qkv(x).chunk(3, -1))
        mask = None if mask is None else mask[:, None, None]
        mixed = F.scaled_dot_product_attention(q, k, v, mask, is_causal=self.causal and mask is None)
        return self.out(mixed.transpose(1, 2).flatten(2))


def fused(p, x, mask=None, causal=0, order=(0, 1, 2), masked=lambda m: m, **options):
    y = jnp.split(x @ p["qkv.weight"].T + p["qkv.bias"], 3, -1)
    q, k, v = (heads(y[i]) for i in order)
    seen = None if mask is None else masked(mask)
    seen = None if seen is None else seen[:, None, None]
    return (
        joined(attend(q, k, v, causal=None if mask is not None else causal, seen=seen, **options)) @ p["out.weight"].T
        + p["out.bias"]
    )


class ByHand(Fused):
    """Written out, as in minGPT."""

    def forward(self, x):
        q, k, v = (h.view(2, 5, 4, 3).transpose(1, 2) for h in self.qkv(x).split(12, dim=2))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        scores = scores.masked_fill(torch.tril(torch.ones(5, 5)) == 0, float("-inf"))
        return self.out((F.softmax(scores, dim=-1) @ v).transpose(1, 2).contiguous().view(2, 5, 12))


class Layer(nn.MultiheadAttention):
    def forward(self, x):
        return super().forward(x, x, x)[0]


def layer(p, x, order=(0, 1, 2), bias=True, **options):
    y = jnp.split(x @ p["in_proj_weight"].T + p["in_proj_bias"] * bias, 3, -1)
    q, k, v = (heads(y[i]) for i in order)
    return joined(attend(q, k, v, **options)) @ p["out_proj.weight"].T + p["out_proj.bias"]


CAUSAL = Setting(Fused, fused, X)
MASKED = Setting(lambda: Fused(False), fused, (X, PADDING))
BY_HAND = Setting(ByHand, fused, X)
LAYER = Setting(lambda: Layer(12, 4, batch_first=True), layer, X)
OPEN = Setting(lambda: Fused(False), lambda p, x, causal=None, **o: fused(p, x, causal=causal, **o), X)

DEFECTS = [
    *plant("attention", CAUSAL, {
        "scale missing": ("attention scale&missing", {"scale": 1.0}),
        "scale 1/d": ("attention scale&d = 3", {"scale": 1 / 3}),
        "scale by the model's dimension": ("attention scale&sqrt(12)", {"scale": 12**-0.5}),
        "causal mask missing": ("mask&missing", {"causal": None}),
        "causal mask one too wide": ("mask&off by one", {"causal": 1}),
        "key and value swapped": ("key&value", {"order": (0, 2, 1)}),
    }),
    *plant("attention", MASKED, {
        "padding mask inverted": ("mask inverted", {"masked": lambda m: ~m}),
        "padding mask missing": ("mask&missing", {"masked": lambda m: None}),
        "padding mask off by one": ("mask off by one", {"masked": lambda m: jnp.roll(m, 1, -1)}),
    }),
    *plant("attention", BY_HAND, {
        "scale missing by hand": ("attention scale&missing", {"scale": 1.0}),
        "scale by the model's dimension by hand": ("attention scale&sqrt(12)", {"scale": 12**-0.5}),
        "softmax over queries by hand": ("softmax axis", {"axis": -2}),
        "causal mask missing by hand": ("mask&missing", {"causal": None}),
        "causal mask one too wide by hand": ("mask off by one", {"causal": 1}),
        "query and key swapped": ("query&key", {"order": (1, 0, 2)}),
        "masked with 0": ("mask&fills with 0", {"fill": 0.0}),
    }),
    *plant("attention", LAYER, {
        "scale missing in MultiheadAttention": ("attention scale&missing", {"scale": 1.0}),
        "query and value swapped in in_proj": ("order of query, key and value", {"order": (2, 1, 0)}),
        "bias of in_proj missing": ("in_proj_bias&missing", {"bias": 0.0}),
        "softmax over queries in MultiheadAttention": ("softmax axis", {"axis": -2}),
    }),
    *plant("attention", OPEN, {"causal for open attention": ("causal", {"causal": 0})}),
]  # fmt: skip
