"""Multilayer perceptrons (D2L 5.1, 5.2) with dropout (D2L 5.6)."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l import activations, initializers
from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import (
    require_all_whole,
    require_between,
    require_callable,
    require_choice,
    require_form,
    require_whole,
)
from jaxd2l._checks.values import random_key
from jaxd2l.initializers import Linear, LinearInit
from jaxd2l.models._linear import flatten, init_layers, linear
from jaxd2l.models._products import Precision
from jaxd2l.types import Model


def mlp(
    num_inputs: int,
    num_hiddens: int | Sequence[int],
    num_outputs: int,
    *,
    activation: Callable[[Array], Array] = activations.relu,
    dropout_rate: float = 0.0,
    init: LinearInit = initializers.normal(0.01),
    precision: Precision = "float32",
) -> Model:
    """Fully connected layers with a nonlinearity between: `h = activation(X W1 + b1)`, `o = h W2 + b2`.

    Any number of hidden layers: `mlp(784, (256, 128), 10)` has two. Parameters: a tuple with one
    `{"kernel": (in, out), "bias": (out,)}` per layer. Outputs: logits, (n, num_outputs). D2L 5.1.1, 5.2, 5.6.4;
    `nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))`.

    Args:
      num_inputs: features per example; images are flattened.
      num_hiddens: units of the hidden layer, or of each hidden layer in turn.
      num_outputs: classes, or 1 for a regression.
      activation: applied to each hidden layer.
      dropout_rate: fraction of each hidden layer's outputs to drop when `apply` gets a key.
      init: initialiser of each layer; by default the book's N(0, 0.01^2) with bias 0.
      precision: "bfloat16" rounds what is multiplied to that type, which is faster on processors with units for it;
        parameters, sums and loss stay float32. Gradients of gradients and `jvp` need "float32".

    Raises:
      ValueError: a size below 1, a rate outside [0, 1] or an unknown precision; when applied, inputs with another
        number of features.
      TypeError: an activation or an initialiser that is not a function; when applied, inputs that are not floating
        point.

    >>> model = mlp(784, (256, 128), 10, dropout_rate=0.5)
    >>> params = model.init(jax.random.key(0))
    >>> model.apply(params, jnp.ones((2, 28, 28, 1)), key=jax.random.key(1)).shape
    (2, 10)
    """
    sizes = layer_sizes(num_inputs, num_hiddens, num_outputs, init)
    require_between(0, 1, dropout_rate=dropout_rate)
    require_choice(Precision, precision=precision)
    require_callable(activation=activation)

    def apply(params: tuple[Linear, ...], inputs: Array, *, key: PRNGKeyArray | None = None) -> Array:
        *hidden_layers, output_layer = params
        h = flatten(inputs, num_inputs)
        for i, layer in enumerate(hidden_layers):
            h = activation(linear(layer, h, precision=precision))
            if key is not None and dropout_rate > 0:
                h = dropout(jax.random.fold_in(key, i), h, dropout_rate)
        return linear(output_layer, h, precision=precision)

    return Model(lambda key: init_layers(key, sizes, init), apply)


def dropout(key: PRNGKeyArray, x: Float[Array, "..."], rate: float) -> Float[Array, "..."]:
    """Sets each element to 0 with probability `rate`, and scales the others by 1 / (1 - rate).

    The expected value is still `x`. D2L 5.6.2; `torch.nn.functional.dropout(training=True)`.

    Args:
      key: decides which elements are dropped: the same key, the same mask.
      x: any shape.
      rate: probability of dropping, in [0, 1].

    Raises:
      TypeError: if `x` is not floating point.
      ValueError: if `rate` is outside [0, 1].

    >>> sorted(set(dropout(jax.random.key(0), jnp.ones(100), 0.5).tolist()))
    [0.0, 2.0]
    """
    key = random_key("key", key)
    require_between(0, 1, rate=rate)
    x = floating("x", x)
    if rate == 1.0:
        return jnp.zeros_like(x)
    kept = jax.random.bernoulli(key, 1.0 - rate, x.shape)
    return jnp.where(kept, x / (1.0 - rate), 0.0)


def layer_sizes(
    num_inputs: int, num_hiddens: int | Sequence[int], num_outputs: int, init: LinearInit
) -> tuple[int, ...]:
    """The size of every layer from inputs to outputs, for an initialiser that takes such sizes."""
    require_form("init(key, num_inputs, num_outputs)", init)
    if isinstance(num_hiddens, str | bytes) or not isinstance(num_hiddens, Sequence):
        require_whole(1, num_hiddens=num_hiddens)
        num_hiddens = (int(num_hiddens),)
    require_all_whole(1, num_hiddens=num_hiddens)
    require_whole(1, num_inputs=num_inputs, num_outputs=num_outputs)
    return tuple(int(size) for size in (num_inputs, *num_hiddens, num_outputs))
