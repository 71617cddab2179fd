"""Arrays as the functions want them: what JAX or NumPy would convert silently is refused here."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxd2l._checks.numbers import is_real, is_traced
from jaxd2l._checks.shapes import require_not_empty, require_shapes
from jaxd2l._checks.values import (
    host_or_device,
    require_classes,
    require_finite,
    require_integers,
    require_none_negative,
)


def real(name: str, x: Any) -> Array:
    """As a JAX array of real numbers; complex ones would be compared, or lose a part, silently.

    >>> real("prices", [1j])
    Traceback (most recent call last):
    TypeError: prices must hold real numbers, got complex128
    """
    x = host_or_device(x)
    if not is_real(x.dtype):
        raise TypeError(f"{name} must hold real numbers, got {x.dtype}")
    if isinstance(x, np.ndarray) and x.dtype.kind in "iu":
        x = narrowed(x, jax.dtypes.canonicalize_dtype(x.dtype))  # JAX alone would wrap 2**32 to 0
    return jnp.asarray(x)


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


def finite(name: str, x: Any) -> Array:
    """As a JAX array of floating-point numbers, at least one, without NaN or infinity.

    >>> finite("targets", jnp.zeros((0, 1)))
    Traceback (most recent call last):
    ValueError: targets must not be empty, got shape (0, 1)
    """
    x = floating(name, x)
    require_not_empty(None, **{name: x})
    require_finite(**{name: x})
    return x


def vector(name: str, x: Any) -> Array:
    """As a JAX array of finite floating-point numbers along one axis, at least one.

    >>> vector("w", jnp.ones((2, 1)))
    Traceback (most recent call last):
    ValueError: w must have shape (n,); got (2, 1)
    """
    require_shapes("n", **{name: x})
    return finite(name, x)


def pixels_or_floats(name: str, x: Any) -> Array:
    """As a JAX array of uint8 pixels or of floating-point features.

    >>> pixels_or_floats("inputs", [0, 255])
    Traceback (most recent call last):
    TypeError: inputs must be uint8 pixels or floating-point features, got int32; use .astype('float32')
    """
    x = jnp.asarray(x)
    if x.dtype != jnp.uint8 and not jnp.issubdtype(x.dtype, jnp.floating):
        advice = "; use .astype('float32')" if is_real(x.dtype) else ""
        raise TypeError(f"{name} must be uint8 pixels or floating-point features, got {x.dtype}{advice}")
    return x


def examples(inputs: Any, num_features: int) -> Array:
    """As a JAX array of floating-point examples along the first axis, each of `num_features` numbers in any shape.

    >>> examples(jnp.ones((5, 3)), num_features=2)
    Traceback (most recent call last):
    ValueError: the model takes 2 features per example: inputs of shape (n, 2) or images of that many pixels; got (5, 3)
    """
    inputs = jnp.asarray(inputs)
    if not jnp.issubdtype(inputs.dtype, jnp.floating):
        raise TypeError(
            f"models take floating-point inputs, got {inputs.dtype}; data.to_float makes images numbers in [0, 1]"
        )
    if inputs.ndim < 2 or math.prod(inputs.shape[1:]) != num_features:
        raise ValueError(
            f"the model takes {num_features} features per example: inputs of shape (n, {num_features}) "
            f"or images of that many pixels; got {inputs.shape}"
        )
    return inputs


def cast(name: str, x: Any, dtype: Any) -> Array:
    """As a JAX array of this dtype; what it cannot hold is refused: fractions, imaginary parts, larger numbers.

    >>> cast("value", 17.5, jnp.int32)
    Traceback (most recent call last):
    TypeError: value holds float32, which an array of int32 cannot hold; convert one of them with .astype
    """
    x = host_or_device(x)
    if any(jnp.issubdtype(x.dtype, k) and not jnp.issubdtype(dtype, k) for k in (jnp.inexact, np.complexfloating)):
        given = jax.dtypes.canonicalize_dtype(x.dtype)
        raise TypeError(
            f"{name} holds {given}, which an array of {np.dtype(dtype)} cannot hold; convert one of them with .astype"
        )
    return x.astype(dtype) if is_traced(x) else jnp.asarray(narrowed(np.asarray(x), dtype))


def classes(name: str, labels: Any, num_classes: int, *, ignore_index: int | None = None) -> Int[Array, "..."]:
    """As a JAX array of int32: classes from 0 to C-1, or `ignore_index`.

    >>> classes("labels", np.array([0, 3]), num_classes=3)
    Traceback (most recent call last):
    ValueError: labels[1] is 3, but must be a class from 0 to 2
    """
    labels = host_or_device(labels)
    require_classes(num_classes, ignore_index=ignore_index, **{name: labels})
    return jnp.asarray(labels).astype(jnp.int32)  # after the check: 2**32 would become class 0


def counts(name: str, x: Any) -> Int[Array, "..."]:
    """As a JAX array of int32: whole numbers from 0 on whose sum fits into an int32 as well.

    >>> counts("confusion", [[1, -1], [0, 2]])
    Traceback (most recent call last):
    ValueError: confusion[0, 1] is -1, but must be at least 0
    """
    x = host_or_device(x)
    require_integers(**{name: x})
    require_none_negative(**{name: x})
    if not is_traced(x) and (total := np.sum(np.asarray(x, object))) >= 2**31:  # Python's integers do not overflow
        raise ValueError(f"{name} must add up to less than 2^31, got {total}")
    return jnp.asarray(x).astype(jnp.int32)


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


def require_norm(x: Array, *, axes: int | None = 1, **parts: tuple[Any, tuple[str, str]]) -> None:
    """Dictionaries of two arrays of floating-point numbers, each of the shape of x's last axes.

    axes: how many of them; None if the arrays decide.

    >>> state = {"mean": jnp.zeros(3), "var": jnp.ones((3, 1))}
    >>> require_norm(jnp.ones((2, 3)), state=(state, ("mean", "var")))
    Traceback (most recent call last):
    ValueError: mean and var in state must have the shape of the last axes of x (2, 3); got (3,) and (3, 1)
    """
    for name, (arrays, keys) in parts.items():
        if not isinstance(arrays, Mapping) or not set(keys) <= set(arrays):
            raise TypeError(f"{name} is a dictionary with {keys[0]} and {keys[1]}, each an array")
        first, second = (np.shape(floating(f"{name}[{key!r}]", arrays[key])) for key in keys)
        fits = first == second and first and x.ndim > len(first) and x.shape[-len(first) :] == first
        if not fits or axes not in (None, len(first)):
            raise ValueError(
                f"{keys[0]} and {keys[1]} in {name} must have the shape of the last axes of x {x.shape}; got {first} "
                f"and {second}"
            )


def narrowed(host: np.ndarray, dtype: Any) -> np.ndarray:
    """A copy in this dtype, rounded if need be; a number beyond its range is refused."""
    if not jnp.issubdtype(host.dtype, np.number) and host.dtype != bool:
        raise TypeError(f"an array here holds numbers, not {host.dtype}")
    with np.errstate(over="ignore", under="ignore"):
        narrow = host.astype(dtype)
        is_lost = np.isfinite(host) & ~np.isfinite(narrow) if jnp.issubdtype(dtype, jnp.inexact) else narrow != host
    if np.any(is_lost):
        raise OverflowError(f"{host[is_lost].flat[0]} does not fit into {dtype}")
    return narrow
