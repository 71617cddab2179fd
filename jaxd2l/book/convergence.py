"""What theory says of descent on a parabola: noise in the gradient, and momentum (D2L 12.4, 12.6)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import real, vector
from jaxd2l._checks.numbers import require_not_negative, require_real

__all__ = ["Moments", "momentum_radius", "noise_moments"]

Number = float | Float[Array, ""]


def __dir__() -> list[str]:
    return __all__


class Moments(NamedTuple):
    """Mean and standard deviation of a point that depends on chance."""

    mean: Float[Array, ""]
    sd: Float[Array, ""]


def noise_moments(rates: Float[Array, " steps"], start: Number, *, curvature: Number, noise: Number = 1.0) -> Moments:
    """Where `descent.stochastic_descent` on curvature * x^2 / 2 ends on average, and its spread, exactly. D2L 12.4.

        mean <- (1 - rate * curvature) * mean
        variance <- (1 - rate * curvature)^2 * variance + rate^2 * noise^2

    A constant rate forgets the start but keeps shaking; rates that fall too fast stop before they arrive.

    Args:
      rates: the learning rate of each step.
      start: where the run begins.
      curvature: the second derivative.
      noise: standard deviation of the noise in each gradient.

    Raises:
      TypeError: rates that are not floating point, or what is no real number.
      ValueError: rates that are not a vector, NaN or infinity, or negative noise.

    >>> mean, sd = noise_moments(jnp.full(50, 0.1), -5.0, curvature=2.0)  # towards 1 / 6
    >>> print(f"{mean:.6f} {sd:.6f}")
    -0.000071 0.166667
    """
    rates = vector("rates", rates)
    require_real(start=start, curvature=curvature)
    require_not_negative(noise=noise)
    kept = 1 - rates * curvature
    after = jnp.concatenate(
        [jnp.cumprod(kept[::-1])[-2::-1], jnp.ones(1, rates.dtype)]
    )  # what later steps leave of each
    return Moments(start * jnp.prod(kept), noise * jnp.sqrt(jnp.sum((rates * after) ** 2)))


def momentum_radius(
    learning_rate: Number | Float[Array, "..."], momentum: Number | Float[Array, "..."], *, curvature: Number = 1.0
) -> Float[Array, "..."]:
    """By what factor gradient descent with momentum shrinks the distance to the minimum per step, in the long run.

    On curvature * x^2 / 2, one step maps velocity and position (v, x) by the matrix

        [[momentum, curvature], [-learning_rate * momentum, 1 - learning_rate * curvature]],

    whose spectral radius this is. Below 1 the run converges: for 0 < learning_rate * curvature < 2 + 2 momentum.
    D2L 12.6.3.

    Args:
      learning_rate, momentum: numbers, or arrays that broadcast.
      curvature: the second derivative.

    Raises:
      TypeError: what is not real, or complex.
      ValueError: a curvature that is NaN or infinite.

    >>> [f"{momentum_radius(0.6, momentum, curvature=4.0):.4f}" for momentum in (0.0, 0.25, 0.5)]
    ['1.4000', '0.8589', '0.7071']
    """
    rate, momentum = real("learning_rate", learning_rate), real("momentum", momentum)
    require_real(curvature=curvature)
    half = (1 + momentum - rate * curvature) / 2  # of the trace; the determinant is the momentum
    root = half**2 - momentum
    return jnp.where(root < 0, jnp.sqrt(jnp.abs(momentum)), jnp.abs(half) + jnp.sqrt(jnp.maximum(root, 0)))
