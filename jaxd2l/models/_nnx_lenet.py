"""LeNet as a Flax NNX module (D2L 7.6)."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from flax import nnx
from jaxtyping import Array, PRNGKeyArray

from jaxd2l import activations, initializers
from jaxd2l.initializers import ConvInit
from jaxd2l.models._convolution import conv2d
from jaxd2l.models._from_flax import from_flax
from jaxd2l.models._lenet import lenet
from jaxd2l.models._pooling import mean_pool
from jaxd2l.types import Model, Params


def flax_lenet(
    input_shape: Sequence[int] = (28, 28, 1),
    *,
    num_classes: int = 10,
    activation: Callable[[Array], Array] = activations.sigmoid,
    pool: Callable[[Array, int], Array] = mean_pool,
    init: ConvInit = initializers.xavier_uniform(),
) -> Model:
    """`lenet` as a Flax module: the same arguments, and from the same key the same numbers. D2L 7.6.

    Parameters: `{"layers": {0: {"kernel", "bias"}, ..., 4: ...}}`, as NNX names them.

    >>> net = flax_lenet()
    >>> net.init(jax.random.key(0))["layers"][1]["kernel"].shape
    (5, 5, 6, 16)
    """
    scratch = lenet(input_shape, num_classes=num_classes, activation=activation, pool=pool, init=init)

    def init_params(key: PRNGKeyArray) -> Params:
        return {"layers": dict(enumerate(layer for layer in scratch.init(key) if layer))}

    layers = jax.eval_shape(init_params, jax.random.key(0))["layers"].values()
    shapes = [layer["kernel"].shape for layer in layers]
    return from_flax(lambda rngs: _LeNet(shapes, activation, pool, rngs=rngs))._replace(init=init_params)


def convolution(
    x: Array, kernel: Array, strides: Any, padding: Any, *, rhs_dilation: Any, feature_group_count: int, **_: Any
) -> Array:
    """For `nnx.Conv(conv_general_dilated=...)`: our convolution, which is fast inside a compiled epoch on CPUs, too."""
    padding = padding.lower() if isinstance(padding, str) else tuple(padding)
    return conv2d(
        x, kernel, stride=tuple(strides), padding=padding, groups=feature_group_count, dilation=tuple(rhs_dilation)
    )


class _LeNet(nnx.Module):
    """Two convolutions and three fully connected layers of these kernels."""

    def __init__(
        self,
        shapes: Sequence[tuple[int, ...]],
        activation: Callable[[Array], Array],
        pool: Callable[[Array, int], Array],
        *,
        rngs: nnx.Rngs,
    ) -> None:
        (*window, channels, six), (*_, sixteen), *dense = shapes
        self.layers = nnx.List(
            [
                nnx.Conv(channels, six, window, padding=2, conv_general_dilated=convolution, rngs=rngs),
                nnx.Conv(six, sixteen, window, padding=0, conv_general_dilated=convolution, rngs=rngs),
                *(nnx.Linear(inputs, outputs, rngs=rngs) for inputs, outputs in dense),
            ]
        )
        self.activation, self.pool = activation, pool

    def __call__(self, x: Array) -> Array:
        *convolutions, hidden, second_hidden, output = self.layers
        for conv in convolutions:
            x = self.pool(self.activation(conv(x)), 2)
        x = x.reshape(len(x), -1)
        return output(self.activation(second_hidden(self.activation(hidden(x)))))
