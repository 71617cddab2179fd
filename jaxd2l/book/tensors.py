"""Tensors (D2L 2.1, 2.3): the operations in which JAX and torch differ.

For everything else use `jax.numpy` itself: creation, reshaping, arithmetic, broadcasting, concatenation, products. It
raises clear errors for shapes that do not fit. `jax.jit(f, donate_argnums=0)` updates in place; `x.item()` returns a
Python number.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num, Shaped

from jaxd2l._checks.arrays import cast, floating, narrowed, real
from jaxd2l._checks.numbers import is_traced, require_axis, require_between, require_real
from jaxd2l._checks.shapes import require_not_empty

__all__ = ["at", "copy_from", "median", "norm", "set_at", "std", "var"]


def __dir__() -> list[str]:
    return __all__


Axis = int | tuple[int, ...] | None


def at(x: Shaped[Array, "..."], index: Any) -> Shaped[Array, "..."]:
    """Reads `x[index]`, and refuses an index out of bounds; JAX itself would return the last element.

    D2L 2.1.2; indexing in torch.

    Args:
      x: any shape and dtype.
      index: anything that indexes a NumPy array: integers, slices, lists, arrays, masks, `...`, None, or a tuple of
        these.

    Raises:
      IndexError: an index out of bounds, or too many indices. Under `jit` the value of a traced index is unknown; out
        of bounds it reads NaN, or the smallest integer from an integer array.

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
    """A copy of `x` in which `x[index]` is `value`; refuses to write out of bounds, where JAX writes nothing.

    A jitted function copies nothing if `x` is donated or not used again. D2L 2.1.2, 2.1.5;
    `x[index] = value` in torch.

    Args:
      x: any shape and dtype.
      index: as for `at`.
      value: a number, or an array that broadcasts to `x[index]`.

    Raises:
      IndexError: an index out of bounds, or too many indices. Under `jit` the value of a traced index is unknown; out
        of bounds it writes nothing.
      TypeError: a floating-point value for an array of integers, or a complex value for an array of real numbers;
        torch would cut it off.
      OverflowError: a value that the array's dtype cannot hold.
      ValueError: a value whose shape does not fit.

    >>> set_at(jnp.zeros((2, 3)), (1, 2), 17)
    Array([[ 0.,  0.,  0.],
           [ 0.,  0., 17.]], dtype=float32)
    """
    x = _as_jax(x)
    parts, _ = _check_index(index, x.shape)
    return x.at[parts].set(cast("value", value, x.dtype))


def _check_index(index: Any, shape: tuple[int, ...]) -> tuple[tuple[Any, ...], bool]:
    """The index as a tuple that JAX accepts, and whether all of it could be checked."""
    parts = index if isinstance(index, tuple) else (index,)
    parts = tuple(np.array(part, None if part else int) if isinstance(part, list) else part for part in parts)
    # NumPy checks the index on an array of this shape that takes one byte; a traced index stands for 0.
    known = [np.zeros(part.shape, part.dtype) if is_traced(part) else part for part in parts]
    known = [np.asarray(part) if isinstance(part, jax.Array) else part for part in known]
    try:
        np.broadcast_to(np.False_, shape)[tuple(known)]
    except IndexError as error:
        raise IndexError(f"{error}; the array has shape {shape}") from None
    return parts, not any(map(is_traced, parts))


def copy_from(external: Any) -> Shaped[Array, "..."]:
    """Copies a NumPy array or a torch tensor into JAX, and refuses numbers that do not fit.

    It always copies: if memory were shared with torch, an in-place update there would change an immutable array.
    64-bit numbers become 32-bit ones (unless `jax_enable_x64` is on): float64 is rounded; int64 must fit, where JAX
    alone would wrap 2**40 to 0. The way back is `np.array(x)` or `torch.from_dlpack(x).clone()`. D2L 2.1.6.

    Args:
      external: a NumPy array, or anything with `__dlpack__`, such as a detached torch tensor; torch is not imported.

    Raises:
      OverflowError: a number that the narrower dtype cannot hold.
      BufferError: a torch tensor that requires a gradient; pass `tensor.detach()` instead.

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
      p: at least 1, below which it is no norm; `math.inf` for the largest magnitude.
      axis: the axes that hold the vectors; None for all of them.
      keepdims: keep these axes, with size 1.

    Raises:
      TypeError: `x` is not floating point.
      ValueError: `p` is below 1, or there is no such axis.

    >>> u = jnp.array([3.0, -4.0])
    >>> float(norm(u)), float(norm(u, 1)), float(norm(jnp.ones((4, 9))))
    (5.0, 7.0, 6.0)
    >>> jax.grad(norm)(jnp.zeros(2))
    Array([0., 0.], dtype=float32)
    """
    x = floating("x", x)
    require_axis(axis, x.ndim)
    require_between(1, math.inf, p=p)
    magnitudes = x * jnp.sign(x)  # the derivative of jnp.abs at 0 is 1
    if p == 1:
        return jnp.sum(magnitudes, axis, keepdims=keepdims)
    if math.isinf(p):
        return jnp.max(magnitudes, axis, keepdims=keepdims, initial=0.0)
    return _root(jnp.sum(x * x if p == 2 else magnitudes**p, axis, keepdims=keepdims), p)


def var(
    x: Float[Array, "..."], axis: Axis = None, *, ddof: float | int = 1, keepdims: bool = False
) -> Float[Array, "..."]:
    """Sample variance, `sum_i (x_i - mean)^2 / (n - ddof)`, with a `ddof` of 1 as in torch; that of `jnp.var` is 0.

    NaN if there are no more than `ddof` numbers. D2L 2.3.6; `torch.var`, which calls this option `correction`.

    Raises:
      TypeError: `x` is not floating point.
      ValueError: there is no such axis.

    >>> var(jnp.array([1.0, 2.0, 3.0, 4.0])).round(4)
    Array(1.6667, dtype=float32)
    """
    x = floating("x", x)
    require_axis(axis, x.ndim)
    require_real(ddof=ddof)
    return jnp.var(x, axis, ddof=ddof, keepdims=keepdims)  # type: ignore[arg-type]  # it takes floats too


def std(
    x: Float[Array, "..."], axis: Axis = None, *, ddof: float | int = 1, keepdims: bool = False
) -> Float[Array, "..."]:
    """Sample standard deviation, the square root of `var`; its gradient is 0 where all numbers are equal. `torch.std`.

    Raises:
      TypeError, ValueError: as for `var`.

    >>> std(jnp.array([1.0, 2.0, 3.0, 4.0])).round(4)
    Array(1.291, dtype=float32)
    >>> jax.grad(std)(jnp.ones(2))
    Array([0., 0.], dtype=float32)
    """
    return _root(var(x, axis, ddof=ddof, keepdims=keepdims), 2)


def median(x: Num[Array, "..."], axis: int | None = None) -> Num[Array, "..."]:
    """The middle number; of an even count the lower of the two in the middle, where `jnp.median` takes their mean.

    It has the dtype of `x`, and is NaN if any number is. `torch.median`.

    Args:
      x: real numbers.
      axis: the axis to go along; None for all of `x`.

    Raises:
      TypeError: complex numbers, which have no order.
      ValueError: there are no numbers, or no such axis.
      OverflowError: a NumPy number that the 32-bit dtype cannot hold.

    >>> median(jnp.array([4, 1, 3, 2]))
    Array(2, dtype=int32)
    """
    x = real("x", _as_jax(x))
    require_axis(axis, x.ndim)
    require_not_empty(axis, x=x)
    x, axis = (jnp.ravel(x), 0) if axis is None else (x, axis)
    in_order = jnp.sort(x, axis)  # NaN comes last
    middle, last = (jnp.take(in_order, i, axis, mode="clip") for i in ((x.shape[axis] - 1) // 2, x.shape[axis] - 1))
    return jnp.where(jnp.isnan(last), last, middle)


def _root(total: Array, p: float | int) -> Array:
    # A root has infinite slope at 0, and infinity times 0 would be NaN: at 0 take the root of 1 instead.
    is_zero = total == 0
    positive = jnp.where(is_zero, 1.0, total)
    return jnp.where(is_zero, 0.0, jnp.sqrt(positive) if p == 2 else positive ** (1 / p))
