"""Normalisation as layers (D2L 8.5)."""

import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks.numbers import require_between, require_not_negative
from jaxd2l.models import _normalization
from jaxd2l.models.layers._layer import Layer, Shape
from jaxd2l.types import ModelState, Params


def batch_norm(*, momentum: float = 0.1, eps: float = 1e-5) -> Layer:
    """Each channel to mean 0 and variance 1 over the batch: `models.batch_norm` as a layer.

    Parameters: `{"scale": (channels,), "bias": (channels,)}`, ones and zeros. State: `{"mean": (channels,), "var":
    (channels,)}`, zeros and ones. A model with it is made by `stateful_model`. D2L 8.5; `torch.nn.LazyBatchNorm1d` and
    `LazyBatchNorm2d`.

    >>> net = layers.stateful_model(layers.sequential(layers.dense(3), batch_norm()), (2,))
    >>> params, state = net.init(jax.random.key(0))
    >>> outputs, state = net.apply(params, state, jax.random.normal(jax.random.key(1), (8, 2)), train=True)
    >>> abs(outputs.mean(0)).max() < 1e-5
    Array(True, dtype=bool)
    """
    require_between(0, 1, momentum=momentum)
    require_not_negative(eps=eps)

    def init(key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]:
        n = input_shape[-1:]
        return {"scale": jnp.ones(n), "bias": jnp.zeros(n)}, {"mean": jnp.zeros(n), "var": jnp.ones(n)}

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        return _normalization.batch_norm(params, state, inputs, train=train, momentum=momentum, eps=eps)

    return Layer(init, apply, "batch_norm")


def layer_norm(*, eps: float = 1e-5) -> Layer:
    """The features of each example, the last axis, to mean 0 and variance 1: `models.layer_norm` as a layer.

    Parameters: `{"scale": (features,), "bias": (features,)}`, ones and zeros. D2L 8.5.2.3; `torch.nn.LayerNorm`.

    >>> net = layers.model(layers.sequential(layers.dense(3), layer_norm()), (2,))
    >>> net.apply(net.init(jax.random.key(0)), jnp.ones((8, 2))).shape
    (8, 3)
    """
    require_not_negative(eps=eps)

    def init(key: PRNGKeyArray, input_shape: Shape, /) -> tuple[Params, ModelState]:
        return {"scale": jnp.ones(input_shape[-1:]), "bias": jnp.zeros(input_shape[-1:])}, ()

    def apply(
        params: Params, state: ModelState, inputs: Array, /, *, train: bool = False, key: PRNGKeyArray | None = None
    ) -> tuple[Array, ModelState]:
        return _normalization.layer_norm(params, inputs, eps=eps), state

    return Layer(init, apply, "layer_norm")
