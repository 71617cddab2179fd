"""The same models as Flax NNX modules (D2L 3.5, 4.5, 5.2.2, 5.6.5); `_from_flax` adapts them."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from flax import nnx
from jaxtyping import Array

from jaxd2l import activations, initializers
from jaxd2l._checks.numbers import require_between, require_callable, require_choice
from jaxd2l.initializers import LinearInit
from jaxd2l.models._from_flax import from_flax
from jaxd2l.models._linear import flatten, init_layers
from jaxd2l.models._mlp import layer_sizes
from jaxd2l.models._products import Precision, matmul
from jaxd2l.types import Model


def flax_linear_regression(num_inputs: int, *, init: LinearInit = initializers.normal(0.01)) -> Model:
    """`linear_regression` as a Flax module: one `nnx.Linear(num_inputs, 1)`. D2L 3.5."""
    return flax_mlp(num_inputs, (), 1, init=init)


def flax_softmax_regression(
    num_inputs: int,
    num_outputs: int,
    *,
    init: LinearInit = initializers.normal(0.01),
    precision: Precision = "float32",
) -> Model:
    """`softmax_regression` as a Flax module: one `nnx.Linear(num_inputs, num_outputs)`. D2L 4.5."""
    return flax_mlp(num_inputs, (), num_outputs, init=init, precision=precision)


def flax_mlp(
    num_inputs: int,
    num_hiddens: int | Sequence[int],
    num_outputs: int,
    *,
    activation: Callable[[Array], Array] = activations.relu,
    dropout_rate: float = 0.0,
    init: LinearInit = initializers.normal(0.01),
    precision: Precision = "float32",
) -> Model:
    """`mlp` as a Flax module: the same arguments, and from the same key the same numbers. D2L 5.2.2, 5.6.5.

    Parameters: `{"layers": {0: {"kernel", "bias"}, 1: ...}}`, as NNX names them. Only the dropout masks differ from
    those of `mlp`, because Flax derives their keys in its own way.

    >>> model = flax_mlp(784, 256, 10)
    >>> params = model.init(jax.random.key(0))
    >>> params["layers"][1]["kernel"].shape
    (256, 10)
    """
    sizes = layer_sizes(num_inputs, num_hiddens, num_outputs, init)
    require_between(0, 1, dropout_rate=dropout_rate)
    require_choice(Precision, precision=precision)
    require_callable(activation=activation)
    model = from_flax(lambda rngs: _MLP(sizes, activation, dropout_rate, precision, rngs=rngs))
    return model._replace(init=lambda key: {"layers": dict(enumerate(init_layers(key, sizes, init)))})


class _MLP(nnx.Module):
    """Fully connected layers; an activation and dropout follow each but the last."""

    def __init__(
        self,
        sizes: Sequence[int],
        activation: Callable[[Array], Array],
        dropout_rate: float,
        precision: Precision,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        def product(x: Array, kernel: Array, *_: Any, **__: Any) -> Array:
            return matmul(x, kernel, precision)

        self.num_inputs = sizes[0]
        self.layers = nnx.List(nnx.Linear(n, m, dot_general=product, rngs=rngs) for n, m in itertools.pairwise(sizes))
        self.activation = activation
        self.dropout = nnx.Dropout(dropout_rate, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        x = flatten(x, self.num_inputs)
        *hidden_layers, output_layer = self.layers
        for layer in hidden_layers:
            x = self.dropout(self.activation(layer(x)))
        return output_layer(x)
