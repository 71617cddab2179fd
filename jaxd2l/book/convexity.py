"""Convexity (D2L 12.1, 12.2): how to test for it, and projections onto convex sets."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import finite
from jaxd2l._checks.numbers import require_callable, require_positive, require_whole
from jaxd2l._checks.probabilities import distributions
from jaxd2l._checks.shapes import require_shapes
from jaxd2l.book.tensors import norm

__all__ = ["chord_gap", "curvatures", "jensen_gap", "project_l1", "project_l2"]


def __dir__() -> list[str]:
    return __all__


def chord_gap(
    f: Callable[[Array], Array], x: Float[Array, "*shape"], y: Float[Array, "*shape"], *, num_points: int = 101
) -> Float[Array, ""]:
    """How far `f` rises above the chord between x and y: at most 0 for every x and y if and only if f is convex.

        max over l in [0, 1] of  f(l x + (1 - l) y) - l f(x) - (1 - l) f(y)

    D2L 12.2.1.2.

    Args:
      f: maps an array of the shape of x to a scalar.
      x, y: the ends of the chord.
      num_points: how many l are tried; the ends are among them, so the result is never below 0 by more than rounding.

    Raises:
      TypeError: f is no function, or x or y is not floating point.
      ValueError: x and y differ in shape, NaN or infinity, or fewer than 2 points.

    >>> print(f"{chord_gap(jnp.square, jnp.array(-1.0), jnp.array(2.0)):.2f}")
    0.00
    >>> print(f"{chord_gap(jnp.cos, jnp.array(-1.0), jnp.array(1.0)):.2f}")  # 1 - cos(1), at l = 1/2
    0.46
    """
    require_callable(f=f)
    require_whole(2, num_points=num_points)
    x, y = _alike(x, y)
    shares = jnp.linspace(0, 1, num_points, dtype=x.dtype)
    heights = jax.vmap(lambda share: f(share * x + (1 - share) * y))(shares)
    return jnp.max(heights - (shares * f(x) + (1 - shares) * f(y)))


def jensen_gap(f: Callable[[Array], Array], x: Float[Array, "n *shape"], p: Float[Array, " n"]) -> Float[Array, ""]:
    """E[f(X)] - f(E[X]) for X = x_i with probability p_i: at least 0 if f is convex, by Jensen's inequality.

        sum_i p_i f(x_i) - f(sum_i p_i x_i)

    For f(x) = x^2 it is the variance. D2L 12.2.2.2.

    Args:
      f: maps an array of the shape of one x_i to a scalar.
      x: the values of X along the first axis.
      p: their probabilities.

    Raises:
      TypeError: f is no function, or x or p is not floating point.
      ValueError: another number of probabilities than values, probabilities that do not sum to 1, NaN or infinity.

    >>> print(f"{jensen_gap(jnp.square, jnp.array([-1.0, 1.0]), jnp.array([0.5, 0.5])):.1f}")
    1.0
    """
    require_callable(f=f)
    x, p = finite("x", x), distributions("p", p)
    require_shapes(" ".join(["n", *map(str, x.shape[1:])]) + ", n", x=x, p=p)
    return jnp.sum(p * jax.vmap(f)(x)) - f(jnp.tensordot(p, x, 1))


def curvatures(f: Callable[[Array], Array], x: Float[Array, "*shape"]) -> Float[Array, " n"]:
    """Eigenvalues of the Hessian of f at x, ascending: f is convex if and only if none is negative anywhere.

    Both signs at a point without slope mean a saddle: it is neither a minimum nor a maximum. D2L 12.1.2.2, 12.2.2.3.

    Args:
      f: maps an array of the shape of x to a scalar, twice differentiable.
      x: the point; n numbers.

    Raises:
      TypeError: f is no function, or x is not floating point.
      ValueError: x is empty, or holds NaN or infinity.

    >>> curvatures(lambda x: x[0] ** 2 - x[1] ** 2, jnp.zeros(2)).tolist()
    [-2.0, 2.0]
    """
    require_callable(f=f)
    x = finite("x", x)
    return jnp.linalg.eigvalsh(jax.hessian(f)(x).reshape(x.size, x.size))


def project_l2(x: Float[Array, "*shape"], *, radius: float = 1.0) -> Float[Array, "*shape"]:
    """The nearest point in the ball of this radius: x min(1, radius / ||x||), as gradients are clipped. D2L 12.2.3.2.

    Raises:
      TypeError: x is not floating point.
      ValueError: x is empty, NaN or infinity, or a radius that is not positive.

    >>> print(project_l2(jnp.array([3.0, 4.0])))
    [0.6 0.8]
    """
    x = finite("x", x)
    require_positive(radius=radius)
    return (x * jnp.minimum(1, radius / norm(x))).astype(x.dtype)


def project_l1(x: Float[Array, "*shape"], *, radius: float = 1.0) -> Float[Array, "*shape"]:
    """The nearest point with sum |x_i| <= radius: all |x_i| shrink by one amount, and those below it become 0.

        sign(x_i) max(|x_i| - c, 0),  with c >= 0 such that the sum is at most the radius

    A penalty on |w| makes weights sparse for the same reason. D2L 12.2.3.2.

    Raises:
      TypeError: x is not floating point.
      ValueError: x is empty, NaN or infinity, or a radius that is not positive.

    >>> print(project_l1(jnp.array([1.0, 0.5])))
    [0.75 0.25]
    """
    x = finite("x", x)
    require_positive(radius=radius)
    sizes = jnp.sort(jnp.abs(x).ravel(), descending=True)
    # With the k largest left over, c is what brings their sum to the radius; the right k gives the largest c.
    excess = (jnp.cumsum(sizes) - radius) / jnp.arange(1, x.size + 1, dtype=x.dtype)
    cut = jnp.maximum(jnp.max(excess), 0)
    return (jnp.sign(x) * jnp.maximum(jnp.abs(x) - cut, 0)).astype(x.dtype)


def _alike(x: Array, y: Array) -> tuple[Array, Array]:
    x, y = finite("x", x), finite("y", y)
    require_shapes("*shape, *shape", x=x, y=y)
    return x, y.astype(x.dtype)
