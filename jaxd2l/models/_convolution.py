"""Two-dimensional convolution (D2L 7.2 to 7.4, 8.6.5), and how its gradients become fast on CPUs."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from jaxd2l._checks.arrays import floating
from jaxd2l._checks.numbers import require_whole
from jaxd2l._checks.shapes import require_shapes
from jaxd2l._checks.windows import Padding, Pair, Sides, pair, require_window_fits, same_sides, sides

_FEW = 8
"""With no more channels than this, half a register on a CPU with AVX-512, convolutions become products of matrices."""

_Images = Float[Array, "_ _ _ _"]


class _Window(NamedTuple):
    """How a kernel moves over the images."""

    stride: Pair
    padding: Sides
    dilation: Pair


def conv2d(
    x: Float[Array, "n height width channels"],
    kernel: Float[Array, "rows columns channels_of_group outputs"],
    *,
    stride: int | Pair = 1,
    padding: Padding = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
) -> Float[Array, "n new_height new_width outputs"]:
    """Slides a kernel over images and takes the sum of products at each place: a cross-correlation.

        y[n, i, j, o] = sum over a, b, c of  x[n, s i + d a - p, s j + d b - p, c] kernel[a, b, c, o]

    Where the sum leaves the image, x is 0. Each axis gets `floor((size + 2p - d (k - 1) - 1) / s) + 1` outputs.
    D2L 7.2 to 7.4; `torch.nn.functional.conv2d`, whose weight is (outputs, channels, rows, columns): transpose it by
    (2, 3, 1, 0). On CPUs XLA's convolution or a product of matrices computes it, whichever is fast there. In a compiled
    loop its gradients are several times faster than those of `lax.conv_general_dilated`; every derivative works.

    Args:
      x: images, channels last.
      kernel: one window per input and output channel.
      stride: step of the window; a pair has one for the height and one for the width, as everywhere here.
      padding: zeros around the image: p on every side, (vertical, horizontal) or ((top, bottom), (left, right)).
        "same" keeps the size at stride 1, as in torch; "valid" is 0.
      groups: with g groups, each g-th of the outputs sees only its g-th of the channels. D2L 8.6.5.
      dilation: distance of neighbouring weights.

    Raises:
      TypeError: what is not floating point or not a whole number.
      ValueError: shapes or groups that do not fit, or a kernel larger than the padded image.

    >>> X, K = jnp.arange(9.0).reshape(1, 3, 3, 1), jnp.arange(4.0).reshape(2, 2, 1, 1)
    >>> conv2d(X, K)[0, :, :, 0]
    Array([[19., 25.],
           [37., 43.]], dtype=float32)
    >>> conv2d(X, K, padding=1, stride=(3, 2))[0, :, :, 0]
    Array([[0., 8.],
           [6., 8.]], dtype=float32)
    """
    x, kernel = floating("x", x), floating("kernel", kernel)
    window = _checked(x, kernel, groups, stride=stride, padding=padding, dilation=dilation)
    return _conv2d(x, kernel, window, groups)


def _checked(x: Array, kernel: Array, groups: int, *, stride: Any, padding: Any, dilation: Any) -> _Window:
    require_shapes("n height width channels, rows>=1 columns>=1 channels/groups outputs", x=x, kernel=kernel)
    require_whole(1, groups=groups)
    channels, inputs, outputs = x.shape[-1], kernel.shape[-2], kernel.shape[-1]
    if channels != groups * inputs:
        of_groups = f" in each of {groups} groups" if groups > 1 else ""
        raise ValueError(f"x has {channels} channels, but the kernel is for {inputs}{of_groups}")
    if outputs % groups:
        raise ValueError(f"{outputs} outputs cannot be shared out among {groups} groups")
    steps, distance = pair("stride", stride), pair("dilation", dilation)
    rows, columns = kernel.shape[:2]
    if padding == "same":
        around = same_sides((rows, columns), steps, distance)
    else:
        around = sides(0 if padding == "valid" else padding)
    reach = (distance[0] * (rows - 1) + 1, distance[1] * (columns - 1) + 1)
    require_window_fits(reach, x.shape[1:3], around)
    return _Window(steps, around, distance)


@partial(jax.jit, static_argnums=(2, 3))  # so that a call outside any program is compiled only once
def _conv2d(x: _Images, kernel: _Images, window: _Window, groups: int) -> _Images:
    return lax.platform_dependent(
        x,
        kernel,
        cpu=partial(_on_cpu, window=window, groups=groups),
        default=partial(_convolution, window=window, groups=groups),
    )


def _convolution(
    x: _Images,
    kernel: _Images,
    window: _Window,
    *,
    axes: tuple[str, str, str] = ("NHWC", "HWIO", "NHWC"),
    groups: int = 1,
) -> _Images:
    return lax.conv_general_dilated(
        x,
        kernel,
        window.stride,
        window.padding,
        rhs_dilation=window.dilation,
        dimension_numbers=axes,
        feature_group_count=groups,
        precision=lax.Precision.HIGHEST,
    )


def _on_cpu(x: _Images, kernel: _Images, window: _Window, groups: int) -> _Images:
    """XLA's CPU compiler is fast at most convolutions of one group, and at products of matrices."""
    if groups > 1:
        parts = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
        return jnp.concatenate([_on_cpu(part, weights, window, 1) for part, weights in parts], -1)
    if _is_fast(x, kernel, window):
        return _single(x, kernel, window)
    return _of_patches(x, kernel, window)


def _is_fast(x: _Images, kernel: _Images, window: _Window) -> bool:
    """Whether XLA's own convolution is fast: with many channels, and a window smaller than what it gives.

    Measured on CPUs with AVX-512. A register has 16 numbers, and what a larger window gives XLA slides over *it*.
    """
    rows, columns, inputs, _ = kernel.shape
    height, width = _sizes(x, kernel, window)
    return inputs > _FEW and 1 < rows * columns <= height * width


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _single(x: _Images, kernel: _Images, window: _Window) -> _Images:
    return _convolution(x, kernel, window)


def _tangent(window: _Window, operands: tuple[_Images, _Images], tangents: tuple[Any, Any]) -> tuple[_Images, _Images]:
    """The derivative, written so that its *transpose*, the gradient, is a convolution in the order NHWC, HWIO, NHWC.

    In a compiled loop XLA is fast on CPUs at that order of axes alone. Transposing a convolution exchanges examples and
    channels of x, and inputs and outputs of the kernel.
    """
    (x, kernel), (dx, dkernel) = operands, tangents
    y = _single(x, kernel, window)
    dy = jnp.zeros_like(y)
    if not isinstance(dx, SymbolicZero):
        dy += _convolution(dx, kernel.transpose(0, 1, 3, 2), window, axes=("NHWC", "HWOI", "NHWC"))
    if not isinstance(dkernel, SymbolicZero):
        turned = x.transpose(3, 1, 2, 0), dkernel.transpose(2, 0, 1, 3)
        dy += _convolution(*turned, window, axes=("CHWN", "IHWO", "HWNC")).transpose(2, 0, 1, 3)
    return y, dy


_single.defjvp(_tangent, symbolic_zeros=True)


def _of_patches(x: _Images, kernel: _Images, window: _Window) -> _Images:
    """The convolution as one product of matrices, with a row for each place of the window: all that it sees there."""
    width, block = _sizes(x, kernel, window)[1], _block(x, kernel, window)
    x = jnp.pad(x, ((0, 0), *window.padding, (0, 0)))
    if block > 1:
        x, kernel = _in_blocks(x, kernel, block, -(-width // block))
    for axis in (2, 1):
        x = jnp.concatenate(_shifted(x, axis, kernel.shape[axis - 1], window), -1)
    product = jnp.matmul(x.reshape(-1, x.shape[-1]), kernel.reshape(x.shape[-1], -1), precision=lax.Precision.HIGHEST)
    return product.reshape(*x.shape[:2], x.shape[2] * block, -1)[:, :, :width]


def _shifted(x: _Images, axis: int, size: int, window: _Window) -> list[_Images]:
    """What each of the window's `size` rows (axis 1) or columns (axis 2) meets."""
    step, apart = window.stride[axis - 1], window.dilation[axis - 1]
    reach = (x.shape[axis] - apart * (size - 1) - 1) // step * step + 1
    return [lax.slice_in_dim(x, i * apart, i * apart + reach, step, axis) for i in range(size)]


def _in_blocks(x: _Images, kernel: _Images, block: int, count: int) -> tuple[_Images, _Images]:
    """Neighbouring columns as more channels, which makes a wider product.

    Four columns of 6 channels lie in memory as one column of 24, and one kernel computes all four: that of the next
    column is that of the first, moved on by one. It sees two blocks, since a block is no narrower than it reaches.
    """
    rows, columns, inputs, outputs = kernel.shape
    x = jnp.pad(x, ((0, 0), (0, 0), (0, (count + 1) * block - x.shape[2]), (0, 0)))
    moved = [jnp.pad(kernel, ((0, 0), (i, 2 * block - columns - i), (0, 0), (0, 0))) for i in range(block)]
    return (
        x.reshape(*x.shape[:2], count + 1, block * inputs),
        jnp.stack(moved, 3).reshape(rows, 2, block * inputs, block * outputs),
    )


def _block(x: _Images, kernel: _Images, window: _Window) -> int:
    """How many columns to take together: few, and no column left over if possible."""
    _, columns, inputs, _ = kernel.shape
    if columns == 1 or inputs > _FEW or window.stride != (1, 1) or window.dilation != (1, 1):
        return 1
    width, reach = _sizes(x, kernel, window)[1], max(columns - 1, 2)
    return next((n for n in range(reach, 2 * reach) if width % n == 0), reach)


def _sizes(x: _Images, kernel: _Images, window: _Window) -> tuple[int, int]:
    """Height and width of the result."""
    height, width = (
        (size + sum(around) - apart * (k - 1) - 1) // step + 1
        for size, k, step, around, apart in zip(x.shape[1:3], kernel.shape[:2], *window, strict=True)
    )
    return height, width
