"""Convolution and pooling (D2L 7.2 to 7.5), in torch's order of axes: images (n, channels, height, width)."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
import torch
from torch.nn import functional

from jaxd2l import models
from jaxd2l.parity.suite.comparing import Case, FunctionPair, Numbers, case, torch_results

CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "LeNet 1": ((4, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
    "LeNet 2": ((4, 6, 14, 14), (16, 6, 5, 5), {}),
    "3x3 padded": ((2, 20, 9, 8), (24, 20, 3, 3), {"padding": 1}),
    "3x3 stride 2": ((2, 16, 9, 8), (12, 16, 3, 3), {"padding": 1, "stride": 2}),
    "(3, 5) stride (3, 4)": ((2, 3, 8, 8), (4, 3, 3, 5), {"padding": (0, 1), "stride": (3, 4)}),
    "same": ((2, 3, 7, 8), (4, 3, 3, 5), {"padding": "same"}),
    "dilated": ((2, 3, 11, 10), (4, 3, 3, 2), {"padding": 1, "dilation": (2, 3)}),
    "grouped": ((2, 6, 8, 8), (9, 2, 3, 3), {"padding": 1, "groups": 3}),
    "1x1": ((2, 16, 7, 7), (8, 16, 1, 1), {}),
    "1x1 stride (2, 3)": ((2, 3, 7, 7), (4, 3, 1, 1), {"stride": (2, 3)}),
}
"""Shapes of images and weights, and the options that both libraries take."""

POOLS: dict[str, tuple[Any, dict[str, Any]]] = {
    "2": (2, {}),
    "3 stride 2 padding 1": (3, {"stride": 2, "padding": 1}),
    "(2, 3) stride (2, 3)": ((2, 3), {"stride": (2, 3), "padding": (0, 1)}),
    "2 ceil_mode": (2, {"ceil_mode": True}),
    "3 stride 2 padding 1 ceil_mode": (3, {"stride": 2, "padding": 1, "ceil_mode": True}),
}


def cases() -> Iterator[Case]:
    """Each convolution, and each pooling: maximum, mean, and mean without the padding."""
    for name, (shape, weight, options) in CONVOLUTIONS.items():
        yield case(f"conv2d {name}", conv2d(**options), partial(_draw, shapes=(shape, weight, weight[:1])))
    for name, (window, options) in POOLS.items():
        draw = partial(_draw, shapes=((2, 3, 9, 11),))
        yield case(f"max_pool {name}", pool(functional.max_pool2d, models.max_pool, window, options), draw)
        yield case(f"mean_pool {name}", pool(functional.avg_pool2d, models.mean_pool, window, options), draw)
        without = {**options, "count_include_pad": False}
        yield case(f"mean_pool {name} inside", pool(functional.avg_pool2d, models.mean_pool, window, without), draw)
    yield case("max_pool ties", pool(functional.max_pool2d, models.max_pool, 3, {"stride": 2}), _ties)
    yield case("global_mean_pool", GLOBAL_MEAN, partial(_draw, shapes=((2, 3, 7, 5),)))


def conv2d(**options: Any) -> FunctionPair:
    """A convolution with a bias; every result is a sum of products, whose magnitudes add up to its scale."""

    def theirs(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, weight, bias, **options)

    def ours(x: jax.Array, weight: jax.Array, bias: jax.Array) -> jax.Array:
        y = models.conv2d(x.transpose(0, 2, 3, 1), weight.transpose(2, 3, 1, 0), **options) + bias
        return y.transpose(0, 3, 1, 2)

    return FunctionPair(theirs, ours, partial(_of_magnitudes, theirs), ("x", "weight", "bias"))


def pool(torch_pool: Callable[..., Any], jax_pool: Callable[..., Any], window: Any, options: Any) -> FunctionPair:
    """A maximum, or a sum of windows."""

    def theirs(x: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = torch_pool(x, window, **options)
        return pooled

    def scale(c: Numbers, x: Numbers) -> list[Numbers]:
        at = np.abs(x) if torch_pool is functional.avg_pool2d else x
        value, gradient = torch_results(theirs, [at], np.abs(c), torch.float64)
        return [np.abs(value), gradient]

    def ours(x: jax.Array) -> jax.Array:
        return jax_pool(x.transpose(0, 2, 3, 1), window, **options).transpose(0, 3, 1, 2)

    return FunctionPair(theirs, ours, scale)


GLOBAL_MEAN = FunctionPair(
    lambda x: torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())(x),
    lambda x: models.global_mean_pool(x.transpose(0, 2, 3, 1)),
    lambda c, x: _of_magnitudes(lambda x: x.mean((2, 3)), c, x),
)


def _of_magnitudes(function: Callable[..., torch.Tensor], c: Numbers, *inputs: Numbers) -> list[Numbers]:
    """Value and gradients of a function that is linear in each input, with every term made positive."""
    return list(torch_results(function, [np.abs(x) for x in inputs], np.abs(c), torch.float64))


def _draw(rng: np.random.Generator, shapes: tuple[tuple[int, ...], ...]) -> list[np.ndarray]:
    # Not of the cotangent's numbers: in the sum of squares that would come of it, torch's float64 errs by 13 roundings.
    own = rng.spawn(1)[0]
    return [own.standard_normal(shape).astype(np.float32) for shape in shapes]


def _ties(rng: np.random.Generator) -> list[np.ndarray]:
    """A black background and few grey levels, as images have."""
    return [rng.integers(0, 3, (2, 3, 9, 9)).astype(np.float32)]
