"""Windows, borders and kinds of pooling."""

import jax
import jax.numpy as jnp
import numpy as np
from torch.nn import functional as F  # noqa: N812

from parity_tests.causes.settings import normal, of_function, plant

X = normal(2, 3, 9, 9) - 1


def window(x, kind="max", size=3, stride=2, padding=((1, 1), (1, 1)), counted=True, zeros=False):
    full = padding if isinstance(padding, str) else ((0, 0), (0, 0), *padding)
    shape, strides = (1, 1, size, size), (1, 1, stride, stride)
    if kind == "max":
        x = jnp.pad(x, full) if zeros else x
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, shape, strides, "VALID" if zeros else full)
    total = jax.lax.reduce_window(x, 0.0, jax.lax.add, shape, strides, full)
    count = jax.lax.reduce_window(jnp.ones_like(x), 0.0, jax.lax.add, shape, strides, full)
    return total / (size**2 if counted else count) if kind == "avg" else total


MAX = of_function(lambda x: F.max_pool2d(x, 3, 2, 1), window, X)
MAX_EVEN = of_function(lambda x: F.max_pool2d(x, 3, 2, 1), window, normal(2, 3, 8, 8) - 2)
AVG = of_function(lambda x: F.avg_pool2d(x, 3, 2, 1), lambda x, **o: window(x, **{"kind": "avg"} | o), X)
AVG_EVEN = of_function(
    lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    lambda x, **o: window(x, **{"kind": "avg", "counted": False} | o), normal(2, 3, 8, 8),
)  # fmt: skip


def bins(x, n=4, kind="mean"):
    def along(x, axis):
        size = x.shape[axis]
        cuts = [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]
        return jnp.stack([getattr(jax.lax.slice_in_dim(x, a, b, axis=axis), kind)(axis) for a, b in cuts], axis)

    return along(along(x, 2), 3)


def windows_of_bins(x):
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 1, 2, 2), (1, 1, 2, 2), "VALID") / 4


ADAPTIVE = of_function(lambda x: F.adaptive_avg_pool2d(x, 4), lambda x, f=bins: f(x), X)
TO_ONE = of_function(lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1), lambda x, f=lambda x: x.mean((2, 3)): f(x), X)
TOKENS = of_function(lambda x: x.mean(1), lambda x, f=lambda x: x.mean(1): f(x), normal(3, 5, 4))
FIRST = of_function(lambda x: x[:, 0], lambda x, f=lambda x: x[:, 0]: f(x), normal(3, 5, 4))

DEFECTS = [
    *plant("pooling", MAX, {
        "average for max": ("avg&max", {"kind": "avg"}),
        "border of zeros": ("padding&zeros", {"zeros": True}),
    }),
    *plant("pooling", MAX_EVEN, {
        "SAME at stride 2": ("padding&SAME", {"padding": "SAME"}),
        "zeros in the border of negative numbers": ("zeros", {"zeros": True}),
    }),
    *plant("pooling", AVG, {
        "border not counted": ("count_include_pad=False", {"counted": False}),
        "max for average": ("max&avg", {"kind": "max"}),
        "sum for average": ("sum", {"kind": "sum"}),
    }),
    *plant("pooling", AVG_EVEN, {
        "border counted": ("count_include_pad=True", {"counted": True}),
        "SAME for padding=1": ("padding&SAME", {"padding": "SAME"}),
    }),
    *plant("pooling", ADAPTIVE, {
        "windows for bins": ("pool&window", {"f": windows_of_bins}),
        "max for average in bins": ("pool&max", {"f": lambda x: bins(x, kind="max")}),
    }),
    *plant("pooling", TO_ONE, {
        "max of all places": ("pool&max", {"f": lambda x: x.max((2, 3))}),
        "sum of all places": ("sum", {"f": lambda x: x.sum((2, 3))}),
    }),
    *plant("pooling", TOKENS, {
        "first token for the mean": ("pool&first", {"f": lambda x: x[:, 0]}),
        "max over tokens for the mean": ("pool&max", {"f": lambda x: x.max(1)}),
        "sum over tokens": ("sum", {"f": lambda x: x.sum(1)}),
    }),
    *plant("pooling", FIRST, {
        "last token for the first": ("last", {"f": lambda x: x[:, -1]}),
        "mean for the first token": ("mean", {"f": lambda x: x.mean(1)}),
    }),
]  # fmt: skip
