"""Tables, their scale, and encodings of positions."""

import math

import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from parity_tests.causes.settings import RANDOM, Setting, normal, of_function, plant

IDS = RANDOM.integers(0, 9, (3, 5))
IDS[0, 0] = 0


def looked_up(p, ids, scale=1.0, shift=0, zero=None):
    h = p["0.weight"][(ids + shift) % 9] * scale
    h = h if zero is None else h * (ids != zero)[..., None]
    return h @ p["1.weight"].T + p["1.bias"]


class Scaled(nn.Embedding):
    def forward(self, ids):
        return super().forward(ids) * math.sqrt(self.embedding_dim) + 1


def table(n=7, d=6, base=10000.0, concatenated=False, start=0, swapped=False):
    at = np.arange(start, n + start)[:, None] / base ** (np.arange(0, d, 2) / d)
    sin, cos = (np.cos(at), np.sin(at)) if swapped else (np.sin(at), np.cos(at))
    both = np.concatenate([sin, cos], -1) if concatenated else np.stack([sin, cos], -1).reshape(n, d)
    return both.astype(np.float32)


class Sinusoids(nn.Linear):
    def __init__(self) -> None:
        super().__init__(6, 4)
        self.register_buffer("pe", torch.tensor(table())[None])

    def forward(self, x):
        return super().forward(torch.tanh(x) + self.pe[:, : x.shape[1]])


def sinusoids(p, x, shift=0, change=lambda t: t, sign=1):
    t = change(p["pe"][0])[shift : shift + x.shape[1]]
    return (jnp.tanh(x) + sign * t) @ p["weight"].T + p["bias"]


def halves(t):
    return jnp.concatenate([t[:, ::2], t[:, 1::2]], -1)


def swapped(t):
    return t.reshape(7, 3, 2)[..., ::-1].reshape(7, 6)


class Learned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(9, 6), nn.Embedding(8, 6)

    def forward(self, ids):
        return self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))


def learned(p, ids, start=0, used=1.0):
    return p["tokens.weight"][ids] + used * p["positions.weight"][start : start + ids.shape[1]]


def rotate(x):  # halves, as in Llama
    a, b = x.chunk(2, -1)
    return torch.cat((-b, a), -1)


ANGLES = np.arange(5)[:, None] / 100.0 ** (np.arange(3) / 3)
COS, SIN = (np.concatenate([f(ANGLES)] * 2, -1) for f in (np.cos, np.sin))


class Rotary(nn.Linear):
    def __init__(self) -> None:
        super().__init__(6, 6)
        self.register_buffer("cos", torch.tensor(COS))
        self.register_buffer("sin", torch.tensor(SIN))

    def forward(self, x):
        q = super().forward(x)
        return q * self.cos + rotate(q) * self.sin


def rotary(p, x, way="halves", sign=1):
    q = x @ p["weight"].T + p["bias"]
    a, b = jnp.split(q, 2, -1)
    turned = jnp.concatenate([-b, a], -1)
    if way == "pairs":
        turned = jnp.stack([-q[..., 1::2], q[..., ::2]], -1).reshape(q.shape)
    return q * p["cos"] + sign * turned * p["sin"]


LOOKED_UP = Setting(lambda: nn.Sequential(nn.Embedding(9, 6), nn.Linear(6, 4)), looked_up, IDS)
SCALED = Setting(lambda: Scaled(9, 6), lambda p, ids, scale=6**0.5: p["weight"][ids] * scale + 1, IDS)
SINUSOIDS = Setting(Sinusoids, sinusoids, normal(2, 5, 6))
LEARNED = Setting(Learned, learned, IDS)
ROTARY = Setting(Rotary, rotary, normal(2, 5, 6))
COUNTED = of_function(
    lambda x: x * torch.cumsum(torch.ones_like(x), 1), lambda x, start=1.0: x * (jnp.arange(5.0) + start), normal(2, 5)
)

DEFECTS = [
    *plant("embeddings", LOOKED_UP, {
        "scaled by sqrt(d)": ("embedding scale&sqrt(d)", {"scale": 6**0.5}),
        "rows off by one": ("off by one", {"shift": 1}),
        "token 0 as padding": ("padding_idx", {"zero": 0}),
    }),
    *plant("embeddings", SCALED, {"sqrt(d) missing": ("embedding scale&missing", {"scale": 1.0})}),
    *plant("embeddings", SINUSOIDS, {
        "positions from 1 on": ("off by one", {"shift": 1}),
        "sines before cosines": ("positional encoding&concatenated", {"change": halves}),
        "sine and cosine swapped": ("positional encoding&swapped", {"change": swapped}),
        "no positions": ("positional encoding&missing", {"change": jnp.zeros_like}),
        "positions subtracted": ("positional encoding&subtracts", {"sign": -1}),
    }),
    *plant("embeddings", LEARNED, {
        "learned positions from 1 on": ("off by one", {"start": 1}),
        "learned positions missing": ("positional encoding&missing", {"used": 0.0}),
    }),
    *plant("embeddings", ROTARY, {
        "pairs for halves": ("rotary&interleaved", {"way": "pairs"}),
        "rotated the other way": ("sign", {"sign": -1}),
    }),
    *plant("embeddings", COUNTED, {"counted from 0": ("off by one", {"start": 0.0})}),
]  # fmt: skip
