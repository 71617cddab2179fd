"""Activation functions (D2L 4.1, 5.1), with PyTorch's meaning.

They are here because `jax.nn` differs from torch or because the book derives them. Each takes an array of any shape
and returns one of the same shape and dtype.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import require_axis, require_flags, require_real

__all__ = ["gelu", "leaky_relu", "log_softmax", "prelu", "relu", "sigmoid", "softmax", "swish", "tanh"]


def __dir__() -> list[str]:
    return __all__


def softmax(x: Float[Array, "..."], axis: int = -1) -> Float[Array, "..."]:
    """Turns scores into probabilities, `exp(x_j) / sum_k exp(x_k)` along `axis`.

    The maximum is subtracted first, so scores of any size neither overflow nor lose their order. A slice that
    is -inf throughout, or holds +inf or NaN, has no softmax and gives NaN. D2L 4.1.1.3, 4.4.1;
    `torch.nn.functional.softmax`.

    Args:
      x: scores (logits), floating point.
      axis: the axis that holds the classes.

    Raises:
      TypeError: if `x` is not floating point.

    >>> softmax(jnp.array([0.0, 0.0, jnp.log(2.0)])).round(3)
    Array([0.25, 0.25, 0.5 ], dtype=float32)
    """
    exponentials = jnp.exp(_subtract_max(x, axis))
    return exponentials / jnp.sum(exponentials, axis, keepdims=True)


def log_softmax(x: Float[Array, "..."], axis: int = -1) -> Float[Array, "..."]:
    """Logarithm of the softmax, `x_j - max(x) - log(sum_k exp(x_k - max(x)))` along `axis`.

    Never takes the log of a rounded-off probability: `log_softmax([0, -200])` ends in -200, not -inf.
    D2L 4.5.2; `torch.nn.functional.log_softmax`.

    Args:
      x: scores (logits), floating point.
      axis: the axis that holds the classes.

    Raises:
      TypeError: if `x` is not floating point.

    >>> log_softmax(jnp.array([0.0, -200.0]))
    Array([   0., -200.], dtype=float32)
    """
    shifted = _subtract_max(x, axis)
    return shifted - jnp.log(jnp.sum(jnp.exp(shifted), axis, keepdims=True))


def _subtract_max(x: Array, axis: int) -> Array:
    x = floating("x", x)
    require_axis(axis, x.ndim)
    # `initial` lets an empty axis through, as torch does. The maximum cancels, so it needs no gradient.
    return x - jax.lax.stop_gradient(jnp.max(x, axis, keepdims=True, initial=-jnp.inf))


def relu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Rectified linear unit, `max(x, 0)`, with derivative 0 at 0. D2L 5.1.2.1; `torch.nn.functional.relu`.

    >>> relu(jnp.array([-2.0, 0.0, 3.0]))
    Array([0., 0., 3.], dtype=float32)
    """
    return jax.nn.relu(floating("x", x))


def sigmoid(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Squashes onto (0, 1): `1 / (1 + exp(-x))`. D2L 5.1.2.2; `torch.sigmoid`.

    >>> sigmoid(jnp.array([-1000.0, 0.0, 1000.0]))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    return jax.nn.sigmoid(floating("x", x))


def tanh(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Squashes onto (-1, 1): `(1 - exp(-2x)) / (1 + exp(-2x))`. D2L 5.1.2.3; `torch.tanh`.

    >>> tanh(jnp.array([-20.0, 0.0, 20.0]))
    Array([-1.,  0.,  1.], dtype=float32)
    """
    return jnp.tanh(floating("x", x))


def leaky_relu(x: Float[Array, "..."], negative_slope: float = 0.01) -> Float[Array, "..."]:
    """Leaky rectifier: `x` where positive, else `negative_slope * x`.

    Its derivative at 0 is `negative_slope`, as in torch; `jax.nn.leaky_relu` has 1 there. D2L 5.1.2.1;
    `torch.nn.functional.leaky_relu`.

    >>> leaky_relu(jnp.array([-2.0, 0.0, 3.0]), 0.1)
    Array([-0.2,  0. ,  3. ], dtype=float32)
    """
    x = floating("x", x)
    require_real(negative_slope=negative_slope)
    return jnp.where(x > 0, x, x * negative_slope)


def prelu(x: Float[Array, "..."], slope: Float[Array, "#channels"]) -> Float[Array, "..."]:
    """Leaky rectifier with a learned slope: `max(x, 0) + slope * min(x, 0)`.

    D2L 5.1.2.1; `torch.nn.functional.prelu`, which has the channels on axis 1.

    Args:
      x: floating point, channels last.
      slope: one slope, (1,), or one per channel.

    Raises:
      ValueError: if `slope` has any other shape.

    >>> prelu(jnp.array([-2.0, 3.0]), jnp.array([0.25]))
    Array([-0.5,  3. ], dtype=float32)
    """
    x, slope = floating("x", x), floating("slope", slope)
    if slope.shape != (1,) and slope.shape != x.shape[-1:]:
        raise ValueError(f"slope must have shape (1,), or {x.shape[-1:]} for one per channel; got {slope.shape}")
    return jnp.where(x > 0, x, x * (slope[0] if slope.shape == (1,) else slope))


def swish(x: Float[Array, "..."], beta: float = 1.0) -> Float[Array, "..."]:
    """Self-gated unit, `x * sigmoid(beta * x)`. D2L 5.1 (summary); `torch.nn.functional.silu` at `beta=1`.

    >>> swish(jnp.array([-1000.0, 0.0, 1000.0]))
    Array([  -0.,    0., 1000.], dtype=float32)
    """
    x = floating("x", x)
    require_real(beta=beta)
    return x * jax.nn.sigmoid(beta * x)


def gelu(x: Float[Array, "..."], *, approximate: bool = False) -> Float[Array, "..."]:
    """Gaussian error linear unit, `x * Phi(x)` with the normal distribution function Phi.

    Exact by default, as in torch; the default of `jax.nn.gelu` is the tanh formula.
    D2L 5.1 (summary); `torch.nn.functional.gelu`.

    Args:
      x: floating point.
      approximate: use `0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))` instead.

    Raises:
      TypeError: if `approximate` is not a bool; torch's "none" and "tanh" are False and True here.

    >>> np.asarray(gelu(jnp.array([-1.0, 0.0, 1.0]))).round(4)
    array([-0.1587,  0.    ,  0.8413], dtype=float32)
    >>> np.asarray(gelu(jnp.array([-1.0, 0.0, 1.0]), approximate=True)).round(4)
    array([-0.1588,  0.    ,  0.8412], dtype=float32)
    """
    x = floating("x", x)
    require_flags(approximate=approximate)  # torch's "none" would count as true
    if approximate:
        return 0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    # erfc keeps the digits that 1 + erf would cancel for x far below 0.
    return 0.5 * x * jax.scipy.special.erfc(-x * math.sqrt(0.5))
