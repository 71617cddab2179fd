"""Convolutions and pools of torch.nn.functional, in torch's layout."""

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from parity_tests.operations.counterpart import Counterpart, inexpressible


def _each(value: Any, n: int) -> tuple[int, ...]:
    """An option for each of the n spatial axes."""
    values = (value,) * n if isinstance(value, int) else tuple(value)
    return values * n if len(values) == 1 else values


def _spatial(weight: Any) -> int:
    return weight.ndim - 2


def _conv(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Any:  # fmt: skip
    n = _spatial(weight)
    unbatched = x.ndim == n + 1
    if not isinstance(padding, str):
        padding = [(p, p) for p in _each(padding, n)]
    elif padding == "same":
        spare = [d * (k - 1) for d, k in zip(_each(dilation, n), weight.shape[2:], strict=True)]
        padding = [(s // 2, s - s // 2) for s in spare]
    y = lax.conv_general_dilated(
        x[None] if unbatched else x,
        weight,
        _each(stride, n),
        padding,
        rhs_dilation=_each(dilation, n),
        feature_group_count=groups,
    )
    y = y if bias is None else y + bias.reshape(-1, *(1,) * n)
    return y[0] if unbatched else y


def _conv_transpose(
    x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Any:  # fmt: skip
    n = _spatial(weight)
    unbatched = x.ndim == n + 1
    stride, padding, extra, dilation = (_each(v, n) for v in (stride, padding, output_padding, dilation))
    reach = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    pads = [(r - p, r - p + e) for r, p, e in zip(reach, padding, extra, strict=True)]
    inside, outside = weight.shape[:2]
    kernel = jnp.flip(weight, range(2, n + 2)).reshape(groups, inside // groups, outside, *weight.shape[2:])
    kernel = jnp.swapaxes(kernel, 1, 2).reshape(groups * outside, inside // groups, *weight.shape[2:])
    y = lax.conv_general_dilated(
        x[None] if unbatched else x,
        kernel,
        (1,) * n,
        pads,
        lhs_dilation=stride,
        rhs_dilation=dilation,
        feature_group_count=groups,
    )
    y = y if bias is None else y + bias.reshape(-1, *(1,) * n)
    return y[0] if unbatched else y


def _windows(x: Any, n: int, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> Any:
    """Arguments of `lax.reduce_window`, with torch's ceil_mode as padding on the right."""
    kernel = _each(kernel, n)
    stride = kernel if stride is None or stride == () else _each(stride, n)
    padding, dilation = _each(padding, n), _each(dilation, n)
    pads = []
    for size, k, s, p, d in zip(x.shape[-n:], kernel, stride, padding, dilation, strict=True):
        spare = size + 2 * p - d * (k - 1) - 1
        count = (-(-spare // s) if ceil_mode else spare // s) + 1
        if ceil_mode and (count - 1) * s >= size + p:
            count -= 1
        pads.append((p, max((count - 1) * s + d * (k - 1) + 1 - size - p, 0)))
    ones = (1,) * (x.ndim - n)
    return ones + kernel, ones + stride, [(0, 0)] * (x.ndim - n) + pads, ones + dilation


def _max_pool(n: int) -> Counterpart:
    def max_pool(
        x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:  # fmt: skip
        if return_indices:
            inexpressible("return_indices")
        size, steps, pads, dilations = _windows(x, n, kernel_size, stride, padding, dilation, ceil_mode)
        return lax.reduce_window(x, -jnp.inf, lax.max, size, steps, pads, None, dilations)

    return max_pool


def _avg_pool(n: int) -> Counterpart:
    def avg_pool(
        x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> Any:  # fmt: skip
        size, steps, pads, _ = _windows(x, n, kernel_size, stride, padding, 1, ceil_mode)
        sums = lax.reduce_window(x, 0.0, lax.add, size, steps, pads)
        if divisor_override is not None:
            return sums / divisor_override
        counted, spatial = jnp.ones(x.shape[-n:], x.dtype), pads[-n:]
        if count_include_pad:
            given = _each(padding, n)
            counted = jnp.pad(counted, [(p, p) for p in given], constant_values=1)
            spatial = [(0, max(after - p, 0)) for (_, after), p in zip(spatial, given, strict=True)]
        return sums / lax.reduce_window(counted, 0.0, lax.add, size[-n:], steps[-n:], spatial)

    return avg_pool


def _adaptive(n: int, reduce: Any) -> Counterpart:
    def pool(x: Any, output_size: Any, return_indices: bool = False) -> Any:
        if return_indices:
            inexpressible("return_indices")
        wanted = (output_size,) * n if isinstance(output_size, int) else tuple(output_size)
        for axis, size in zip(range(x.ndim - n, x.ndim), wanted * n if len(wanted) < n else wanted, strict=True):
            length = x.shape[axis]
            size = length if size is None else size
            parts = [
                lax.slice_in_dim(x, i * length // size, -(-(i + 1) * length // size), axis=axis) for i in range(size)
            ]
            x = jnp.concatenate([reduce(part, axis, keepdims=True) for part in parts], axis)
        return x

    return pool


def _patches(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    unbatched = x.ndim == 3
    y = lax.conv_general_dilated_patches(
        x[None] if unbatched else x,
        _each(kernel_size, 2),
        _each(stride, 2),
        [(p, p) for p in _each(padding, 2)],
        rhs_dilation=_each(dilation, 2),
    )
    y = y.reshape(*y.shape[:2], math.prod(y.shape[2:]))
    return y[0] if unbatched else y


CONVOLUTIONS: dict[str, Counterpart] = {
    "nn_functional_adaptive_avg_pool1d": _adaptive(1, jnp.mean),
    "nn_functional_adaptive_avg_pool2d": _adaptive(2, jnp.mean),
    "nn_functional_adaptive_avg_pool3d": _adaptive(3, jnp.mean),
    "nn_functional_adaptive_max_pool1d": _adaptive(1, jnp.max),
    "nn_functional_adaptive_max_pool2d": _adaptive(2, jnp.max),
    "nn_functional_adaptive_max_pool3d": _adaptive(3, jnp.max),
    "nn_functional_avg_pool1d": _avg_pool(1),
    "nn_functional_avg_pool2d": _avg_pool(2),
    "nn_functional_avg_pool3d": _avg_pool(3),
    "nn_functional_conv1d": _conv,
    "nn_functional_conv2d": _conv,
    "nn_functional_conv3d": _conv,
    "nn_functional_conv_transpose1d": _conv_transpose,
    "nn_functional_conv_transpose2d": _conv_transpose,
    "nn_functional_conv_transpose3d": _conv_transpose,
    "nn_functional_max_pool1d": _max_pool(1),
    "nn_functional_max_pool2d": _max_pool(2),
    "nn_functional_max_pool3d": _max_pool(3),
    "nn_functional_unfold": _patches,
}
