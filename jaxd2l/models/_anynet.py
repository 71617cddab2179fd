"""AnyNet, a space of networks, and RegNet, which was found in it (D2L 8.8)."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_arch, require_images
from jaxd2l._checks.numbers import require_whole
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.models._resnet import resnext_block
from jaxd2l.models.layers import Layer
from jaxd2l.types import StatefulModel


class Stage(NamedTuple):
    """One stage of an AnyNet: how many ResNeXt blocks, and their channels, width of groups and bottleneck."""

    depth: int
    channels: int
    group_width: int
    bottleneck: float = 1.0


REGNET_X32 = (Stage(4, 32, 16), Stage(6, 80, 16))


def anynet(
    stem_channels: int,
    arch: Sequence[Stage | tuple[int, int, int] | tuple[int, int, int, float]],
    input_shape: Sequence[int] = (96, 96, 1),
    *,
    num_classes: int = 10,
    init: ConvInit = initializers.torch_linear(),
) -> StatefulModel:
    """A stem, stages of ResNeXt blocks, and the mean over the image. D2L 8.8.1.

    The stem, a convolution of 3 x 3, and the first block of each stage halve the image. Outputs: logits (n,
    num_classes). Parameters and state: a tuple of stem, stages, pooling and the last layer.

    Args:
      stem_channels: channels of the stem.
      arch: (depth, channels, group_width, bottleneck) of each stage; the bottleneck is 1 if left out.
      input_shape: (height, width, channels) of an image of any size.
      num_classes: outputs.
      init: of every layer. The book trains from torch's default.

    Raises:
      ValueError: a size below 1, or channels that cannot be shared out among groups.

    >>> model = anynet(8, [(1, 8, 4), (1, 16, 8)], (28, 28, 1))
    >>> params, state = jax.eval_shape(model.init, jax.random.key(0))
    >>> logits, state = jax.eval_shape(model.apply, params, state, jnp.ones((2, 28, 28, 1)))
    >>> logits.shape
    (2, 10)
    """
    require_whole(1, stem_channels=stem_channels)
    require_arch("depth channels group_width", arch=arch, optional="bottleneck")
    require_images("AnyNet", 1, input_shape=input_shape, num_classes=num_classes)

    def stage(depth: int, channels: int, group_width: int, bottleneck: float = 1.0) -> Layer:
        first = resnext_block(channels, group_width, bottleneck=bottleneck, strides=2, use_1x1conv=True, init=init)
        others = (resnext_block(channels, group_width, bottleneck=bottleneck, init=init),) * (depth - 1)
        return layers.sequential(first, *others, name="stage")

    stem = layers.sequential(
        layers.conv(stem_channels, 3, stride=2, padding=1, init=init),
        layers.batch_norm(),
        layers.function(activations.relu),
        name="stem",
    )
    head = (layers.global_mean_pool(), layers.dense(num_classes, init=init))
    net = layers.sequential(stem, *(stage(*parts) for parts in arch), *head, name="AnyNet")
    return layers.stateful_model(net, input_shape)


def regnet_x32(
    input_shape: Sequence[int] = (96, 96, 1), *, num_classes: int = 10, init: ConvInit = initializers.torch_linear()
) -> StatefulModel:
    """RegNetX of 32 layers: 4 blocks of 32 channels, then 6 of 80, in groups of 16. D2L 8.8.3. Arguments: as `anynet`.

    >>> params, state = jax.eval_shape(regnet_x32().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    179290
    """
    return anynet(32, REGNET_X32, input_shape, num_classes=num_classes, init=init)
