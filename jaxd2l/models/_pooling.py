"""Pooling: the largest or the mean value of each window (D2L 7.5, 8.3)."""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import require_flags
from jaxd2l._checks.shapes import require_shapes
from jaxd2l._checks.windows import Pair, Sides, pair, require_padding_within, require_window_fits, sides


class _Places(NamedTuple):
    """Where a window stands along one axis."""

    window: int
    stride: int
    before: int
    after: int
    num_windows: int


def max_pool(
    x: Float[Array, "n height width channels"],
    window: int | Pair,
    *,
    stride: int | Pair | None = None,
    padding: int | Pair | Sides = 0,
    ceil_mode: bool = False,
) -> Float[Array, "n new_height new_width channels"]:
    """The largest value of each window. D2L 7.5; `torch.nn.functional.max_pool2d`.

    Padding never wins: it counts as minus infinity. Of equal values the first, row by row, gets the whole gradient, and
    a NaN in a window is its maximum, as in torch.

    Args:
      x: images, channels last.
      window: its size; a pair has one for the height and one for the width, as everywhere here.
      stride: step of the window; by default its size, so that windows do not overlap.
      padding: around the image, at most half a window: p on every side, (vertical, horizontal) or ((top, bottom),
        (left, right)).
      ceil_mode: also a last window that lies only partly on the image.

    Raises:
      TypeError: what is not floating point or not a whole number.
      ValueError: a shape that does not fit, or a window larger than the padded image.

    >>> max_pool(jnp.arange(9.0).reshape(1, 3, 3, 1), 2, stride=1)[0, :, :, 0]
    Array([[4., 5.],
           [7., 8.]], dtype=float32)
    """
    x = floating("x", x)
    rows, columns = _places(x, window, stride, padding, ceil_mode)
    return _pool(x, rows, columns, -jnp.inf, _larger)


def mean_pool(
    x: Float[Array, "n height width channels"],
    window: int | Pair,
    *,
    stride: int | Pair | None = None,
    padding: int | Pair | Sides = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Float[Array, "n new_height new_width channels"]:
    """The mean value of each window. D2L 7.5; `torch.nn.functional.avg_pool2d`.

    Args:
      x, window, stride, padding, ceil_mode: as for `max_pool`.
      count_include_pad: whether a mean is over the zeros of the padding, too. What a last window of `ceil_mode` has
        beyond the padding never counts.

    Raises:
      TypeError, ValueError: as `max_pool`.

    >>> X = jnp.arange(9.0).reshape(1, 3, 3, 1)
    >>> mean_pool(X, 2, stride=1)[0, :, :, 0]
    Array([[2., 3.],
           [5., 6.]], dtype=float32)
    >>> mean_pool(X, 2, padding=1, count_include_pad=False)[0, :, :, 0]
    Array([[0. , 1.5],
           [4.5, 6. ]], dtype=float32)
    """
    x = floating("x", x)
    require_flags(count_include_pad=count_include_pad)
    rows, columns = _places(x, window, stride, padding, ceil_mode)
    counts = np.outer(*(_counts(n, p, count_include_pad) for n, p in zip(x.shape[1:3], (rows, columns), strict=True)))
    return _pool(x, rows, columns, 0.0, add) / jnp.asarray(counts[:, :, None], x.dtype)


def global_mean_pool(x: Float[Array, "n height width channels"]) -> Float[Array, "n channels"]:
    """The mean of each channel over the whole image. D2L 8.3; `torch.nn.AdaptiveAvgPool2d(1)` and `Flatten()`.

    >>> global_mean_pool(jnp.arange(8.0).reshape(1, 2, 2, 2))
    Array([[3., 4.]], dtype=float32)
    """
    x = floating("x", x)
    require_shapes("n height>=1 width>=1 channels", x=x)
    return jnp.mean(x, (1, 2))


def _places(
    x: Array, window: int | Pair, stride: int | Pair | None, padding: int | Pair | Sides, ceil_mode: bool
) -> tuple[_Places, _Places]:
    """Along the height and along the width."""
    require_shapes("n height width channels", x=x)
    require_flags(ceil_mode=ceil_mode)
    sizes = pair("window", window)
    steps, around = sizes if stride is None else pair("stride", stride), sides(padding)
    require_padding_within(sizes, around)
    require_window_fits(sizes, x.shape[1:3], around)
    rows, columns = (
        _along(size, k, s, before, after, ceil_mode)
        for size, k, s, (before, after) in zip(x.shape[1:3], sizes, steps, around, strict=True)
    )
    return rows, columns


def _along(size: int, window: int, stride: int, before: int, after: int, ceil_mode: bool) -> _Places:
    spare = size + before + after - window
    count = (-(-spare // stride) if ceil_mode else spare // stride) + 1
    if ceil_mode and (count - 1) * stride >= size + before:  # the last window must begin on the image
        count -= 1
    return _Places(window, stride, before, after, count)


def _counts(size: int, places: _Places, count_include_pad: bool) -> np.ndarray:
    """How many numbers the windows along one axis hold."""
    starts = np.arange(places.num_windows) * places.stride - places.before
    ends = np.minimum(starts + places.window, size + places.after)
    return ends - starts if count_include_pad else np.minimum(ends, size) - np.maximum(starts, 0)


def _pool(x: Array, rows: _Places, columns: _Places, outside: float, join: Callable[[Array, Array], Array]) -> Array:
    """Row by row and then over the rows: `rows + columns` slices in place of `rows * columns`.

    Slices, because on CPUs the gradient of `lax.reduce_window` takes several times as long.
    """
    for axis, places in ((2, columns), (1, rows)):
        size, reach = x.shape[axis], places.stride * (places.num_windows - 1) + 1
        beyond = max(reach + places.window - 1 - places.before - size, 0)
        if places.before or beyond:
            edges = [(places.before, beyond) if a == axis else (0, 0) for a in range(4)]
            x = jnp.pad(x, edges, constant_values=outside)
        steps = [slice(i, i + reach, places.stride) for i in range(places.window)]
        x = reduce(join, (x[(slice(None),) * axis + (step,)] for step in steps))
    return x


def _larger(first: Array, second: Array) -> Array:
    """Unlike `jnp.maximum`, gives the gradient of equal values to the first."""
    return jnp.where((second > first) | jnp.isnan(second), second, first)
