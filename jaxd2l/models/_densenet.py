"""DenseNet: every layer sees all that came before (D2L 8.7)."""

from collections.abc import Sequence

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_images
from jaxd2l._checks.numbers import require_all_whole, require_whole
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.models.layers import Layer
from jaxd2l.types import StatefulModel

RELU = layers.function(activations.relu)
IDENTITY = layers.function(lambda x: x, name="identity")


def dense_block(num_convs: int, growth: int, *, init: ConvInit = initializers.torch_linear()) -> Layer:
    """Convolutions that each add `growth` channels to those they got: `x, f_1(x), f_2(x, f_1(x)), ...`. D2L 8.7.2.

    Each is batch normalisation, relu and a convolution of 3 x 3.

    >>> models.layers.output_shape(dense_block(2, 10), (8, 8, 3))
    (8, 8, 23)
    """
    require_whole(1, num_convs=num_convs, growth=growth)
    conv = layers.sequential(layers.batch_norm(), RELU, layers.conv(growth, 3, padding=1, init=init))
    return layers.repeat(num_convs, layers.parallel(IDENTITY, conv), name="dense_block")


def transition(channels: int, *, init: ConvInit = initializers.torch_linear()) -> Layer:
    """Batch normalisation, relu, a convolution of 1 x 1 to fewer channels, and a mean that halves the image. D2L 8.7.3.

    >>> models.layers.output_shape(transition(10), (8, 8, 23))
    (4, 4, 10)
    """
    conv = layers.conv(channels, 1, init=init)
    return layers.sequential(layers.batch_norm(), RELU, conv, layers.mean_pool(2), name="transition")


def densenet(
    input_shape: Sequence[int] = (96, 96, 1),
    *,
    num_classes: int = 10,
    channels: int = 64,
    growth: int = 32,
    arch: Sequence[int] = (4, 4, 4, 4),
    init: ConvInit = initializers.torch_linear(),
) -> StatefulModel:
    """A stem, dense blocks with transitions between them, and the mean over the image. D2L 8.7.4.

    A transition halves the image and the number of channels. Outputs: logits (n, num_classes). Parameters and state: a
    tuple of stem, blocks and transitions in turn, and the last norm and layer.

    Args:
      input_shape: (height, width, channels) of an image; four blocks need 29 pixels.
      num_classes: outputs.
      channels: of the stem.
      growth: channels that each convolution adds.
      arch: convolutions of each block.
      init: of every layer. The book trains from torch's default.

    Raises:
      ValueError: an image that is too small, or a size below 1.

    >>> params, state = jax.eval_shape(densenet().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    758226
    """
    require_all_whole(1, arch=arch)
    require_whole(1, channels=channels, growth=growth)
    require_images("DenseNet", 4 * 2 ** max(len(arch) - 1, 0) - 3, input_shape=input_shape, num_classes=num_classes)
    parts, width = [], channels
    for i, num_convs in enumerate(arch):
        if i:
            width //= 2
            parts.append(transition(width, init=init))
        parts.append(dense_block(num_convs, growth, init=init))
        width += num_convs * growth
    net = layers.sequential(
        layers.sequential(
            layers.conv(channels, 7, stride=2, padding=3, init=init),
            layers.batch_norm(),
            RELU,
            layers.max_pool(3, stride=2, padding=1),
            name="stem",
        ),
        *parts,
        layers.batch_norm(),
        RELU,
        layers.global_mean_pool(),
        layers.dense(num_classes, init=init),
        name="DenseNet",
    )
    return layers.stateful_model(net, input_shape)
