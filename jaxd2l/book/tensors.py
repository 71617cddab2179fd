"""Tensors (D2L 2.1, 2.3): the operations in which JAX and torch differ.

All else is `jax.numpy` itself: creation, reshaping, arithmetic, broadcasting, concatenation, products. Those raise
clear errors for shapes that do not fit. `jax.jit(f, donate_argnums=0)` updates in place; `x.item()` is a Python number.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, Shaped

from jaxd2l._checks.arrays import narrowed, real
from jaxd2l._checks.numbers import require_axis, require_real

Axis = int | tuple[int, ...] | None


def at(x: Shaped[Array, "..."], index: Any) -> Shaped[Array, "..."]:
    """Reads `x[index]`, and refuses an index out of bounds, where JAX would hand out the last element.

    D2L 2.1.2; indexing in torch.

    Args:
      x: any shape and dtype.
      index: whatever indexes a NumPy array: integers, slices, lists, arrays, masks, `...`, None, or a tuple of them.

    Raises:
      IndexError: an index out of bounds, or too many. Under `jit` a traced index cannot be seen; out of bounds it
        reads NaN (of integers, the smallest).

    >>> X = jnp.arange(12.0).reshape(3, 4)
    >>> at(X, -1)
    Array([ 8.,  9., 10., 11.], dtype=float32)
    >>> at(X, 3)
    Traceback (most recent call last):
    IndexError: index 3 is out of bounds for axis 0 with size 3; the array has shape (3, 4)
    """
    x = _as_jax(x)
    parts, is_checked = _check_index(index, x.shape)
    return x[parts] if is_checked else x.at[parts].get(mode="fill")


def set_at(x: Shaped[Array, "..."], index: Any, value: Any) -> Shaped[Array, "..."]:
    """A copy of `x` in which `x[index]` is `value`; refuses to write out of bounds, where JAX would write nothing.

    In a jitted function whose `x` is donated, or not used again, nothing is copied. D2L 2.1.2, 2.1.5;
    `x[index] = value` in torch.

    Args:
      x: any shape and dtype.
      index: as for `at`.
      value: a number, or an array that broadcasts to the place.

    Raises:
      IndexError: an index out of bounds, or too many. Under `jit` a traced index cannot be seen; out of bounds it
        writes nothing.
      TypeError: a value with a fraction, or an imaginary part, for an array that holds none; torch would cut it off.
      OverflowError: a value that the array's dtype cannot hold.
      ValueError: a value whose shape does not fit.

    >>> set_at(jnp.zeros((2, 3)), (1, 2), 17)
    Array([[ 0.,  0.,  0.],
           [ 0.,  0., 17.]], dtype=float32)
    """
    x = _as_jax(x)
    parts, _ = _check_index(index, x.shape)
    value = value if isinstance(value, jax.Array) else np.asarray(value)
    if any(
        jnp.issubdtype(value.dtype, k) and not jnp.issubdtype(x.dtype, k) for k in (jnp.inexact, np.complexfloating)
    ):
        dtype = jax.dtypes.canonicalize_dtype(value.dtype)
        raise TypeError(f"an array of {x.dtype} cannot hold {dtype} values; convert one of them with .astype")
    if not isinstance(value, jax.core.Tracer):
        value = jnp.asarray(narrowed(np.asarray(value), x.dtype))
    return x.at[parts].set(value.astype(x.dtype))


def _check_index(index: Any, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], bool]:
    """The index as a tuple that JAX takes, and whether all of it could be checked."""
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(np.array(part, None if part else int) if isinstance(part, list) else part for part in parts)
    # A traced index is judged as if it were 0. NumPy is the judge, on an array of this shape that takes one byte.
    is_traced = [isinstance(part, jax.core.Tracer) for part in parts]
    seen = (
        np.zeros(part.shape, part.dtype) if unknown else np.asarray(part) if isinstance(part, jax.Array) else part
        for part, unknown in zip(parts, is_traced, strict=True)
    )
    try:
        np.broadcast_to(np.False_, shape)[tuple(seen)]
    except IndexError as error:
        raise IndexError(f"{error}; the array has shape {shape}") from None
    return parts, not any(is_traced)


def copy_from(external: Any) -> Shaped[Array, "..."]:
    """Copies a NumPy array or a torch tensor into JAX, and refuses numbers that do not fit.

    A copy always: memory shared with torch would let an in-place update change an immutable array. 64-bit numbers
    become 32-bit ones (unless `jax_enable_x64` is on): float64 is rounded; int64 must fit, where JAX alone would wrap
    2**40 to 0. The way back is `np.array(x)`, and `torch.from_dlpack(x).clone()`. D2L 2.1.6.

    Args:
      external: a NumPy array, or anything with `__dlpack__`, such as a detached torch tensor; torch is not imported.

    Raises:
      OverflowError: a number that the narrower dtype cannot hold.
      BufferError: a torch tensor that requires a gradient; hand over `tensor.detach()`.

    >>> copy_from(np.array([1.5, 2.5]))
    Array([1.5, 2.5], dtype=float32)
    >>> copy_from(np.array([2**40]))
    Traceback (most recent call last):
    OverflowError: 1099511627776 does not fit into int32
    """
    host = _host_view(external)
    if host is None:
        return jax.dlpack.from_dlpack(external, copy=True)
    return jnp.asarray(narrowed(host, jax.dtypes.canonicalize_dtype(host.dtype)))  # astype has copied


def _as_jax(x: Any) -> Array:
    return x if isinstance(x, jax.Array) else copy_from(x)


def _host_view(external: Any) -> np.ndarray | None:
    """NumPy's view of the memory; None for a dtype that NumPy does not know, such as torch.bfloat16."""
    if isinstance(external, np.ndarray) or not hasattr(external, "__dlpack__"):
        return np.asarray(external)
    try:
        return np.from_dlpack(external)
    except RuntimeError:
        return None


def norm(
    x: Float[Array, "..."], p: float | int = 2, axis: Axis = None, *, keepdims: bool = False
) -> Float[Array, "..."]:
    """Length of a vector, `(sum_i |x_i|^p)^(1/p)`; of a matrix, with `p=2`, the Frobenius norm.

    Its gradient at 0 is 0, as in torch; that of `jnp.linalg.norm` is NaN there (and 1 per element for `p=1`).
    D2L 2.3.11, 2.4.3; `torch.linalg.vector_norm`.

    Args:
      x: floating point.
      p: at least 1, which makes it a norm; `math.inf` for the largest magnitude.
      axis: the axes that hold the vectors; None for all of them.
      keepdims: leave these axes in, with size 1.

    Raises:
      TypeError: if `x` is not floating point.
      ValueError: if `p` is below 1.

    >>> u = jnp.array([3.0, -4.0])
    >>> float(norm(u)), float(norm(u, 1)), float(norm(jnp.ones((4, 9))))
    (5.0, 7.0, 6.0)
    >>> jax.grad(norm)(jnp.zeros(2))
    Array([0., 0.], dtype=float32)
    """
    x = _floating(x)
    require_real(p=p)
    require_axis(axis, x.ndim)
    if not p >= 1:
        raise ValueError(f"a norm needs p of at least 1, got {p}")
    magnitudes = x * jnp.sign(x)  # the derivative of jnp.abs at 0 is 1
    if p == 1:
        return jnp.sum(magnitudes, axis, keepdims=keepdims)
    if math.isinf(p):
        return jnp.max(magnitudes, axis, keepdims=keepdims, initial=0.0)
    return _root(jnp.sum(x * x if p == 2 else magnitudes**p, axis, keepdims=keepdims), p)


def var(
    x: Float[Array, "..."], axis: Axis = None, *, ddof: float | int = 1, keepdims: bool = False
) -> Float[Array, "..."]:
    """Sample variance, `sum_i (x_i - mean)^2 / (n - ddof)`; `ddof` is 1, as in torch, where `jnp.var` has 0.

    NaN if there are no more than `ddof` numbers. D2L 2.3.6; `torch.var`, whose option is called `correction`.

    Raises:
      TypeError: if `x` is not floating point.

    >>> var(jnp.array([1.0, 2.0, 3.0, 4.0])).round(4)
    Array(1.6667, dtype=float32)
    """
    x = _floating(x)
    require_axis(axis, x.ndim)
    require_real(ddof=ddof)
    return jnp.var(x, axis, ddof=ddof, keepdims=keepdims)  # type: ignore[arg-type]  # its annotation has only int


def std(
    x: Float[Array, "..."], axis: Axis = None, *, ddof: float | int = 1, keepdims: bool = False
) -> Float[Array, "..."]:
    """Sample standard deviation, the root of `var`, with gradient 0 where all numbers are equal. `torch.std`.

    Raises:
      TypeError: if `x` is not floating point.

    >>> std(jnp.array([1.0, 2.0, 3.0, 4.0])).round(4)
    Array(1.291, dtype=float32)
    >>> jax.grad(std)(jnp.ones(2))
    Array([0., 0.], dtype=float32)
    """
    return _root(var(x, axis, ddof=ddof, keepdims=keepdims), 2)


def median(x: Num[Array, "..."], axis: int | None = None) -> Num[Array, "..."]:
    """The middle number, and of an even count the lower of the two, where `jnp.median` has their mean. `torch.median`.

    The dtype is that of `x`. NaN if there is one.

    Args:
      x: real numbers.
      axis: where to look for it; None for all of `x`.

    Raises:
      TypeError: complex numbers, which have no order.
      ValueError: if there are no numbers, or no such axis.
      OverflowError: a NumPy number that its 32-bit dtype cannot hold.

    >>> median(jnp.array([4, 1, 3, 2]))
    Array(2, dtype=int32)
    """
    x = real("x", _as_jax(x))
    require_axis(axis, x.ndim)
    x, axis = (jnp.ravel(x), 0) if axis is None else (x, axis)
    if x.shape[axis] == 0:
        raise ValueError(f"no numbers have no median; the array has shape {x.shape}")
    in_order = jnp.sort(x, axis)  # NaN comes last
    middle, last = (jnp.take(in_order, i, axis, mode="clip") for i in ((x.shape[axis] - 1) // 2, x.shape[axis] - 1))
    return jnp.where(jnp.isnan(last), last, middle)


def _root(total: Array, p: float | int) -> Array:
    # The slope of a root at 0 is infinite, and infinity times 0 would be NaN: there the root is taken of 1 instead.
    is_zero = total == 0
    positive = jnp.where(is_zero, 1.0, total)
    return jnp.where(is_zero, 0.0, jnp.sqrt(positive) if p == 2 else positive ** (1 / p))


def _floating(x: Array) -> Array:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(f"expected floating-point numbers, got {x.dtype}; convert them with .astype('float32')")
    return x
