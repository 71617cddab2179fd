"""LeNet, the first convolutional network (D2L 7.6, 12.11)."""

from collections.abc import Callable, Sequence

from jaxtyping import Array

from jaxd2l import activations, initializers
from jaxd2l._checks.numbers import require_callable, require_form, require_whole
from jaxd2l.initializers import ConvInit
from jaxd2l.models._pooling import mean_pool
from jaxd2l.models.layers._combining import sequential
from jaxd2l.models.layers._convolution import conv
from jaxd2l.models.layers._dense import dense, flatten
from jaxd2l.models.layers._layer import Layer, function, model
from jaxd2l.types import Model


def lenet(
    input_shape: Sequence[int] = (28, 28, 1),
    *,
    num_classes: int = 10,
    activation: Callable[[Array], Array] = activations.sigmoid,
    pool: Callable[[Array, int], Array] = mean_pool,
    init: ConvInit = initializers.xavier_uniform(),
) -> Model:
    """Two convolutions with pooling, then three fully connected layers. D2L 7.6.

    Parameters: a tuple over the layers, with `{"kernel", "bias"}` at 0, 3, 7, 9 and 11: the places in the book's
    `nn.Sequential`. For 28 x 28 x 1 there are 61,706. Outputs: logits, (n, num_classes).

    Args:
      input_shape: height, width and channels of an image; at least 12 x 12.
      num_classes: how many logits.
      activation: after every layer but the last. The book has the sigmoid here and relu in section 12.11.
      pool: `pool(x, 2)` halves height and width: `models.mean_pool`, or `models.max_pool` in section 12.11.
      init: initialiser that takes a window. Torch's default is `initializers.torch_linear()`.

    Raises:
      TypeError: an activation, a pool or an initialiser that is not such a function.
      ValueError: a size below 1, or images that are too small; the layer is named.

    >>> net = lenet()
    >>> net.apply(net.init(jax.random.key(0)), jnp.ones((2, 28, 28, 1))).shape
    (2, 10)
    """
    require_whole(1, num_classes=num_classes)
    require_callable(activation=activation)
    require_form("pool(x, window)", pool)

    def act() -> Layer:
        return function(activation)

    def halve() -> Layer:
        return function(lambda x: pool(x, 2), name=f"{getattr(pool, '__name__', 'pool')} 2x2")

    return model(
        sequential(
            conv(6, 5, padding=2, init=init),
            act(),
            halve(),
            conv(16, 5, init=init),
            act(),
            halve(),
            flatten(),
            dense(120, init=init),
            act(),
            dense(84, init=init),
            act(),
            dense(num_classes, init=init),
            name="lenet",
        ),
        input_shape,
    )
