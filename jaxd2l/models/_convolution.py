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
    (2, 3, 1, 0). On CPUs the gradients are computed as convolutions of transposed operands, several times faster than
    those of `lax.conv_general_dilated` in a compiled loop; forward mode and higher derivatives work as usual.

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
    """XLA's CPU compiler is fast at convolutions of one group and at products of matrices."""
    if groups > 1:
        parts = zip(jnp.split(x, groups, -1), jnp.split(kernel, groups, -1), strict=True)
        return jnp.concatenate([_on_cpu(part, weights, window, 1) for part, weights in parts], -1)
    if kernel.shape[:2] == (1, 1) and window.padding == ((0, 0), (0, 0)):
        x = x[:, :: window.stride[0], :: window.stride[1]]
        product = jnp.matmul(x.reshape(-1, x.shape[-1]), kernel[0, 0], precision=lax.Precision.HIGHEST)
        return product.reshape(*x.shape[:-1], kernel.shape[-1])
    return _single(x, kernel, window)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _single(x: _Images, kernel: _Images, window: _Window) -> _Images:
    return _in_blocks(x, kernel, window)


def _tangent(window: _Window, operands: tuple[_Images, _Images], tangents: tuple[Any, Any]) -> tuple[_Images, _Images]:
    """The derivative, written so that its *transpose*, the gradient, is a convolution in the order NHWC, HWIO, NHWC.

    In a compiled loop XLA is fast on CPUs at that order of axes alone. Transposing a convolution exchanges examples and
    channels of x, and inputs and outputs of the kernel.
    """
    (x, kernel), (dx, dkernel) = operands, tangents
    y = _single(x, kernel, window)
    dy = jnp.zeros_like(y)
    if not isinstance(dx, SymbolicZero):
        dy += _in_blocks(dx, kernel, window, transposable=True)
    if not isinstance(dkernel, SymbolicZero):
        turned = x.transpose(3, 1, 2, 0), dkernel.transpose(2, 0, 1, 3)
        dy += _convolution(*turned, window, axes=("CHWN", "IHWO", "HWNC")).transpose(2, 0, 1, 3)
    return y, dy


_single.defjvp(_tangent, symbolic_zeros=True)


def _in_blocks(x: _Images, kernel: _Images, window: _Window, *, transposable: bool = False) -> _Images:
    """The convolution; if there are few channels, with blocks of neighbouring columns as more channels.

    XLA is slow at fewer channels than a vector register has numbers. Two columns of 6 channels lie in memory as one
    column of 12, and one kernel computes both: that of the second column is that of the first, moved on by one.
    """
    (rows, columns, inputs, outputs), block = kernel.shape, _block(x, kernel, window)
    if block > 1:
        x = jnp.pad(x, ((0, 0), (0, 0), window.padding[1], (0, 0)))
        width = -(-(block + columns - 1) // block) * block
        moved = [jnp.pad(kernel, ((0, 0), (i, width - columns - i), (0, 0), (0, 0))) for i in range(block)]
        kernel = jnp.stack(moved, 3).reshape(rows, width // block, block * inputs, block * outputs)
        x = x.reshape(*x.shape[:2], x.shape[2] // block, block * inputs)
        window = window._replace(padding=(window.padding[0], (0, 0)))
    if transposable:
        y = _convolution(x, kernel.transpose(0, 1, 3, 2), window, axes=("NHWC", "HWOI", "NHWC"))
    else:
        y = _convolution(x, kernel, window)
    return y.reshape(*y.shape[:2], y.shape[2] * block, outputs)


def _block(x: _Images, kernel: _Images, window: _Window) -> int:
    """How many columns to take together; measured on CPUs with AVX-512."""
    _, columns, *channels = kernel.shape
    width = x.shape[2] + sum(window.padding[1])
    if columns == 1 or window.stride != (1, 1) or window.dilation != (1, 1) or min(channels) > 8 or max(channels) > 32:
        return 1
    return next((n for n in (4, 2) if width % n == 0 and (columns - 1) % n == 0), 1)
