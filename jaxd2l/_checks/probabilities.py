"""Checks of probabilities. Values that JAX is tracing cannot be seen and refused: the wrong ones become NaN."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import is_traced
from jaxd2l._checks.shapes import require_shapes
from jaxd2l._checks.values import element


def probabilities(name: str, p: Any) -> Float[Array, "..."]:
    """As a JAX array of probabilities, each on its own.

    >>> probabilities("p", jnp.array([0.5, 1.5]))
    Traceback (most recent call last):
    ValueError: p[1] is 1.5, but must lie in [0, 1]
    """
    p = floating(name, p)
    return _refused_or_nan("lie in [0, 1]", (p >= 0) & (p <= 1), name, p)


def distributions(name: str, p: Any) -> Float[Array, "*batch n"]:
    """As a JAX array of distributions on the last axis: they sum to 1 within 1e-5, or 4 roundings if less precise.

    >>> distributions("q", jnp.array([[0.5, 0.5], [0.5, 0.75]]))
    Traceback (most recent call last):
    ValueError: q[1] is [0.5  0.75], but must not be negative and must sum to 1
    """
    p = floating(name, p)
    require_shapes("*batch n", **{name: p})
    total = jnp.sum(p, -1, keepdims=True, dtype=p.dtype if p.dtype.itemsize >= 4 else jnp.float32)
    tolerance = max(1e-5, 4 * float(jnp.finfo(p.dtype).eps))
    is_right = jnp.all(p >= 0, -1, keepdims=True) & (jnp.abs(total - 1) <= tolerance)
    return _refused_or_nan("not be negative and must sum to 1", is_right, name, p)


def _refused_or_nan(rule: str, is_right: Bool[Array, "..."], name: str, p: Array) -> Array:
    if is_traced(is_right):
        return p * jnp.where(is_right, 1.0, jnp.nan).astype(p.dtype)  # a factor, so that the gradient is NaN too
    wrong = np.argwhere(~np.asarray(is_right))
    if len(wrong):
        index = tuple(wrong[0].tolist()) if is_right.shape == p.shape else tuple(wrong[0, :-1].tolist())
        raise ValueError(f"{element(name, index)} is {np.asarray(p)[index]}, but must {rule}")
    return p
