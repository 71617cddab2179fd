"""Arrays turned from torch's layout to JAX's and back: the argument `to_jax` of `check`."""

from collections.abc import Callable
from typing import Any

import numpy as np


def order_of(text: str) -> tuple[int, ...]:
    """The permutation that a layout such as "NCHW->NHWC" means."""
    before, _, after = text.replace(" ", "").partition("->")
    if sorted(before) != sorted(after) or len(set(before)) < len(before) or not before:
        raise ValueError(f"to_jax must be a layout such as 'NCHW->NHWC', or a function; got {text!r}")
    return tuple(before.index(axis) for axis in after)


def layouts(to_jax: Any) -> dict[int, tuple[int, ...]]:
    return {len(order): order} if isinstance(to_jax, str) and (order := order_of(to_jax)) else {}


def to_jax_layout(to_jax: str | Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    if isinstance(to_jax, str):
        order = order_of(to_jax)
        return lambda x: np.transpose(x, order) if x.ndim == len(order) else x
    return to_jax or _as_it_is


def to_torch_layout(to_jax: Any) -> Callable[[Any], Any]:
    """From JAX's layout of an array back to torch's."""
    if not isinstance(to_jax, str):
        return _as_it_is
    order = tuple(int(i) for i in np.argsort(order_of(to_jax)))
    return lambda x: x.transpose(order) if x.ndim == len(order) else x


def _as_it_is(array: Any) -> Any:
    return array
