"""LeNet with batch normalisation and ResNet as Flax NNX modules (D2L 8.5, 8.6)."""

import itertools
from collections.abc import Sequence
from functools import partial
from typing import Any

from flax import nnx
from jaxtyping import Array

from jaxd2l._checks.networks import require_arch, require_images
from jaxd2l.models._from_flax import from_flax_stateful
from jaxd2l.models._nnx_lenet import convolution
from jaxd2l.models._pooling import global_mean_pool, max_pool, mean_pool
from jaxd2l.models._vgg import Arch
from jaxd2l.types import StatefulModel

_XAVIER = nnx.initializers.xavier_uniform()
_CONV = partial(nnx.Conv, conv_general_dilated=convolution, kernel_init=_XAVIER)
_NORM = partial(nnx.BatchNorm, momentum=0.9, epsilon=1e-5, use_fast_variance=False)
"""Flax's defaults are 0.99 and a variance that loses its digits where the mean is large."""


def flax_batch_norm_lenet(input_shape: Sequence[int] = (28, 28, 1), *, num_classes: int = 10) -> StatefulModel:
    """`batch_norm_lenet` as a Flax module. D2L 8.5.5.

    It computes the same from the same parameters and averages, with one difference: Flax stores the biased variance of
    a batch, torch and we the unbiased one, which is n/(n-1) times as large.

    >>> params, averages = flax_batch_norm_lenet().init(jax.random.key(0))
    >>> params["convolutions"][1]["kernel"].shape, averages["norms"][3]["mean"].shape
    ((5, 5, 6, 16), (84,))
    """
    require_images("LeNet without padding", 16, input_shape=input_shape, num_classes=num_classes)
    return from_flax_stateful(lambda rngs: _BatchNormLeNet(input_shape, num_classes, rngs=rngs))


def flax_resnet(arch: Arch, input_shape: Sequence[int] = (96, 96, 1), *, num_classes: int = 10) -> StatefulModel:
    """`resnet` as a Flax module, with explicit padding: Flax's "SAME" is another than torch's at stride 2. D2L 8.6.

    Of the running variance the same is true as of `flax_batch_norm_lenet`'s.

    >>> model = flax_resnet(((1, 8), (1, 16)), (28, 28, 1))
    >>> params, averages = jax.eval_shape(model.init, jax.random.key(0))
    >>> params["blocks"][1]["shortcut"]["kernel"].shape
    (1, 1, 8, 16)
    """
    require_arch("blocks channels", arch=arch)
    require_images("ResNet", 1, input_shape=input_shape, num_classes=num_classes)
    return from_flax_stateful(lambda rngs: _ResNet(arch, input_shape[-1], num_classes, rngs=rngs))


class _BatchNormLeNet(nnx.Module):
    def __init__(self, input_shape: Sequence[int], num_classes: int, *, rngs: nnx.Rngs) -> None:
        height, width, channels = input_shape
        flat = ((height - 4) // 2 - 4) // 2 * (((width - 4) // 2 - 4) // 2) * 16
        sizes = (flat, 120, 84, num_classes)
        self.convolutions = nnx.List([_CONV(n, m, (5, 5), padding=0, rngs=rngs) for n, m in ((channels, 6), (6, 16))])
        self.dense = nnx.List([nnx.Linear(n, m, kernel_init=_XAVIER, rngs=rngs) for n, m in itertools.pairwise(sizes)])
        self.norms = nnx.List([_NORM(n, rngs=rngs) for n in (6, 16, 120, 84)])

    def __call__(self, x: Array) -> Array:
        for conv, norm in zip(self.convolutions, self.norms, strict=False):
            x = mean_pool(nnx.sigmoid(norm(conv(x))), 2)
        x = x.reshape(len(x), -1)
        *hidden, output = self.dense
        for dense, norm in zip(hidden, self.norms[2:], strict=True):
            x = nnx.sigmoid(norm(dense(x)))
        return output(x)


class _Residual(nnx.Module):
    """`relu(f(x) + x)`; at stride 2 the shortcut is a convolution."""

    def __init__(self, inputs: int, channels: int, strides: int, *, rngs: nnx.Rngs) -> None:
        self.first = _CONV(inputs, channels, (3, 3), strides=strides, padding=1, rngs=rngs)
        self.second = _CONV(channels, channels, (3, 3), padding=1, rngs=rngs)
        self.norms = nnx.List([_NORM(channels, rngs=rngs) for _ in range(2)])
        shortcut = _CONV(inputs, channels, (1, 1), strides=strides, padding=0, rngs=rngs) if strides > 1 else None
        self.shortcut: Any = shortcut

    def __call__(self, x: Array) -> Array:
        y = self.norms[1](self.second(nnx.relu(self.norms[0](self.first(x)))))
        return nnx.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class _ResNet(nnx.Module):
    def __init__(self, arch: Arch, inputs: int, num_classes: int, *, rngs: nnx.Rngs) -> None:
        width = arch[0][1]
        self.stem = _CONV(inputs, width, (7, 7), strides=2, padding=3, rngs=rngs)
        self.norm = _NORM(width, rngs=rngs)
        blocks = []
        for i, (count, channels) in enumerate(arch):
            for j in range(count):
                blocks.append(_Residual(width, channels, 2 if i and not j else 1, rngs=rngs))
                width = channels
        self.blocks = nnx.List(blocks)
        self.output = nnx.Linear(width, num_classes, kernel_init=_XAVIER, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = max_pool(nnx.relu(self.norm(self.stem(x))), 3, stride=2, padding=1)
        for block in self.blocks:
            x = block(x)
        return self.output(global_mean_pool(x))
