"""VGG: networks made of blocks (D2L 8.2)."""

from collections.abc import Sequence

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_arch, require_images
from jaxd2l._checks.numbers import require_whole
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.models.layers import Layer
from jaxd2l.types import Model

Arch = Sequence[tuple[int, int]]
"""For each block, or stage, in turn: how many layers it has, and how many channels."""

VGG_11: Arch = ((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))


def vgg_block(num_convs: int, channels: int, *, init: ConvInit = initializers.xavier_uniform()) -> Layer:
    """Convolutions of 3 x 3, each followed by relu, then max pooling, which halves the image. D2L 8.2.1.

    Two windows of 3 x 3 see as much as one of 5 x 5, with 18 weights in place of 25 and a relu between.

    >>> models.layers.output_shape(vgg_block(2, 64), (224, 224, 1))
    (112, 112, 64)
    """
    require_whole(1, num_convs=num_convs)
    convs = (layers.conv(channels, 3, padding=1, init=init), layers.function(activations.relu))
    return layers.sequential(*convs * num_convs, layers.max_pool(2), name="vgg_block")


def vgg(
    input_shape: Sequence[int] = (224, 224, 1),
    *,
    arch: Arch = VGG_11,
    num_classes: int = 10,
    num_hiddens: int = 4096,
    dropout_rate: float = 0.5,
    init: ConvInit = initializers.xavier_uniform(),
) -> Model:
    """Blocks of convolutions and three fully connected layers; the default is VGG-11. D2L 8.2.

    Outputs: logits (n, num_classes). Parameters: a tuple, numbered as in the book's `nn.Sequential`.

    Args:
      input_shape: (height, width, channels) of an image; each block halves height and width, so five need 32 pixels.
      arch: (convolutions, channels) of each block, such as `((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))` for
        VGG-16.
      num_classes: outputs.
      num_hiddens: width of the two hidden layers, which hold most of the parameters.
      dropout_rate: share of the hidden units that are dropped in training.
      init: of every layer. As in the book Xavier's; its biases stay torch's, ours are 0.

    Raises:
      ValueError: an image that is too small, or a size below 1.

    >>> params = jax.eval_shape(vgg().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    128806154
    """
    require_arch("convolutions channels", arch=arch)
    require_images(f"VGG of {len(arch)} blocks", 2 ** len(arch), input_shape=input_shape, num_classes=num_classes)
    hidden = (layers.dense(num_hiddens, init=init), layers.function(activations.relu), layers.dropout(dropout_rate))
    net = layers.sequential(
        *(vgg_block(num_convs, channels, init=init) for num_convs, channels in arch),
        layers.flatten(),
        *hidden * 2,
        layers.dense(num_classes, init=init),
        name="VGG",
    )
    return layers.model(net, input_shape)
