"""ResNet-18 of `torchvision`, beside that of the package `jax_resnet`."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax_resnet
import torch
from torchvision.models import resnet18

from parity_tests.ports.port import Bug, Port, with_averages
from parity_tests.ports.resnet import images


def torch_resnet() -> torch.nn.Module:
    """With random weights, and averages as after some training."""
    return with_averages(resnet18())


def published(**options: Any) -> nn.Module:
    """As its authors wrote it."""
    return jax_resnet.ResNet18(n_classes=1000, **options)


PORT = Port(
    torch_resnet,
    "Linen (PyPI: jax_resnet)",
    published,
    lambda: images(32),
    {
        "another eps": Bug({"norm_cls": partial(nn.BatchNorm, epsilon=1e-3)}, ("eps=0.001",)),
        "silu": Bug({"block_cls": partial(jax_resnet.ResNetBlock, activation=nn.silu)}, ("silu",)),
        "padding SAME": Bug(
            {"pool_fn": partial(nn.max_pool, window_shape=(3, 3), strides=(2, 2), padding="SAME")}, ("padding",)
        ),
    },
    {"to_jax": "NCHW->NHWC"},
)
