"""Calculus and automatic differentiation (D2L 2.4, 2.5).

Use `jax.grad`, `jax.vjp`, `jax.jvp`, `jax.jacobian` and `jax.lax.stop_gradient` as they are. This module adds numerical
derivatives to check them against, a Hessian-vector product, and the book's function with control flow.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import require_real
from jaxd2l._checks.shapes import require_shapes
from jaxd2l._checks.values import require_finite
from jaxd2l.types import Params

__all__ = [
    "check_gradient",
    "difference_quotient",
    "double_past_1000",
    "double_past_1000_compiled",
    "hessian_vector_product",
    "numerical_gradient",
    "tangent_line",
]


def __dir__() -> list[str]:
    return __all__


Scalar = float | Float[Array, ""]


def difference_quotient(f: Callable[[Array], Array], x: float, h: float) -> float:
    """Slope of `f` between `x` and `x + h`, `(f(x + h) - f(x)) / h`, computed in float64. D2L 2.4.1.

    In float32 the difference over a small step is mostly rounding: for `h = 1e-5` the book's 2.00003 would be 2.0027.

    Args:
      f: maps a scalar to a scalar.
      x: the point.
      h: the step; not 0.

    Raises:
      ValueError: `h` is 0.

    >>> [round(difference_quotient(lambda x: 3 * x**2 - 4 * x, 1.0, h), 6) for h in (0.1, 0.01, 0.001)]
    [2.3, 2.03, 2.003]
    """
    require_real(x=x, h=h)
    if h == 0:
        raise ValueError("h must not be 0: a difference quotient divides by the step")
    with _float64():
        return (float(f(jnp.float64(x + h))) - float(f(jnp.float64(x)))) / h


def tangent_line(f: Callable[[Array], Array], x: Scalar) -> Callable[[Array], Array]:
    """The tangent of `f` at `x`, as a function: `t -> f(x) + f'(x) (t - x)`. D2L 2.4.2.

    Args:
      f: maps a scalar to a scalar.
      x: the point.

    Returns:
      A function of an array of any shape.

    >>> tangent_line(lambda x: 3 * x**2 - 4 * x, 1.0)(jnp.array([0.0, 1.0, 2.0]))  # 2t - 3
    Array([-3., -1.,  1.], dtype=float32)
    """
    require_real(x=x)
    value, slope = jax.value_and_grad(f)(x)
    return lambda t: value + slope * (t - x)


def numerical_gradient(f: Callable[[Params], Array], x: Params) -> Params:
    """Gradient by central differences, `(f(x + h e_i) - f(x - h e_i)) / 2h` for each number `x_i`, in float64.

    About 10 digits are right, whatever the precision of `x`. Calls `f` twice per number, uncompiled: pass `jax.jit(f)`
    if that is slow. D2L 2.4.1, 2.4.3.

    Args:
      f: maps `x` to a scalar. If it computes in float32 even for float64 inputs, the steps are larger, and 4 digits are
        right.
      x: an array, or a pytree of them, floating point.

    Returns:
      NumPy float64 arrays in the structure of `x`.

    Raises:
      TypeError: `x` or the value of `f` is not floating point.
      ValueError: the value of `f` is not a scalar, or `x` holds NaN or infinity.

    >>> numerical_gradient(lambda x: 2 * x @ x, jnp.arange(4.0)).round(6)
    array([ 0.,  4.,  8., 12.])
    """
    with _float64():
        flat, restore = ravel_pytree(_as_float64(x))
        point, gradient = np.array(flat), np.zeros(flat.shape)
        require_finite(x=point)
        step = _epsilon(f(restore(flat))) ** (1 / 3)  # balances the curvature of f and its rounding
        for i, x_i in enumerate(point):
            ends = x_i + step * max(1.0, abs(x_i)) * np.array([1.0, -1.0])
            above, below = (float(f(restore(jnp.asarray(np.r_[point[:i], end, point[i + 1 :]])))) for end in ends)
            gradient[i] = (above - below) / (ends[0] - ends[1])
        return jax.tree.map(np.asarray, restore(jnp.asarray(gradient)))


def check_gradient(f: Callable[[Params], Array], x: Params, *, tolerance: float | None = None) -> float:
    """Checks `jax.grad(f)` at `x` against `numerical_gradient`, both in float64.

    They agree if each `|grad_i - numerical_i| <= tolerance * (max(1, |f(x)|) + |numerical_i|)`. D2L 2.5;
    `torch.autograd.gradcheck`.

    Args:
      f: maps `x` to a scalar; it must have no kink at `x`, where the slope depends on the side.
      x: an array, or a pytree of them, floating point.
      tolerance: by default the square root of the rounding of `f`: 1.5e-8, or 3.5e-4 if it computes in float32.

    Returns:
      The largest disagreement, in the unit of `tolerance`.

    Raises:
      AssertionError: the derivatives disagree; the message names the worst of them.
      TypeError, ValueError: as for `numerical_gradient`.

    >>> check_gradient(lambda x: jnp.sum(jnp.sin(x)), jnp.arange(3.0)) < 1e-9
    True
    >>> check_gradient(lambda x: x * jax.lax.stop_gradient(x), 3.0)
    Traceback (most recent call last):
    AssertionError: derivative with respect to x[0]: jax.grad gives 3, central differences 6
    """
    if tolerance is not None:
        require_real(tolerance=tolerance)
    with _float64():
        value, gradient = jax.value_and_grad(f)(_as_float64(x))
        gradient, numerical = (np.asarray(ravel_pytree(tree)[0]) for tree in (gradient, numerical_gradient(f, x)))
        if tolerance is None:
            tolerance = _epsilon(value) ** 0.5
        error = np.abs(gradient - numerical) / (max(1.0, abs(float(value))) + np.abs(numerical))
    worst = int(np.argmax(np.nan_to_num(error, nan=np.inf))) if error.size else 0
    if error.size and not error[worst] <= tolerance:
        raise AssertionError(
            f"derivative with respect to x[{worst}]: jax.grad gives {gradient[worst]:.9g}, "
            f"central differences {numerical[worst]:.9g}"
        )
    return float(np.max(error, initial=0.0))


def hessian_vector_product(f: Callable[[Params], Array], x: Params, v: Params) -> Params:
    """The product `H v` of the Hessian of `f` at `x` with a vector, without the matrix `H`: the gradient's derivative.

    Costs a few evaluations of `f`, whatever the size of `x`. D2L 2.5; `torch.autograd.functional.hvp`.

    Args:
      f: maps `x` to a scalar.
      x: an array, or a pytree of them.
      v: the direction, of the same structure, shapes and dtypes.

    >>> hessian_vector_product(lambda x: jnp.sum(x**3), jnp.array([1.0, 2.0]), jnp.array([1.0, 1.0]))  # H = diag(6x)
    Array([ 6., 12.], dtype=float32)
    """
    return jax.jvp(jax.grad(f), (x,), (v,))[1]


def double_past_1000(a: Float[Array, "..."]) -> Float[Array, "..."]:
    """The book's function with control flow: doubles until the norm is 1000; times 100 unless the sum is positive.

    Between its jumps it is `k a` for some constant k, so its gradient is `f(a) / a`. Python runs the loop and needs the
    values of `a`: `grad` works, `jit` and `vmap` do not. D2L 2.5.4.

    Raises:
      ValueError: `a` holds only zeros, or nothing at all: it would double for ever.
      TypeError: `a` is not floating point; small integers would wrap around to 0.

    >>> jax.value_and_grad(double_past_1000)(jnp.float32(3.0))
    (Array(1536., dtype=float32), Array(512., dtype=float32))
    """
    a = floating("a", a)
    if not jnp.any(a * 2):  # XLA may flush the smallest numbers to 0
        raise ValueError("a holds only zeros, and doubling never brings their norm to 1000")
    b = a * 2
    while jnp.linalg.norm(b) < 1000:
        b = b * 2
    return b if jnp.sum(b) > 0 else 100 * b


def double_past_1000_compiled(a: Float[Array, "..."]) -> Float[Array, "..."]:
    """`double_past_1000` for `jit`, `vmap` and `grad`, bit for bit: `lax.while_loop` and `lax.cond`.

    Gives NaN if `a` holds only zeros. D2L 2.5.4.

    Raises:
      TypeError: `a` is not floating point.

    >>> jax.jit(jax.value_and_grad(double_past_1000_compiled))(jnp.float32(3.0))
    (Array(1536., dtype=float32), Array(512., dtype=float32))
    """
    a = floating("a", a)

    def is_short(state: tuple[Array, Array]) -> Array:
        b, _ = state
        return (jnp.linalg.norm(b) < 1000) & jnp.any(b != 0)

    # Reverse mode cannot go back through a while_loop of unknown length, and need not: how often to double depends on
    # values alone, not on derivatives.
    first = jax.lax.stop_gradient(a) * 2
    _, times = jax.lax.while_loop(is_short, lambda state: (state[0] * 2, state[1] + 1), (first, jnp.int32(1)))
    # Two factors, because one could overflow where the product with a small number does not.
    one, half = jnp.ones((), a.dtype), times // 2
    b = a * jnp.ldexp(one, half) * jnp.ldexp(one, times - half)
    b = b * jnp.where(jnp.any(first != 0), 1, jnp.nan).astype(a.dtype)
    return jax.lax.cond(jnp.sum(b) > 0, lambda b: b, lambda b: 100 * b, b)


@contextmanager
def _float64() -> Iterator[None]:
    # The float32 constants of f meet float64 here, even if the caller forbids dtype promotion.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


def _as_float64(x: Params) -> Params:
    return jax.tree.map(lambda leaf: floating("x", leaf).astype(jnp.float64), x)


def _epsilon(value: Array) -> float:
    """The rounding of the dtype in which a function has computed its value."""
    value = floating("the value of f", value)
    require_shapes("", **{"the value of f": value})
    return float(jnp.finfo(value.dtype).eps)
