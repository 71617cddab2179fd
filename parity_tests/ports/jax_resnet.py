"""The package `jax_resnet` from PyPI, a ResNet in Linen that others wrote, beside that of `transformers`."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax_resnet
import torch
from transformers import ResNetConfig, ResNetForImageClassification

from parity_tests.ports.port import Bug, Port, with_averages
from parity_tests.ports.resnet import images

TINY = {"hidden_sizes": (64, 24), "depths": (1, 1), "num_labels": 10}
LARGE = {"hidden_sizes": (64, 128, 256, 512), "depths": (2, 2, 2, 2), "num_labels": 1000}  # 12 million: ResNet-18


def torch_resnet(sizes: dict[str, Any]) -> torch.nn.Module:
    """With random weights, and averages as after some training."""
    return with_averages(ResNetForImageClassification(ResNetConfig(embedding_size=64, layer_type="basic", **sizes)))


def port(sizes: dict[str, Any], side: int, bugs: dict[str, Bug]) -> Port:
    """A ResNet of these sizes, on two images with sides of this length."""

    def published(**options: Any) -> nn.Module:
        options = {"block_cls": jax_resnet.ResNetBlock, **options}
        return jax_resnet.ResNet(
            stage_sizes=sizes["depths"], hidden_sizes=sizes["hidden_sizes"], n_classes=sizes["num_labels"], **options
        )

    return Port(
        lambda: torch_resnet(sizes),
        "Linen (PyPI: jax_resnet)",
        published,
        lambda: images(side),
        bugs,
        {"to_jax": "NCHW->NHWC"},
    )


PORT = port(
    TINY,
    24,
    {
        "another eps": Bug({"norm_cls": partial(nn.BatchNorm, epsilon=1e-3)}, ("eps=0.001",)),
        "silu": Bug({"block_cls": partial(jax_resnet.ResNetBlock, activation=nn.silu)}, ("silu",)),
        "padding SAME": Bug(
            {"pool_fn": partial(nn.max_pool, window_shape=(3, 3), strides=(2, 2), padding="SAME")}, ("padding",)
        ),
    },
)
PORT_LARGE = port(LARGE, 64, {})
