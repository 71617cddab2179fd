"""Descent on a given function, as the path that it takes (D2L 12.3, 12.4, 12.6 to 12.10).

`trajectory` runs any optimiser of `jaxd2l.optim` or optax; the others spell out the book's formulas.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from jaxd2l._checks.arrays import finite
from jaxd2l._checks.numbers import (
    is_traced,
    require_between,
    require_callable,
    require_not_negative,
    require_real,
    require_whole,
)
from jaxd2l._checks.runs import transformation
from jaxd2l._checks.values import random_key

__all__ = [
    "bisection",
    "gradient_descent",
    "newton",
    "preconditioned_descent",
    "stochastic_descent",
    "trajectory",
]

Objective = Callable[[Array], Array]
"""Maps an array to a scalar."""

Number = float | Float[Array, ""]
Start = float | Float[Array, "*shape"]
Path = Float[Array, "points *shape"]


def __dir__() -> list[str]:
    return __all__


def gradient_descent(f: Objective, start: Start, *, learning_rate: Number, steps: int) -> Path:
    """x <- x - learning_rate * f'(x), again and again. D2L 12.3.

    Args:
      f: maps an array of the shape of `start` to a scalar.
      start: where to begin: a number or an array.
      learning_rate: a positive one goes downhill.
      steps: how many.

    Returns:
      The path, (steps + 1, *shape), `start` first.

    Raises:
      TypeError: f is no function to a scalar, or start is not floating point.
      ValueError: a negative rate or number of steps, NaN or infinity.

    >>> path = gradient_descent(lambda x: x**2, 10.0, learning_rate=0.2, steps=10)
    >>> path.shape, f"{path[-1]:.6f}"  # 10 * 0.6^10
    ((11,), '0.060466')
    """
    require_not_negative(learning_rate=learning_rate)
    return _walk(f, start, steps, lambda x, _: x - learning_rate * jax.grad(f)(x))


def newton(f: Objective, start: Start, *, steps: int, learning_rate: Number = 1.0) -> Path:
    """x <- x - learning_rate * H^-1 f'(x), with the Hessian H: one step to the minimum of a quadratic. D2L 12.3.3.1.

    Where H has negative eigenvalues it climbs: it seeks a point without slope, be it a maximum.

    Args, returns, raises: as `gradient_descent`.

    >>> quadratic = lambda x: 0.1 * x[0] ** 2 + 2 * (x[1] - 1) ** 2
    >>> newton(quadratic, jnp.array([-5.0, -2.0]), steps=1)[-1].tolist()
    [0.0, 1.0]
    """
    require_not_negative(learning_rate=learning_rate)

    def step(x: Array, _: Array) -> Array:
        hessian, slope = jax.hessian(f)(x).reshape(x.size, x.size), jax.grad(f)(x).ravel()
        return x - learning_rate * jnp.linalg.solve(hessian, slope).reshape(x.shape)

    return _walk(f, start, steps, step)


def preconditioned_descent(f: Objective, start: Start, *, learning_rate: Number, steps: int) -> Path:
    """x <- x - learning_rate * diag(H)^-1 f'(x): each coordinate is measured in its own unit. D2L 12.3.3.3.

    Args, returns, raises: as `gradient_descent`.

    >>> ravine = lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2
    >>> preconditioned_descent(ravine, jnp.ones(2), learning_rate=0.5, steps=2).tolist()
    [[1.0, 1.0], [0.5, 0.5], [0.25, 0.25]]
    """
    require_not_negative(learning_rate=learning_rate)

    def step(x: Array, _: Array) -> Array:
        diagonal = jnp.diag(jax.hessian(f)(x).reshape(x.size, x.size)).reshape(x.shape)
        return x - learning_rate * jax.grad(f)(x) / diagonal

    return _walk(f, start, steps, step)


def stochastic_descent(
    key: PRNGKeyArray,
    f: Objective,
    start: Start,
    *,
    learning_rate: Number | optax.Schedule,
    steps: int,
    noise: Number = 1.0,
) -> Path:
    """x <- x - rate(t) * (f'(x) + e) with e ~ N(0, noise^2) in each coordinate: minibatch noise, made up. D2L 12.4.

    Args:
      key: decides the noise.
      f, start, steps: as in `gradient_descent`.
      learning_rate: a number, or a schedule `step -> number`, with steps from 0.
      noise: standard deviation.

    Returns:
      The path, (steps + 1, *shape), `start` first.

    Raises:
      TypeError: as `gradient_descent`, or a key that is none.
      ValueError: as `gradient_descent`, or negative noise.

    >>> path = stochastic_descent(jax.random.key(0), lambda x: x**2, 10.0, learning_rate=0.2, steps=10, noise=0.0)
    >>> print(f"{path[-1]:.6f}")
    0.060466
    """
    key = random_key("key", key)
    require_not_negative(noise=noise, **{} if callable(learning_rate) else {"learning_rate": learning_rate})

    def step(x: Array, t: Array) -> Array:
        rate = learning_rate(t) if callable(learning_rate) else learning_rate
        return x - rate * (jax.grad(f)(x) + noise * jax.random.normal(jax.random.fold_in(key, t), x.shape, x.dtype))

    return _walk(f, start, steps, step)


def trajectory(f: Objective, start: Start, tx: optax.GradientTransformation, *, steps: int) -> Path:
    """The path of an optimiser of `jaxd2l.optim` or optax: x <- x + tx's update for the gradient f'(x). D2L 12.6-12.10.

    Args:
      f, start, steps: as in `gradient_descent`.
      tx: the optimiser, with its rate or schedule.

    Returns:
      The path, (steps + 1, *shape), `start` first.

    Raises:
      TypeError: as `gradient_descent`, or a tx that is no transformation.
      ValueError: as `gradient_descent`.

    >>> ravine = lambda x: 0.1 * x[0] ** 2 + 2 * x[1] ** 2
    >>> trajectory(ravine, jnp.array([-5.0, -2.0]), optax.sgd(0.25, momentum=0.5), steps=1).tolist()
    [[-5.0, -2.0], [-4.75, 0.0]]
    """
    x, tx = _checked(f, start, steps), transformation(tx)

    def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], Array]:
        x, state = carry
        updates, state = tx.update(jax.grad(f)(x), state, x)
        x = optax.apply_updates(x, updates)
        return (x, state), x

    _, path = lax.scan(step, (x, tx.init(x)), length=steps)
    return jnp.concatenate([x[None], path])


def bisection(f: Objective, low: Number, high: Number, *, steps: int = 60) -> Float[Array, ""]:
    """Where a convex function of one number is lowest between low and high: a line search by halves.

    The sign of f' in the middle tells which half holds the minimum; each step leaves half of the interval. D2L 12.3.5.

    Args:
      f: maps a scalar to a scalar, convex between the ends.
      low, high: the ends.
      steps: how often to halve.

    Raises:
      TypeError: f is no function to a scalar, or an end is no real number.
      ValueError: ends that are NaN, infinite or in the wrong order, or a negative number of steps.

    >>> print(f"{bisection(lambda x: (x - 1.5) ** 2, 0.0, 10.0):.4f}")
    1.5000
    """
    require_real(low=low, high=high)
    low, high = _checked(f, low, steps), finite("high", high)
    require_between(-math.inf if is_traced(low) else float(low), math.inf, **{"the upper end": high})

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = ends[0] / 2 + ends[1] / 2
        is_left = jax.grad(f)(middle) < 0
        return jnp.where(is_left, middle, ends[0]), jnp.where(is_left, ends[1], middle)

    low, high = lax.fori_loop(0, steps, halve, (low, high.astype(low.dtype)))
    return jnp.asarray(low / 2 + high / 2)


def _walk(f: Objective, start: Start, steps: int, step: Callable[[Array, Array], Array]) -> Path:
    """All points from `start` on, each found from the one before and the number of the step."""
    first = _checked(f, start, steps)

    def walk(x: Array, t: Array) -> tuple[Array, Array]:
        x = step(x, t).astype(x.dtype)
        return x, x

    return jnp.concatenate([first[None], lax.scan(walk, first, jnp.arange(steps))[1]])


def _checked(f: Objective, start: Start, steps: int) -> Array:
    require_callable(f=f)
    require_whole(0, steps=steps)
    return finite("start", start)
