"""LeNet with batch normalisation (D2L 8.5.4)."""

from collections.abc import Sequence

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_images
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.types import StatefulModel


def batch_norm_lenet(
    input_shape: Sequence[int] = (28, 28, 1), *, num_classes: int = 10, init: ConvInit = initializers.xavier_uniform()
) -> StatefulModel:
    """LeNet with batch normalisation before each activation. D2L 8.5.4.

    Outputs: logits (n, num_classes). Parameters and state: a tuple, numbered as in the book's `nn.Sequential`. As in
    the book, the first convolution is not padded.

    Args:
      input_shape: (height, width, channels) of an image, at least 16 pixels high and wide.
      num_classes: outputs.
      init: of every layer. As in the book Xavier's; its biases stay torch's, ours are 0.

    Raises:
      ValueError: an image that is too small, or a size below 1.

    >>> params, state = jax.eval_shape(batch_norm_lenet().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params)), sum(leaf.size for leaf in jax.tree.leaves(state))
    (44878, 452)
    """
    require_images("LeNet without padding", 16, input_shape=input_shape, num_classes=num_classes)
    norm, sigmoid = layers.batch_norm(), layers.function(activations.sigmoid)
    net = layers.sequential(
        *(layers.conv(6, 5, init=init), norm, sigmoid, layers.mean_pool(2)),
        *(layers.conv(16, 5, init=init), norm, sigmoid, layers.mean_pool(2)),
        layers.flatten(),
        *(layers.dense(120, init=init), norm, sigmoid),
        *(layers.dense(84, init=init), norm, sigmoid),
        layers.dense(num_classes, init=init),
        name="BN-LeNet",
    )
    return layers.stateful_model(net, input_shape)
