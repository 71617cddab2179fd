"""Fully connected layers, dropout and flattening as layers (D2L 5.1, 5.6, 6.5.2)."""

import math

from jaxtyping import Array, PRNGKeyArray

from jaxd2l import initializers
from jaxd2l._checks.numbers import require_between, require_form, require_whole
from jaxd2l.initializers import LinearInit
from jaxd2l.models import _mlp
from jaxd2l.models._linear import linear
from jaxd2l.models.layers._layer import Layer, Shape, function
from jaxd2l.types import ModelState, Params

TORCH_DEFAULT = initializers.torch_linear()
"""What torch draws when nothing else is asked for; the book's networks begin so."""


def dense(num_outputs: int, *, init: LinearInit = TORCH_DEFAULT) -> Layer:
    """A fully connected layer, `x W + b`, of as many inputs as it gets. D2L 6.4, 6.5.2; `torch.nn.LazyLinear`.

    Parameters: `{"kernel": (inputs, num_outputs), "bias": (num_outputs,)}`. Inputs: (n, inputs).

    >>> net = layers.model(dense(10), (784,))
    >>> net.init(jax.random.key(0))["kernel"].shape
    (784, 10)
    """
    require_whole(1, num_outputs=num_outputs)
    require_form("init(key, num_inputs, num_outputs)", init)

    def make(key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]:
        if len(input_shape) != 1:
            raise ValueError("a fully connected layer takes rows of features: put flatten() before it")
        return init(key, input_shape[0], num_outputs), ()

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        return linear(params, inputs), state

    return Layer(make, apply, f"dense {num_outputs}")


def dropout(rate: float) -> Layer:
    """Drops each input with probability `rate` if there is a key. D2L 5.6; `torch.nn.Dropout`.

    >>> net = layers.model(dropout(0.5), (4,))
    >>> net.apply((), jnp.ones((1, 4)))
    Array([[1., 1., 1., 1.]], dtype=float32)
    """
    require_between(0, 1, rate=rate)

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        return inputs if key is None or rate == 0 else _mlp.dropout(key, inputs, rate), state

    return Layer(lambda key, input_shape: ((), ()), apply, f"dropout {rate:g}")


def flatten() -> Layer:
    """Makes each example one row: height, width, channels. D2L 7.6; `torch.nn.Flatten` goes by channels first."""
    return function(lambda x: x.reshape(x.shape[0], math.prod(x.shape[1:])), name="flatten")
