"""Hostile arguments to convolution and pooling; right results are those of a loop over all windows."""

import numpy as np
import pytest
from hypothesis import strategies as st

from jaxd2l import models
from jaxd2l.fuzz_tests.arguments import (
    Case,
    array,
    count,
    flags,
    floats,
    hostile_arrays,
    hostile_counts,
    hunt,
    is_close,
    mixed,
    wide,
)


def both(value) -> tuple[int, int]:
    return tuple(value) if isinstance(value, tuple | list) else (value, value)


def padded(x, padding, value: float) -> np.ndarray:
    around = (
        padding if isinstance(padding, tuple) and isinstance(padding[0], tuple) else [(p, p) for p in both(padding)]
    )
    return np.pad(wide(x), [(0, 0), *around, (0, 0)], constant_values=value)


def windows(x: np.ndarray, window, stride, dilation=1) -> np.ndarray:
    """Shape (rows, columns, n, places of the window, channels): what the window sees at each place."""
    (k, m), (s, t), (d, e) = both(window), both(stride), both(dilation)
    height, width = (
        (n - q * (r - 1) - 1) // p + 1 for n, r, p, q in zip(x.shape[1:3], (k, m), (s, t), (d, e), strict=True)
    )
    seen = [
        [x[:, i * s : i * s + d * k : d, j * t : j * t + e * m : e][:, :k, :m] for j in range(width)]
        for i in range(height)
    ]
    seen = np.asarray(seen)
    return seen.reshape(height, width, x.shape[0], k * m, x.shape[-1])


def conv2d_is_right(result, x, kernel, stride=1, padding=0, groups=1, dilation=1) -> None:
    rows, columns, inputs, outputs = np.shape(kernel)
    if padding == "same":
        spare = [d * (k - 1) for d, k in zip(both(dilation), (rows, columns), strict=True)]
        padding = tuple((s // 2, s - s // 2) for s in spare)
    seen = windows(padded(x, padding, 0), (rows, columns), stride, dilation)
    parts = []
    for g in range(groups):
        weights = wide(kernel)[..., g * outputs // groups : (g + 1) * outputs // groups].reshape(
            rows * columns, inputs, -1
        )
        parts.append(np.einsum("ijnpc,pco->nijo", seen[..., g * inputs : (g + 1) * inputs], weights))
    is_close(result, np.concatenate(parts, -1), 1e-4, 1e-3)


def max_pool_is_right(result, x, window, stride=None, padding=0, ceil_mode=False) -> None:
    if not ceil_mode:
        seen = windows(padded(x, padding, -np.inf), window, window if stride is None else stride)
        is_close(result, np.moveaxis(seen.max(3), 2, 0))


def mean_pool_is_right(result, x, window, stride=None, padding=0, ceil_mode=False, count_include_pad=True) -> None:
    if not ceil_mode:
        steps = window if stride is None else stride
        seen = windows(padded(x, padding, 0), window, steps)
        counted = windows(padded(np.ones_like(wide(x)), padding, float(count_include_pad)), window, steps)
        is_close(result, np.moveaxis(seen.sum(3) / counted.sum(3), 2, 0), 1e-4, 1e-4)


sizes = mixed(
    st.sampled_from([1, 2, 3, (2, 1), [1, 2], np.int64(2)]), hostile_counts, st.sampled_from([(1, 2, 3), (2, 0)])
)
paddings = mixed(
    st.sampled_from([0, 1, (1, 0), ((0, 1), (1, 0))]), hostile_counts, st.sampled_from(["full", ((1, 1),), (1, (0, 1))])
)
images = array((2, 4, 5, 2), (1, 3, 3, 1), (0, 3, 3, 2))
kernels = mixed(floats(st.sampled_from([(2, 3, 2, 2), (1, 1, 2, 4), (3, 3, 1, 2), (2, 2, 1, 1)])), hostile_arrays)
pooled = {"x": images, "window": sizes}
moved = {"stride": mixed(sizes, st.none()), "padding": paddings, "ceil_mode": flags}

CASES = {
    "models.conv2d": Case(
        models.conv2d,
        {"x": images, "kernel": kernels},
        {"stride": sizes, "padding": mixed(paddings, st.just("same")), "groups": count(1, 2), "dilation": sizes},
        conv2d_is_right,
    ),
    "models.max_pool": Case(models.max_pool, pooled, moved, max_pool_is_right),
    "models.mean_pool": Case(models.mean_pool, pooled, {**moved, "count_include_pad": flags}, mean_pool_is_right),
    "models.global_mean_pool": Case(
        models.global_mean_pool, {"x": images}, {}, lambda result, x: is_close(result, wide(x).mean((1, 2)))
    ),
}


@pytest.mark.bad_input
@pytest.mark.parametrize("name", CASES)
def test_right_or_refused(name) -> None:
    hunt(CASES[name])
