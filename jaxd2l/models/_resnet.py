"""ResNet and ResNeXt: layers that learn what to add (D2L 8.6)."""

from collections.abc import Sequence

from jaxd2l import activations, initializers
from jaxd2l._checks.networks import require_arch, require_images
from jaxd2l._checks.numbers import require_flags, require_positive, require_whole
from jaxd2l.initializers import ConvInit
from jaxd2l.models import layers
from jaxd2l.models._vgg import Arch
from jaxd2l.models.layers import Layer
from jaxd2l.types import StatefulModel

RELU = layers.function(activations.relu)
IDENTITY = layers.function(lambda x: x, name="identity")


def residual(
    channels: int, *, strides: int = 1, use_1x1conv: bool = False, init: ConvInit = initializers.xavier_uniform()
) -> Layer:
    """`relu(f(x) + x)`, where f is two convolutions of 3 x 3 with batch normalisation. D2L 8.6.2.

    If the size or the number of channels changes, x goes through a convolution of 1 x 1 as well. Where f is 0, a block
    passes on what it gets, so that a deeper network can do all that a shallower one can.

    Parameters: `((f, shortcut), ())`.

    Args:
      channels: of the outputs.
      strides: step of the first convolution and of the shortcut.
      use_1x1conv: whether the shortcut is a convolution, with a bias and without normalisation.
      init: of the convolutions.

    Raises, when sizes are known:
      ValueError: a shortcut that does not fit what is added to it.

    >>> models.layers.output_shape(residual(6, strides=2, use_1x1conv=True), (6, 6, 3))
    (3, 3, 6)
    """
    require_whole(1, channels=channels, strides=strides)
    require_flags(use_1x1conv=use_1x1conv)
    f = layers.sequential(
        layers.conv(channels, 3, stride=strides, padding=1, init=init),
        layers.batch_norm(),
        RELU,
        layers.conv(channels, 3, padding=1, init=init),
        layers.batch_norm(),
    )
    shortcut = layers.conv(channels, 1, stride=strides, init=init) if use_1x1conv else IDENTITY
    return layers.sequential(layers.add(f, shortcut), RELU, name="residual")


def resnext_block(
    channels: int,
    group_width: int,
    *,
    bottleneck: float = 1.0,
    strides: int = 1,
    use_1x1conv: bool = False,
    init: ConvInit = initializers.torch_linear(),
) -> Layer:
    """`relu(f(x) + x)`, where f goes through a bottleneck of groups that do not see each other. D2L 8.6.5.

    f is convolutions of 1 x 1, of 3 x 3 in groups, and of 1 x 1, each with batch normalisation; the shortcut is
    normalised, too. With groups of `group_width` channels the middle one has as many times fewer weights as there are
    groups: it is a full convolution whose kernel is block-diagonal.

    Parameters: `((f, shortcut), ())`.

    Args:
      channels: of the outputs.
      group_width: channels in a group. The book's argument `groups` is this, not the number of groups.
      bottleneck: channels inside, as a share of those outside.
      strides: step of the middle convolution and of the shortcut.
      use_1x1conv: whether the shortcut is a convolution.
      init: of the convolutions.

    Raises:
      ValueError: channels inside that are no multiple of `group_width`.

    >>> models.layers.output_shape(resnext_block(32, 16), (96, 96, 32))
    (96, 96, 32)
    """
    require_whole(1, channels=channels, group_width=group_width, strides=strides)
    require_flags(use_1x1conv=use_1x1conv)
    inside = _channels_inside(channels, bottleneck, group_width)
    f = layers.sequential(
        layers.conv(inside, 1, init=init),
        layers.batch_norm(),
        RELU,
        layers.conv(inside, 3, stride=strides, padding=1, groups=inside // group_width, init=init),
        layers.batch_norm(),
        RELU,
        layers.conv(channels, 1, init=init),
        layers.batch_norm(),
    )
    projection = layers.sequential(layers.conv(channels, 1, stride=strides, init=init), layers.batch_norm())
    return layers.sequential(layers.add(f, projection if use_1x1conv else IDENTITY), RELU, name="resnext_block")


def _channels_inside(channels: int, bottleneck: float, group_width: int) -> int:
    require_positive(bottleneck=bottleneck)
    inside = round(channels * bottleneck)
    if inside < group_width or inside % group_width:
        raise ValueError(f"{inside} channels inside cannot be shared out among groups of {group_width}")
    return inside


def resnet(
    arch: Arch,
    input_shape: Sequence[int] = (96, 96, 1),
    *,
    num_classes: int = 10,
    init: ConvInit = initializers.xavier_uniform(),
) -> StatefulModel:
    """A stem, stages of residual blocks, and the mean over the image. D2L 8.6.3.

    The stem, a convolution of 7 x 7 and max pooling, divides height and width by 4; each stage but the first halves
    them. Outputs: logits (n, num_classes). Parameters and state: a tuple of stem, stages, pooling and the last layer.

    Args:
      arch: (blocks, channels) of each stage.
      input_shape: (height, width, channels) of an image of any size.
      num_classes: outputs.
      init: of every layer. As in the book Xavier's; its biases stay torch's, ours are 0.

    Raises:
      ValueError: a size below 1.

    >>> model = resnet(((1, 8), (1, 16)), (28, 28, 1))
    >>> params, state = jax.eval_shape(model.init, jax.random.key(0))
    >>> logits, state = jax.eval_shape(model.apply, params, state, jnp.ones((2, 28, 28, 1)))
    >>> logits.shape
    (2, 10)
    """
    require_arch("blocks channels", arch=arch)
    require_images("ResNet", 1, input_shape=input_shape, num_classes=num_classes)
    stem = layers.sequential(
        layers.conv(arch[0][1], 7, stride=2, padding=3, init=init),
        layers.batch_norm(),
        RELU,
        layers.max_pool(3, stride=2, padding=1),
        name="stem",
    )

    def stage(i: int, blocks: int, channels: int) -> Layer:
        first = residual(channels, strides=2 if i else 1, use_1x1conv=i > 0, init=init)
        others = (residual(channels, init=init),) * (blocks - 1)
        return layers.sequential(first, *others, name="stage")

    stages = (stage(i, blocks, channels) for i, (blocks, channels) in enumerate(arch))
    head = (layers.global_mean_pool(), layers.dense(num_classes, init=init))
    return layers.stateful_model(layers.sequential(stem, *stages, *head, name="ResNet"), input_shape)


def resnet18(
    input_shape: Sequence[int] = (96, 96, 1), *, num_classes: int = 10, init: ConvInit = initializers.xavier_uniform()
) -> StatefulModel:
    """Four stages of two blocks: 17 convolutions on the way and a last layer. D2L 8.6.3. Arguments: as for `resnet`.

    >>> params, state = jax.eval_shape(resnet18().init, jax.random.key(0))
    >>> sum(leaf.size for leaf in jax.tree.leaves(params))
    11178378
    """
    return resnet(((2, 64), (2, 128), (2, 256), (2, 512)), input_shape, num_classes=num_classes, init=init)
