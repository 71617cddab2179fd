"""Batch and layer normalisation (D2L 8.5)."""

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import floating, require_norm
from jaxd2l._checks.numbers import require_between, require_flags, require_not_negative

Norm = dict[str, Array]
"""`{"scale", "bias"}`, the parameters of a normalisation."""

Averages = dict[str, Array]
"""`{"mean", "var"}`, the running averages of batch normalisation."""


class Normalized(NamedTuple):
    """What batch normalisation returns: the outputs, and the running averages afterwards."""

    outputs: Float[Array, "*batch channels"]
    state: Averages


def batch_norm(
    layer: Norm,
    state: Averages,
    x: Float[Array, "*batch channels"],
    *,
    train: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Normalized:
    """Shifts and scales each channel to mean 0 and variance 1 over the batch, then by what is learned.

        y = scale (x - mean) / sqrt(var + eps) + bias

    In training, mean and variance are those of the batch, over all axes but the last; the variance divides by n. The
    running averages move to `(1 - momentum) old + momentum new`, where the new variance divides by n - 1, as in torch.
    Otherwise mean and variance are the running averages, which stay. The variance is that of the centred numbers: the
    shorter E[x^2] - E[x]^2 loses all digits where the mean is large. D2L 8.5; `torch.nn.functional.batch_norm`.

    Args:
      layer: `{"scale", "bias"}`, each (channels,): gamma and beta in the book, weight and bias in torch.
      state: `{"mean", "var"}`, each (channels,); zeros and ones to begin with.
      x: rows of features or images, channels last.
      train: whether to normalise by the batch.
      momentum: share of the new batch in the averages. Flax's momentum is the share of the old ones, 1 - momentum.
      eps: keeps a constant channel finite.

    Returns:
      `outputs`, in the shape of x, and the next `state`.

    Raises:
      TypeError: numbers that are not floating point, or a layer or a state without its two arrays.
      ValueError: shapes that do not fit, and in training a batch with a single value per channel.

    >>> layer, state = {"scale": jnp.ones(2), "bias": jnp.zeros(2)}, {"mean": jnp.zeros(2), "var": jnp.ones(2)}
    >>> outputs, state = batch_norm(layer, state, jnp.array([[1.0, 10], [2, 20], [3, 60]]), train=True)
    >>> outputs
    Array([[-1.2247356, -0.92582  ],
           [ 0.       , -0.46291  ],
           [ 1.2247356,  1.38873  ]], dtype=float32)
    >>> state["mean"], state["var"]
    (Array([0.2, 3. ], dtype=float32), Array([ 1. , 70.9], dtype=float32))
    """
    _require_options(train, momentum, eps)
    x = floating("x", x)
    require_norm(x, layer=(layer, ("scale", "bias")), state=(state, ("mean", "var")))
    mean, var = state["mean"], state["var"]
    if train:
        n = _values_per_channel(x)
        mean, var = _moments(x, tuple(range(x.ndim - 1)))
        new = {"mean": mean, "var": var * (n / (n - 1))}
        state = {name: (1 - momentum) * state[name] + momentum * lax.stop_gradient(new[name]) for name in new}
    return Normalized((x - mean) * (layer["scale"] / jnp.sqrt(var + eps)) + layer["bias"], state)


def layer_norm(layer: Norm, x: Float[Array, "*batch"], *, eps: float = 1e-5) -> Float[Array, "*batch"]:
    """Shifts and scales each example to mean 0 and variance 1 over its features, then by what is learned.

        y = scale (x - mean) / sqrt(var + eps) + bias

    It needs no batch and no running averages, and is the same in training. D2L 8.5.2.3;
    `torch.nn.functional.layer_norm`.

    Args:
      layer: `{"scale", "bias"}` of one shape: that of the last axes of x, over which mean and variance are taken.
      x: examples.
      eps: keeps a constant example finite.

    Raises:
      TypeError: numbers that are not floating point, or a layer without its two arrays.
      ValueError: shapes that do not fit.

    >>> layer = {"scale": jnp.ones(4), "bias": jnp.zeros(4)}
    >>> one, ten = layer_norm(layer, jnp.array([[1.0, 2, 3, 4], [10.0, 20, 30, 40]]))
    >>> abs(one - ten).max() < 1e-5
    Array(True, dtype=bool)
    """
    require_not_negative(eps=eps)
    x = floating("x", x)
    require_norm(x, layer=(layer, ("scale", "bias")), axes=None)
    mean, var = _moments(x, tuple(range(-jnp.ndim(layer["scale"]), 0)), keepdims=True)
    return (x - mean) / jnp.sqrt(var + eps) * layer["scale"] + layer["bias"]


def _moments(x: Array, axes: tuple[int, ...], *, keepdims: bool = False) -> tuple[Array, Array]:
    """Mean and variance of the numbers as they are."""
    mean = jnp.mean(x, axes, keepdims=True)
    var = jnp.mean((x - mean) ** 2, axes, keepdims=keepdims)
    return mean if keepdims else jnp.squeeze(mean, axes), var


def _require_options(train: bool, momentum: float, eps: float) -> None:
    require_flags(train=train)
    require_between(0, 1, momentum=momentum)
    require_not_negative(eps=eps)


def _values_per_channel(x: Array) -> int:
    n = math.prod(x.shape[:-1])
    if n < 2:
        raise ValueError(
            f"in training a channel is normalised over a batch, but x of shape {x.shape} has {n} values per channel: "
            "give two or more examples, or train=False"
        )
    return n
