"""Activations (D2L 4.1, 5.1): softmax and its logarithm, and the elementwise functions."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from jaxd2l import activations
from jaxd2l.parity.rule import SINGLE
from jaxd2l.parity.suite.comparing import Case, FunctionPair, Numbers, case

Function = Callable[[Numbers], Numbers]


def cases() -> Iterator[Case]:
    """Scores of ordinary size along each axis, then large offsets; every elementwise function over four widths."""
    for name, along in (("softmax", softmax), ("log_softmax", log_softmax)):
        for axis in (-1, 0, 1):
            yield case(f"{name} axis={axis}", along(axis), partial(_scores, shape=(8, 6, 10)))
        yield case(f"{name} 1000 classes", along(-1), partial(_scores, shape=(4, 1000)))
        yield case(f"{name} wide", along(-1), partial(_scores, shape=(64, 10), width=100.0))
        yield case(f"{name} logits + 1e4", along(-1), partial(_scores, shape=(64, 10), offset=1e4))
    for name, pair in ELEMENTWISE.items():
        yield case(name, pair, _four_widths)
    for channels in (1, 5):
        yield case(f"prelu slopes={channels}", PRELU, partial(_prelu_inputs, channels=channels))


def softmax(axis: int = -1) -> FunctionPair:
    """torch's softmax and ours.

    `p_i` inherits the roundings of the exponentials: relative error `2 + |x_i - max| + sum_k p_k |x_k - max|`.
    """
    return FunctionPair(
        lambda x: torch.softmax(x, axis),
        lambda x: activations.softmax(x, axis),
        partial(_softmax_scale, axis=axis),
    )


def log_softmax(axis: int = -1) -> FunctionPair:
    """`x_i - max - log(sum)`: each of the three terms rounds."""
    return FunctionPair(
        lambda x: torch.log_softmax(x, axis),
        lambda x: activations.log_softmax(x, axis),
        partial(_log_softmax_scale, axis=axis),
    )


def softmax_terms(x: Numbers, axis: int = -1) -> tuple[Numbers, Numbers, Numbers]:
    """Probabilities, their relative error in roundings, and the condition scale of their logarithm."""
    shifted = x - np.max(x, axis, keepdims=True, initial=-np.inf)
    exponentials = np.exp(shifted)
    total = np.sum(exponentials, axis, keepdims=True)
    p = exponentials / total
    sizes = np.where(np.isinf(shifted), 0.0, np.abs(shifted))
    mean_size = np.sum(p * sizes, axis, keepdims=True)
    return p, 2 + sizes + mean_size, sizes + np.abs(np.log(total)) + 1 + mean_size


def sum_roundings(n: int) -> float:
    """Roundings of a sum of n terms in no agreed order: they add up like a random walk."""
    return 1 + math.sqrt(n)


def _softmax_scale(c: Numbers, x: Numbers, axis: int) -> tuple[Numbers, Numbers]:
    """Gradient: `p_i (c_i - sum_k p_k c_k)`, with the errors of `p` in both places."""
    p, error, _ = softmax_terms(x, axis)
    c = np.abs(c)
    mean = np.sum(p * c, axis, keepdims=True)
    return p * error, p * ((1 + error) * (c + mean) + np.sum(p * error * c, axis, keepdims=True))


def _log_softmax_scale(c: Numbers, x: Numbers, axis: int) -> tuple[Numbers, Numbers]:
    """Gradient: `c_i - p_i sum_k c_k`."""
    p, error, scale = softmax_terms(x, axis)
    roundings = error + sum_roundings(np.shape(x)[axis])
    return scale, np.abs(c) + p * roundings * np.sum(np.abs(c), axis, keepdims=True)


def elementwise(theirs: Callable[..., Any], ours: Callable[..., Any], value: Function, slope: Function) -> FunctionPair:
    """A function of each element; `value` and `slope` are the condition scales of it and of its derivative."""
    return FunctionPair(theirs, ours, lambda c, x: (value(x), np.abs(c) * slope(x)))


def leaky_relu(negative_slope: float = 0.01) -> FunctionPair:
    """Exact except for one product."""
    return elementwise(
        lambda x: functional.leaky_relu(x, negative_slope),
        lambda x: activations.leaky_relu(x, negative_slope),
        lambda x: np.where(x > 0, x, np.abs(negative_slope * x)),
        lambda x: np.where(x > 0, 1, abs(negative_slope)),
    )


TANH_ROUNDINGS = 4
"""XLA's tanh is a quotient of polynomials, good to 4.2 ULPs; torch's is good to 0.6."""

FLUSHED = 2.0**-126 / SINGLE
"""Scale of a factor that XLA flushes to zero on CPUs when it is subnormal."""


def _sigmoid(x: Numbers) -> Numbers:
    return np.exp(-np.logaddexp(0, -x))


def swish(beta: float = 1.0) -> FunctionPair:
    """`x s`, s = sigmoid(beta x); the derivative `s (1 + beta x (1 - s))` cancels, and 1 - s may round to 0."""
    return elementwise(
        lambda x: functional.silu(x) if beta == 1 else x * torch.sigmoid(beta * x),
        lambda x: activations.swish(x) if beta == 1 else activations.swish(x, beta),
        lambda x: np.abs(x) * (_sigmoid(beta * x) * (1 + np.abs(beta * x)) + FLUSHED),
        lambda x: (_sigmoid(beta * x) + FLUSHED) * (1 + np.abs(beta * x)) ** 2,
    )


def _tanh_slope(x: Numbers) -> Numbers:
    """`1 - t^2`: next to 1 the error of t is all that is left."""
    return 1 + 2 * TANH_ROUNDINGS * np.tanh(x) ** 2


def _gelu_slope(x: Numbers) -> Numbers:
    """`Phi + x phi`, with Phi the sum of 1 and erf, and x^2 / 2 in the exponent of phi."""
    return 1 + np.abs(x) * (2 + x**2) * np.exp(-(x**2) / 2)


def _gelu_tanh_slope(x: Numbers) -> Numbers:
    """`(1 + t) / 2 + x (1 - t^2) z' / 2`; where t has rounded to 1 the second term is gone."""
    z, slope = np.sqrt(2 / np.pi) * (x + 0.044715 * x**3), np.sqrt(2 / np.pi) * (1 + 0.134145 * x**2)
    return 1 + np.where(np.abs(z) < 20, np.abs(x) * slope * _tanh_slope(z) / 2, 0)


ELEMENTWISE = {
    "relu": elementwise(
        torch.relu, lambda x: activations.relu(x), lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, 1.0, 0.0)
    ),
    "leaky_relu": leaky_relu(),
    "leaky_relu slope=0.3": leaky_relu(0.3),
    # The derivative s (1 - s) loses what rounds off next to 1, in both libraries.
    "sigmoid": elementwise(torch.sigmoid, lambda x: activations.sigmoid(x), _sigmoid, _sigmoid),
    "tanh": elementwise(
        torch.tanh, lambda x: activations.tanh(x), lambda x: TANH_ROUNDINGS * np.abs(np.tanh(x)), _tanh_slope
    ),
    "swish": swish(),
    "swish beta=1.7": swish(1.7),
    # x (1 + erf) / 2 and x (1 + t) / 2 cancel on the left: the error stays that of the 1.
    "gelu": elementwise(functional.gelu, lambda x: activations.gelu(x), np.abs, _gelu_slope),
    "gelu tanh": elementwise(
        lambda x: functional.gelu(x, approximate="tanh"),
        lambda x: activations.gelu(x, approximate=True),
        np.abs,
        _gelu_tanh_slope,
    ),
}


def _prelu_scale(c: Numbers, x: Numbers, slope: Numbers) -> tuple[Numbers, ...]:
    terms = np.abs(c) * np.where(x > 0, 0.0, np.abs(x))
    shared_over = tuple(range(x.ndim if slope.size == 1 else x.ndim - 1))
    return np.abs(np.where(x > 0, x, slope * x)), np.abs(c) * np.where(x > 0, 1, np.abs(slope)), terms.sum(shared_over)


PRELU = FunctionPair(
    # torch has the channels on axis 1, we have them last.
    lambda x, slope: functional.prelu(x.movedim(-1, 1), slope).movedim(1, -1),
    lambda x, slope: activations.prelu(x, slope),
    _prelu_scale,
    ("x", "slope"),
)


def _scores(
    rng: np.random.Generator, shape: tuple[int, ...], width: float = 3.0, offset: float = 0.0
) -> tuple[np.ndarray, ...]:
    return (width * rng.standard_normal(shape) + offset,)


def _four_widths(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Numbers around 0 of four orders of magnitude, and 0 itself."""
    x = rng.standard_normal((4, 500)) * np.array([[1e-3], [1.0], [5.0], [50.0]])
    x[:, 0] = 0.0
    return (x,)


def _prelu_inputs(rng: np.random.Generator, channels: int) -> tuple[np.ndarray, ...]:
    return rng.standard_normal((6, 4, 5)), rng.uniform(0.1, 0.5, channels)
