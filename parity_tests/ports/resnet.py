"""ResNet of `transformers`, in Flax Linen: convolutions with normalisation over the batch, and a way around them."""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import torch
from jax import Array
from transformers import ResNetConfig, ResNetModel

from parity_tests.ports.port import Bug, Port, with_averages

TINY = (8, (8, 12), (1, 1))
Padding = list[tuple[int, int]] | str


class Norm(NamedTuple):
    """Options of all norms. The momentum is what stays of the old average, as Flax counts it."""

    eps: float = 1e-5
    momentum: float = 0.9
    is_biased: bool = False


class BatchNorm(nn.Module):
    """As torch's: the average that it keeps is of the unbiased variance. Flax's own keeps the biased one."""

    options: Norm

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        channels = x.shape[-1:]
        scale, bias = (self.param(name, nn.initializers.ones, channels) for name in ("scale", "bias"))
        averages = [self.variable("batch_stats", name, jnp.zeros, channels) for name in ("mean", "var")]
        mean, variance = (average.value for average in averages)
        if train:
            n = x.size // x.shape[-1]
            mean, variance = jnp.mean(x, (0, 1, 2)), jnp.var(x, (0, 1, 2))
            kept = variance if self.options.is_biased else variance * (n / (n - 1))
            for average, new in zip(averages, (mean, kept), strict=True):
                average.value = self.options.momentum * average.value + (1 - self.options.momentum) * new
        return (x - mean) / jnp.sqrt(variance + self.options.eps) * scale + bias


class ConvNorm(nn.Module):
    """A convolution without a bias, normalised."""

    features: int
    size: int
    stride: int
    norm: Norm
    padding: Padding | None = None

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        around = self.padding or [(self.size // 2, self.size // 2)] * 2
        window, strides = (self.size, self.size), (self.stride, self.stride)
        x = nn.Conv(self.features, window, strides, around, use_bias=False, name="convolution")(x)
        return BatchNorm(self.norm, name="normalization")(x, train)


class Block(nn.Module):
    """Two convolutions of 3 x 3, added to a shortcut."""

    features: int
    stride: int
    norm: Norm
    has_late_relu: bool

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        y = nn.relu(ConvNorm(self.features, 3, self.stride, self.norm, name="layer_0")(x, train))
        y = ConvNorm(self.features, 3, 1, self.norm, name="layer_1")(y, train)
        if self.stride > 1 or x.shape[-1] != self.features:
            x = ConvNorm(self.features, 1, self.stride, self.norm, name="shortcut")(x, train)
        return nn.relu(x + y) if self.has_late_relu else x + nn.relu(y)


class ResNet(nn.Module):
    """Images with channels last: the stem, the stages, and means over all places."""

    stem: int
    sizes: tuple[int, ...]
    depths: tuple[int, ...]
    norm: Norm = Norm()
    stem_padding: Padding | None = None
    has_late_relu: bool = True

    @nn.compact
    def __call__(self, images: Array, train: bool) -> dict[str, Array]:
        x = nn.relu(ConvNorm(self.stem, 7, 2, self.norm, self.stem_padding, name="embedder")(images, train))
        x = nn.max_pool(x, (3, 3), (2, 2), [(1, 1), (1, 1)])
        for i, (features, depth) in enumerate(zip(self.sizes, self.depths, strict=True)):
            for j in range(depth):
                stride = 2 if i and not j else 1
                x = Block(features, stride, self.norm, self.has_late_relu, name=f"stage_{i}_layer_{j}")(x, train)
        return {"last_hidden_state": x, "pooler_output": jnp.mean(x, (1, 2), keepdims=True)}


def torch_resnet(stem: int, sizes: tuple[int, ...], depths: tuple[int, ...]) -> torch.nn.Module:
    """With random weights, and averages as after some training."""
    config = ResNetConfig(embedding_size=stem, hidden_sizes=sizes, depths=depths, layer_type="basic")
    return with_averages(ResNetModel(config))


def images(side: int) -> np.ndarray:
    """Two, of random numbers, channels first."""
    return np.random.default_rng(0).normal(size=(2, 3, side, side)).astype(np.float32)


BUGS = {
    "another eps": Bug({"norm": Norm(eps=1e-3)}, ("eps=0.001",)),
    "padding SAME": Bug({"stem_padding": "SAME"}, ("padding", "SAME")),
    "relu before the sum": Bug({"has_late_relu": False}, ("relu",)),
}
PORT = Port(
    lambda: torch_resnet(*TINY),
    "Linen",
    lambda **options: ResNet(*TINY, **options),
    lambda: images(24),
    BUGS,
    {"to_jax": "NCHW->NHWC"},
)
PORT_TRAINED = PORT._replace(
    bugs={
        "another eps": Bug({"norm": Norm(eps=1e-3)}, ("eps=0.001",)),
        "another momentum": Bug({"norm": Norm(momentum=0.1)}, ("momentum",)),
        "biased variance": Bug({"norm": Norm(is_biased=True)}, ("n/(n-1)",)),
    },
    arguments={"to_jax": "NCHW->NHWC", "mode": "train"},
)
