"""AlexNet (D2L 8.1)."""

from collections.abc import Sequence

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_counts, require_images
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.types import Model


def alexnet(
    input_shape: Sequence[int] = (224, 224, 1),
    *,
    num_classes: int = 10,
    channels: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
    num_hiddens: int = 4096,
    dropout_rate: float = 0.5,
    init: ConvInit = initializers.torch_linear(),
) -> Model:
    """Five convolutions and three fully connected layers: the network that won ImageNet in 2012. D2L 8.1.

    Outputs: logits (n, num_classes). Parameters: a tuple, numbered as in the book's `nn.Sequential`.

    Args:
      input_shape: (height, width, channels) of an image, at least 65 pixels high and wide.
      num_classes: outputs.
      channels: of the five convolutions; fewer make a network for a small machine.
      num_hiddens: width of the two hidden layers, which hold most of the parameters.
      dropout_rate: share of the hidden units that are dropped in training.
      init: of every layer. The book trains from torch's default.

    Raises:
      ValueError: an image that is too small, or a size below 1.

    >>> params = jax.eval_shape(alexnet().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    46764746
    """
    require_images("AlexNet", 65, input_shape=input_shape, num_classes=num_classes)
    require_counts(5, channels=channels)
    first, second, *others = channels
    relu = layers.function(activations.relu)
    net = layers.sequential(
        layers.conv(first, 11, stride=4, padding=1, init=init),
        relu,
        layers.max_pool(3, stride=2),
        layers.conv(second, 5, padding=2, init=init),
        relu,
        layers.max_pool(3, stride=2),
        *(part for number in others for part in (layers.conv(number, 3, padding=1, init=init), relu)),
        layers.max_pool(3, stride=2),
        layers.flatten(),
        *(layers.dense(num_hiddens, init=init), relu, layers.dropout(dropout_rate)) * 2,
        layers.dense(num_classes, init=init),
        name="AlexNet",
    )
    return layers.model(net, input_shape)
