"""GoogLeNet: windows of several sizes side by side (D2L 8.4)."""

from collections.abc import Sequence

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_counts, require_images
from jaxd2l._checks.numbers import require_positive, require_whole
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.models.layers import Layer
from jaxd2l.types import Model

Branches = tuple[int, tuple[int, int], tuple[int, int], int]
"""Channels of an inception block: of 1 x 1; before and of 3 x 3; before and of 5 x 5; after the pooling."""

STAGES: tuple[tuple[Branches, ...], ...] = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)
"""The nine blocks; between the stages the images are halved."""


def inception(
    c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int, *, init: ConvInit = initializers.xavier_uniform()
) -> Layer:
    """Windows of 1 x 1, 3 x 3, 5 x 5 and a max pooling side by side, their channels joined. D2L 8.4.1.

    Convolutions of 1 x 1 before the large windows and after the pooling keep the number of channels small.

    >>> models.layers.output_shape(inception(64, (96, 128), (16, 32), 32), (12, 12, 192))
    (12, 12, 256)
    """

    require_whole(1, c1=c1, c4=c4)
    require_counts(2, c2=c2, c3=c3)

    def conv(channels: int, window: int = 1) -> Layer:
        one = layers.conv(channels, window, padding=window // 2, init=init)
        return layers.sequential(one, layers.function(activations.relu), name=one.name)

    return layers.parallel(
        conv(c1),
        layers.sequential(conv(c2[0]), conv(c2[1], 3)),
        layers.sequential(conv(c3[0]), conv(c3[1], 5)),
        layers.sequential(layers.max_pool(3, stride=1, padding=1), conv(c4)),
        name="inception",
    )


def googlenet(
    input_shape: Sequence[int] = (96, 96, 1),
    *,
    num_classes: int = 10,
    width: float = 1.0,
    init: ConvInit = initializers.xavier_uniform(),
) -> Model:
    """A stem of three convolutions, nine inception blocks and the mean over the image. D2L 8.4.

    Outputs: logits (n, num_classes). Parameters: a tuple of five stages and the last layer, as the book's b1 to b5.

    Args:
      input_shape: (height, width, channels) of an image of any size.
      num_classes: outputs.
      width: what the numbers of channels are multiplied by, at least to 1; .25 makes a network for a small machine.
      init: of every layer. As in the book Xavier's; its biases stay torch's, ours are 0.

    Raises:
      ValueError: a size below 1, or a width that is not positive.

    >>> params = jax.eval_shape(googlenet().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    5977530
    """
    require_images("GoogLeNet", 1, input_shape=input_shape, num_classes=num_classes)
    require_positive(width=width)

    def scaled(channels: int) -> int:
        return max(1, round(width * channels))

    def block(c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int) -> Layer:
        three, five = ((scaled(first), scaled(last)) for first, last in (c2, c3))
        return inception(scaled(c1), three, five, scaled(c4), init=init)

    def conv(channels: int, window: int, stride: int = 1) -> tuple[Layer, Layer]:
        one = layers.conv(scaled(channels), window, stride=stride, padding=window // 2, init=init)
        return one, layers.function(activations.relu)

    halve = layers.max_pool(3, stride=2, padding=1)
    first, second, last = STAGES
    net = layers.sequential(
        layers.sequential(*conv(64, 7, stride=2), halve),
        layers.sequential(*conv(64, 1), *conv(192, 3), halve),
        layers.sequential(*(block(*branches) for branches in first), halve),
        layers.sequential(*(block(*branches) for branches in second), halve),
        layers.sequential(*(block(*branches) for branches in last), layers.global_mean_pool()),
        layers.dense(num_classes, init=init),
        name="GoogLeNet",
    )
    return layers.model(net, input_shape)
