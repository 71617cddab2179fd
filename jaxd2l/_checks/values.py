"""Checks of the values in arrays. A traced array has no values to look at, and passes."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from jaxd2l._checks.numbers import is_real, is_traced


def host_or_device(x: Any) -> Array | np.ndarray:
    """A JAX array as it is, anything else as NumPy: on the host its values can be checked even while tracing."""
    return x if isinstance(x, jax.Array) else np.asarray(x)


def random_key(name: str, key: Any) -> PRNGKeyArray:
    """One key of `jax.random`, of the new kind or the old. A number is none: it would have to be made one.

    >>> random_key("key", 0)
    Traceback (most recent call last):
    TypeError: key must be a random key, such as jax.random.key(0); got 0
    """
    is_array = isinstance(key, jax.Array | np.ndarray)
    is_new = is_array and jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    is_old = is_array and key.dtype == np.uint32 and key.ndim > 0
    if not (is_new or is_old):
        got = f"{key.dtype} of shape {key.shape}" if is_array else repr(key)
        raise TypeError(f"{name} must be a random key, such as jax.random.key(0); got {got}")
    if key.ndim != (0 if is_new else 1):
        raise ValueError(f"{name} must be one random key, such as {name}[0]; got an array of shape {key.shape}")
    return key


def require_classes(num_classes: int, *, ignore_index: int | None = None, **labels: Any) -> None:
    """Integers from 0 to C-1, or `ignore_index`."""
    or_ignored = "" if ignore_index is None else f", or {ignore_index} to ignore the example"
    require_integers(**labels)
    for name, values in labels.items():
        _require_each(
            f"be a class from 0 to {num_classes - 1}{or_ignored}",
            lambda y: (y >= 0) & (y < num_classes) | (y == ignore_index),
            name,
            values,
        )


def require_integers(**arrays: Any) -> None:
    """Integers of any width; booleans are none.

    >>> require_integers(labels=np.array([0.0, 1.0]))
    Traceback (most recent call last):
    TypeError: labels must be integers, got float64
    """
    for name, array in arrays.items():
        dtype = host_or_device(array).dtype
        if not jnp.issubdtype(dtype, jnp.integer):
            raise TypeError(f"{name} must be integers, got {dtype}")


def require_finite(**arrays: Any) -> None:
    """No NaN and no infinity.

    >>> require_finite(source=np.array([1.0, np.nan]))
    Traceback (most recent call last):
    ValueError: source[1] is nan, but must be finite; remove or impute such values first
    """
    for name, array in arrays.items():
        _require_each("be finite; remove or impute such values first", np.isfinite, name, array)


def require_all_positive(**arrays: Any) -> None:
    """No 0, no negative number and no NaN.

    >>> require_all_positive(prices=np.array([[100.0, -1.0]]))
    Traceback (most recent call last):
    ValueError: prices[0, 1] is -1.0, but must be positive
    """
    for name, array in arrays.items():
        _require_each("be positive", lambda x: x > 0, name, array)


def require_none_negative(**arrays: Any) -> None:
    """No negative number and no NaN.

    >>> require_none_negative(weights=np.array([0.5, -1.0]))
    Traceback (most recent call last):
    ValueError: weights[1] is -1.0, but must be at least 0
    """
    for name, array in arrays.items():
        _require_each("be at least 0", lambda x: x >= 0, name, array)


def element(name: str, index: Sequence[int]) -> str:
    """How an element reads in a message: `labels[0, 3]`, or `labels` of an array without axes."""
    return f"{name}[{', '.join(map(str, index))}]" if len(index) else name


def _require_each(rule: str, is_right: Callable[[np.ndarray], np.ndarray], name: str, array: Any) -> None:
    """Refuses what is not real, and the first element that breaks the rule, with its index and value."""
    array = host_or_device(array)
    if not is_real(array.dtype):
        raise TypeError(f"{name} must hold real numbers, got {array.dtype}")
    if is_traced(array):
        return
    values = np.asarray(array)
    wrong = np.argwhere(~np.asarray(is_right(values)))
    if len(wrong):
        index = tuple(wrong[0].tolist())
        raise ValueError(f"{element(name, index)} is {values[index]}, but must {rule}")
