"""`hk.nets.ResNet`, which Haiku itself brings along, beside the ResNet of `transformers`.

Haiku pads as TensorFlow does. That is what torch does too where the sides stay odd (33, 17, 9, ...), and only there.
"""

from typing import Any

import haiku as hk
import torch
from transformers import ResNetConfig, ResNetForImageClassification

from parity_tests.ports.port import Bug, Port, with_averages
from parity_tests.ports.resnet import images

WIDTHS, CLASSES = (8, 8, 12, 16), 10


def torch_resnet() -> torch.nn.Module:
    """A small one, with random weights, and averages as after some training."""
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=WIDTHS, depths=(1, 1, 1, 1), layer_type="basic", num_labels=CLASSES
    )
    return with_averages(ResNetForImageClassification(config))


def published(eps: float = 1e-5, padding: Any = "SAME", **options: Any) -> Any:
    """Haiku's model."""

    def forward(images: Any, is_training: bool) -> Any:
        model = hk.nets.ResNet(
            (1, 1, 1, 1),
            CLASSES,
            {"eps": eps, "decay_rate": 0.9},
            bottleneck=False,
            channels_per_group=WIDTHS,
            use_projection=(False, True, True, True),
            initial_conv_config={"output_channels": 8, "padding": padding},
        )
        return model(images, is_training, **options)

    return hk.without_apply_rng(hk.transform_with_state(forward))


PORT = Port(
    torch_resnet,
    "Haiku (its own `hk.nets`)",
    published,
    lambda: images(33),
    {
        "another eps": Bug({"eps": 1e-3}, ("eps=0.001",)),
        "padding 2 and 4": Bug({"padding": ((2, 4), (2, 4))}, ("padding",)),
        "statistics of the batch": Bug({"test_local_stats": True}, ("batch",)),
    },
    {"to_jax": "NCHW->NHWC"},
)
