"""eps, axes, groups, statistics and gains of norms, torch's own and written out."""

import jax.numpy as jnp
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from parity_tests.causes.settings import Setting, normal, of_function, plant

ROWS, IMAGES, SMALL = normal(4, 6) + 1, normal(3, 6, 4, 4) + 0.5, 0.05 * normal(4, 6)


def layer(p, x, eps=1e-5, ddof=0, centred=True, outside=False, gain=lambda w: w, bias=True, axis=-1):
    mean, var = x.mean(axis, keepdims=True), x.var(axis, ddof=ddof, keepdims=True)
    if not centred:
        mean, var = 0.0, (x * x).mean(axis, keepdims=True)
    y = (x - mean) / (jnp.sqrt(var) + eps if outside else jnp.sqrt(var + eps))
    return y * gain(p["weight"]) + (p["bias"] if bias else 0)


def rms(p, x, eps=1e-6, gain=lambda w: w, mean=False):
    x = x - x.mean(-1, keepdims=True) if mean else x
    return x / jnp.sqrt((x * x).mean(-1, keepdims=True) + eps) * gain(p["weight"])


def group(p, x, groups=3, eps=1e-5, interleaved=False, ddof=0):
    y = x.reshape(3, groups, -1) if not interleaved else x.reshape(3, 2, 3, 16).swapaxes(1, 2).reshape(3, 3, -1)
    y = (y - y.mean(-1, keepdims=True)) / jnp.sqrt(y.var(-1, ddof=ddof, keepdims=True) + eps)
    y = y.reshape(3, 3, 2, 16).swapaxes(1, 2) if interleaved else y
    return y.reshape(x.shape) * p["weight"][:, None, None] + p["bias"][:, None, None]


class HandRMS(nn.RMSNorm):  # Llama's
    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class HandLayer(nn.LayerNorm):  # tensor2tensor's
    def forward(self, x):
        return self.weight * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-4) + self.bias


def hand_layer(p, x, eps=1e-4, ddof=1, inside=False):
    root = jnp.sqrt(x.var(-1, ddof=ddof, keepdims=True) + eps) if inside else x.std(-1, ddof=ddof, keepdims=True) + eps
    return p["weight"] * (x - x.mean(-1, keepdims=True)) / root + p["bias"]


LAYER = Setting(lambda: nn.LayerNorm(6), layer, SMALL)
RMS = Setting(lambda: nn.RMSNorm(6, eps=1e-6), rms, 0.01 * ROWS)
HAND_RMS = Setting(lambda: HandRMS(6), rms, 0.01 * ROWS)
HAND_LAYER = Setting(lambda: HandLayer(6), hand_layer, SMALL)
GROUP = Setting(lambda: nn.GroupNorm(3, 6), group, IMAGES)


def instance(p, x, eps=1e-5, axes=(2, 3)):
    return (x - x.mean(axes, keepdims=True)) / jnp.sqrt(x.var(axes, keepdims=True) + eps)


INSTANCE = Setting(lambda: nn.Sequential(nn.Conv2d(6, 6, 1), nn.InstanceNorm2d(6)), lambda p, x, **o: instance(
    p, jnp.einsum("bchw,oc->bohw", x, p["0.weight"][:, :, 0, 0]) + p["0.bias"][:, None, None], **o
), 0.1 * IMAGES)  # fmt: skip


def batch(p, x, eps=1e-5, mean=None, var=None, root=False, swap=False, own=False):
    x = x @ p["0.weight"].T + p["0.bias"]
    m, v = p["1.running_mean"], p["1.running_var"]
    m, v = (v, abs(m)) if swap else (m, v)
    m, v = (x.mean(0), x.var(0)) if own else (m if mean is None else mean, v if var is None else var)
    v = jnp.sqrt(v) if root else v
    return ((x - m) / jnp.sqrt(v + eps)) * p["1.weight"] + p["1.bias"]


BATCH = Setting(lambda: nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5)), batch, ROWS)
UNIT = of_function(lambda x: F.normalize(x, dim=-1), lambda x, f=lambda x: (
    x / jnp.maximum(jnp.sqrt((x * x).sum(-1, keepdims=True)), 1e-12)
): f(x), ROWS)  # fmt: skip
SPREAD = of_function(lambda x: x.std(-1), lambda x, ddof=1, axis=-1: x.std(axis, ddof=ddof), normal(6, 6))
COSINE = of_function(lambda x, y: F.cosine_similarity(x, y, dim=-1), lambda x, y, axis=-1: (
    (x * y).sum(axis) / jnp.sqrt((x * x).sum(axis) * (y * y).sum(axis))
), (normal(5, 5), normal(5, 5)))  # fmt: skip


def weight_norm(p, x, eps=0.0, axes=1, g=True, v=True):
    weight = p["parametrizations.weight.original1"]
    length = jnp.sqrt((weight * weight).sum(axes, keepdims=True) + eps)
    weight = (weight / length if v else weight) * (p["parametrizations.weight.original0"] if g else 1)
    return x @ weight.T + p["bias"]


WEIGHT = Setting(lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, 3)), weight_norm, ROWS)

DEFECTS = [
    *plant("norms", LAYER, {
        "Flax's eps in LayerNorm": ("eps=1e-06", {"eps": 1e-6}),
        "eps of BERT": ("eps=1e-12", {"eps": 1e-12}),
        "n-1 in LayerNorm": ("ddof=1", {"ddof": 1}),
        "LayerNorm without the mean": ("mean&RMSNorm", {"centred": False}),
        "eps outside the root": ("eps outside", {"outside": True}),
        "scale 1 + w": ("scale&1 + weight", {"gain": lambda w: 1 + w}),
        "bias missing in LayerNorm": ("bias&missing", {"bias": False}),
        "scale missing in LayerNorm": ("scale is missing", {"gain": lambda w: 1.0}),
    }),
    *plant("norms", RMS, {
        "eps 1e-5 in RMSNorm": ("eps=1e-05", {"eps": 1e-5}),
        "Gemma's 1 + w": ("scale&1 + weight", {"gain": lambda w: 1 + w}),
        "the mean subtracted in RMSNorm": ("subtracts the mean", {"mean": True}),
    }),
    *plant("norms", HAND_RMS, {"eps in a norm by hand": ("eps=1e-05", {"eps": 1e-5})}),
    *plant("norms", HAND_LAYER, {
        "eps beside std": ("eps=1e-06", {"eps": 1e-6}),
        "n for n-1 in a norm by hand": ("ddof=0", {"ddof": 0}),
        "eps inside the root": ("eps inside", {"inside": True}),
    }),
    *plant("norms", GROUP, {
        "two groups for three": ("group", {"groups": 2}),
        "one group": ("group&1 groups", {"groups": 1}),
        "groups of every third channel": ("groups&every", {"interleaved": True}),
        "eps 1e-6 in GroupNorm": ("eps=1e-06", {"eps": 1e-6}),
        "n-1 in GroupNorm": ("ddof=1", {"ddof": 1}),
    }),
    *plant("norms", INSTANCE, {"eps 1e-3 in InstanceNorm": ("eps=0.001", {"eps": 1e-3})}),
    *plant("norms", BATCH, {
        "Keras's eps in BatchNorm": ("eps=0.001", {"eps": 1e-3}),
        "fresh statistics": ("running&fresh", {"mean": 0.0, "var": 1.0}),
        "standard deviation for the variance": ("running&root", {"root": True}),
        "mean and variance swapped": ("running&swapped", {"swap": True}),
        "batch statistics in evaluation": ("running statistics are ignored", {"own": True}),
        "running mean not subtracted": ("running mean is not used", {"mean": 0.0}),
    }),
    *plant("norms", UNIT, {
        "length squared": ("normalize&root", {"f": lambda x: x / (x * x).sum(-1, keepdims=True)}),
        "sum of magnitudes for the length": ("normalize&p=1", {"f": lambda x: x / abs(x).sum(-1, keepdims=True)}),
    }),
    *plant("norms", SPREAD, {
        "NumPy's ddof in std": ("ddof=0", {"ddof": 0}),
        "std over the batch": ("axis", {"axis": 0}),
    }),
    *plant("norms", WEIGHT, {
        "Flax's eps in weight_norm": ("eps&1e-12&squared norm", {"eps": 1e-12}),
        "weight_norm without g": ("multiply by g", {"g": False}),
        "weight_norm without the norm": ("divide by the norm", {"v": False}),
        "weight_norm along the other axis": ("axis 1", {"axes": 0}),
        "one norm of all weights": ("one norm of all", {"axes": (0, 1)}),
    }),
    *plant("norms", COSINE, {"cosine along the batch": ("axis", {"axis": 0})}),
]  # fmt: skip
