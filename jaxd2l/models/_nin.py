"""Network in network: a perceptron at every pixel (D2L 8.3)."""

from collections.abc import Sequence

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_counts, require_images
from jaxd2l._checks.windows import Pair
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.models.layers import Layer
from jaxd2l.types import Model


def nin_block(
    channels: int,
    window: int | Pair,
    *,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    init: ConvInit = initializers.xavier_uniform(),
) -> Layer:
    """A convolution and two of 1 x 1, each followed by relu. D2L 8.3.1.

    A convolution of 1 x 1 is a fully connected layer that every pixel goes through by itself.

    >>> models.layers.output_shape(nin_block(96, 11, stride=4), (224, 224, 1))
    (54, 54, 96)
    """
    relu, pointwise = layers.function(activations.relu), layers.conv(channels, 1, init=init)
    first = layers.conv(channels, window, stride=stride, padding=padding, init=init)
    return layers.sequential(first, relu, pointwise, relu, pointwise, relu, name="nin_block")


def nin(
    input_shape: Sequence[int] = (224, 224, 1),
    *,
    num_classes: int = 10,
    channels: tuple[int, int, int] = (96, 256, 384),
    dropout_rate: float = 0.5,
    init: ConvInit = initializers.xavier_uniform(),
) -> Model:
    """Four blocks, the last with a channel for each class, and the mean over the image. D2L 8.3.

    There is no fully connected layer. Outputs: logits (n, num_classes). They are means of relus and so never negative,
    and a class whose last relu is 0 on every image learns nothing. Parameters: a tuple, numbered as in the book's
    `nn.Sequential`.

    Args:
      input_shape: (height, width, channels) of an image, at least 67 pixels high and wide.
      num_classes: outputs.
      channels: of the first three blocks; fewer make a network for a small machine.
      dropout_rate: share of the third block's outputs that are dropped in training.
      init: of every layer. As in the book Xavier's; its biases stay torch's, ours are 0.

    Raises:
      ValueError: an image that is too small, or a size below 1.

    >>> params = jax.eval_shape(nin().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    1992166
    """
    require_images("NiN", 67, input_shape=input_shape, num_classes=num_classes)
    require_counts(3, channels=channels)
    first, second, third = channels
    net = layers.sequential(
        nin_block(first, 11, stride=4, init=init),
        layers.max_pool(3, stride=2),
        nin_block(second, 5, padding=2, init=init),
        layers.max_pool(3, stride=2),
        nin_block(third, 3, padding=1, init=init),
        layers.max_pool(3, stride=2),
        layers.dropout(dropout_rate),
        nin_block(num_classes, 3, padding=1, init=init),
        layers.global_mean_pool(),
        name="NiN",
    )
    return layers.model(net, input_shape)
