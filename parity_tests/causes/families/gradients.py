"""Right values, wrong gradients."""

import jax
import jax.numpy as jnp
import torch
from torch import nn

from parity_tests.causes.settings import RANDOM, Setting, normal, plant

X, IDS = normal(4, 6), RANDOM.integers(0, 5, (3, 4))
IDS[0, :2] = 0
stop = jax.lax.stop_gradient


class Two(nn.Module):
    def __init__(self, detached: bool = False) -> None:
        super().__init__()
        self.a, self.b, self.detached = nn.Linear(6, 6), nn.Linear(6, 3), detached

    def forward(self, x):
        h = torch.tanh(self.a(x))
        return self.b(h.detach() if self.detached else h) + h[:, :3]


def two(p, x, cut=lambda h: h, cut_all=lambda y: y):
    h = jnp.tanh(x @ p["a.weight"].T + p["a.bias"])
    return cut_all(cut(h) @ p["b.weight"].T + p["b.bias"]) + h[:, :3]


def straight(h):
    return h + stop(jnp.round(h) - h)


class Rounded(nn.Linear):
    def forward(self, x):
        h = 3 * super().forward(x)
        return h + (torch.round(h) - h).detach()


class Steps(nn.Linear):
    def forward(self, x):
        h = super().forward(x)
        return h * torch.round(3 * h)


TWO = Setting(Two, two, X)
DETACHED = Setting(lambda: Two(True), lambda p, x, cut=stop: two(p, x, cut), X)
ROUNDED = Setting(
    lambda: Rounded(6, 3),
    lambda p, x, f=lambda h: h + stop(jnp.round(h) - h): f(3 * (x @ p["weight"].T + p["bias"])),
    X,
)
STEPS = Setting(
    lambda: Steps(6, 3), lambda p, x, f=jnp.round: (lambda h: h * f(3 * h))(x @ p["weight"].T + p["bias"]), X
)


class Padded(nn.Module):
    """A padding row that is not zero, as after loading weights."""

    def __init__(self) -> None:
        super().__init__()
        self.e = nn.Embedding(5, 6, padding_idx=0)
        nn.init.normal_(self.e.weight)

    def forward(self, ids):
        return torch.tanh(self.e(ids))


PADDED = Setting(Padded, lambda p, ids, stopped=True: jnp.tanh(
    jnp.where((ids == 0)[..., None] & stopped, stop(p["e.weight"][ids]), p["e.weight"][ids])
), IDS)  # fmt: skip
LOOKED_UP = Setting(lambda: nn.Sequential(nn.Embedding(5, 6), nn.Tanh()), lambda p, ids, stopped=False: jnp.tanh(
    jnp.where((ids == 0)[..., None] & stopped, stop(p["0.weight"][ids]), p["0.weight"][ids])
), IDS)  # fmt: skip

DEFECTS = [
    *plant("gradients", TWO, {
        "stop_gradient behind tanh": ("stop_gradient", {"cut_all": stop}),
        "stop_gradient before a layer": ("stop_gradient", {"cut": stop}),
    }),
    *plant("gradients", DETACHED, {"detach forgotten": ("detach&missing", {"cut": lambda h: h})}),
    *plant("gradients", ROUNDED, {"no straight-through": ("straight-through", {"f": jnp.round})}),
    *plant("gradients", STEPS, {"straight-through in JAX alone": ("straight-through", {"f": straight})}),
    *plant("gradients", PADDED, {"gradient of the padding row": ("padding_idx", {"stopped": False})}),
    *plant("gradients", LOOKED_UP, {"no gradient for row 0": ("padding_idx", {"stopped": True})}),
]  # fmt: skip
