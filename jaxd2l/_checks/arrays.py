"""Checks of arrays that many functions share. What JAX or NumPy would convert in silence is refused by name here."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxd2l._checks.numbers import is_real


def real(name: str, x: Any) -> Array:
    """As a JAX array of real numbers; complex ones would be compared, or lose a part, in silence."""
    x = x if isinstance(x, jax.Array) else np.asarray(x)
    if not is_real(x.dtype):
        raise TypeError(f"{name} must hold real numbers, got {x.dtype}")
    if isinstance(x, np.ndarray) and x.dtype.kind in "iu":
        x = narrowed(x, jax.dtypes.canonicalize_dtype(x.dtype))  # JAX alone would wrap 2**32 to 0
    return jnp.asarray(x)


def narrowed(host: np.ndarray, dtype: Any) -> np.ndarray:
    """A copy of this dtype, rounded if need be; a number beyond its range is refused."""
    if not jnp.issubdtype(host.dtype, np.number) and host.dtype != bool:
        raise TypeError(f"an array here holds numbers, not {host.dtype}")
    with np.errstate(over="ignore", under="ignore"):
        narrow = host.astype(dtype)
        is_lost = np.isfinite(host) & ~np.isfinite(narrow) if jnp.issubdtype(dtype, jnp.inexact) else narrow != host
    if np.any(is_lost):
        raise OverflowError(f"{host[is_lost].flat[0]} does not fit into {dtype}")
    return narrow


def floating(name: str, x: Any) -> Array:
    """As a JAX array of floating-point numbers: integers overflow, and unsigned ones have no negative differences.

    >>> floating("x", [1, 2])
    Traceback (most recent call last):
    TypeError: x must be floating point, got int32 of shape (2,); convert it with .astype('float32')
    """
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise TypeError(
            f"{name} must be floating point, got {x.dtype} of shape {x.shape}; convert it with .astype('float32')"
        )
    return x


def require_finite(**arrays: Any) -> None:
    """No NaN and no infinity among the values, where there are values to look at: a traced array has none yet.

    >>> require_finite(source=np.array([1.0, np.nan]))
    Traceback (most recent call last):
    ValueError: source holds nan at index (1,); remove or impute such values first
    """
    for name, array in arrays.items():
        if not isinstance(array, jax.core.Tracer) and not np.isfinite(values := np.asarray(array)).all():
            where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
            raise ValueError(f"{name} holds {values[where]} at index {where}; remove or impute such values first")


def require_classes(labels: Array | np.ndarray, num_classes: int, ignore_index: int | None = None) -> None:
    """Integers from 0 to C-1. Looks at the values where there are any to look at; a traced array has none yet."""
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"labels must be integers (classes), got {labels.dtype}")
    if isinstance(labels, jax.core.Tracer):
        return
    values = np.asarray(labels)
    wrong = (values < 0) | (values >= num_classes)
    if ignore_index is not None:
        wrong &= values != ignore_index
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"label {values[where]} at index {where} is not a class: expected 0 to {num_classes - 1}"
            + ("" if ignore_index is None else f", or {ignore_index} to ignore the example")
        )


def require_layer(layer: Any) -> None:
    """The parameters of a fully connected layer; a bias of another shape would be broadcast.

    >>> require_layer({"kernel": jnp.ones((2, 3)), "bias": jnp.ones((3, 1))})
    Traceback (most recent call last):
    ValueError: a layer has a kernel (inputs, outputs) and a bias (outputs,); got (2, 3) and (3, 1)
    """
    if not isinstance(layer, Mapping) or not {"kernel", "bias"} <= set(layer):
        raise TypeError("a layer is a dictionary with a kernel and a bias")
    kernel, bias = np.shape(layer["kernel"]), np.shape(layer["bias"])
    if len(kernel) != 2 or bias != kernel[1:]:
        raise ValueError(f"a layer has a kernel (inputs, outputs) and a bias (outputs,); got {kernel} and {bias}")
