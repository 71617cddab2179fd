"""Tensor operations in which the libraries differ by default (D2L 2.1, 2.3): spread, length, median, indexing."""

import math
from collections.abc import Iterator
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
import torch

from jaxd2l.book import tensors
from jaxd2l.parity.suite.comparing import Case, FunctionPair, Numbers, case

Axis = int | tuple[int, ...] | None
ORDERS = (1, 1.5, 2, 3, math.inf)


def cases() -> Iterator[Case]:
    """Each at random points, and where a root or a magnitude has its kink: at 0."""
    for axis in (None, 1, (0, 2)):
        label = "" if axis is None else f" axis={axis}"
        for name, pair in (("var", spread("var", axis)), ("std", spread("std", axis))):
            yield from _at_random_and_at_0(f"tensors {name}{label}", pair)
        for p in ORDERS:
            yield from _at_random_and_at_0(f"tensors norm p={p}{label}", norm(p, axis))
    for name, pair in (("median", median()), ("median axis=1", median(1)), ("at", at(([2, 0, 2], 1)))):
        yield case(f"tensors {name}", pair, lambda rng: [rng.standard_normal((5, 4, 3))])
    for index in (1, ([2, 0],)):
        drawn = lambda rng: [rng.standard_normal((5, 4)), rng.standard_normal(4)]  # noqa: E731
        yield case(f"tensors set_at {index}", set_at(index), drawn)


def spread(
    name: Literal["var", "std"], axis: Axis = None, ddof: float | int = 1, *, keepdims: bool = False
) -> FunctionPair:
    """Variance or standard deviation: the deviations from the mean cancel, so they keep the roundings of what they
    are differences of.
    """

    def scale(c: Numbers, x: Numbers) -> list[Numbers]:
        mean = np.mean(x, axis, keepdims=True)
        freedom = x.size / mean.size - ddof if mean.size else 0.0
        deviation, size = np.abs(x - mean), np.abs(x) + np.mean(np.abs(x), axis, keepdims=True)
        value = np.sum(deviation**2, axis, keepdims=True) / freedom
        error = value + 2 * np.sum(deviation * size, axis, keepdims=True) / freedom
        slope = 2 * size / freedom
        if name == "std":
            root = np.sqrt(value)
            slope = (size + deviation * error / value) / (freedom * root)
            error = root + error / (2 * root)
        return [error.reshape(c.shape), np.abs(c).reshape(mean.shape) * slope]

    theirs, ours = (getattr(torch, name), getattr(tensors, name))
    return FunctionPair(
        lambda x: theirs(x, axis, correction=ddof, keepdim=keepdims),
        lambda x: ours(x, axis, ddof=ddof, keepdims=keepdims),
        scale,
    )


def norm(p: float | int = 2, axis: Axis = None, *, keepdims: bool = False) -> FunctionPair:
    """`(sum_i |x_i|^p)^(1/p)`: nothing cancels, and the slope is a ratio to the power p - 1."""

    def scale(c: Numbers, x: Numbers) -> list[Numbers]:
        length = np.abs(x).max(axis, initial=0.0, keepdims=True)
        if math.isfinite(p):
            length = np.sum(np.abs(x) ** p, axis, keepdims=True) ** (1 / p)
        slope = p * (np.abs(x) / length) ** (p - 1) if math.isfinite(p) else 1.0
        return [length.reshape(c.shape), np.abs(c).reshape(length.shape) * slope]

    return FunctionPair(
        lambda x: torch.linalg.vector_norm(x, p, axis, keepdim=keepdims),
        lambda x: tensors.norm(x, p, axis, keepdims=keepdims),
        scale,
    )


def median(axis: int | None = None) -> FunctionPair:
    """One of the numbers as it is, so the value must be exact."""
    return FunctionPair(
        lambda x: x.median() if axis is None else x.median(axis).values,
        lambda x: tensors.median(x, axis),
        lambda c, x: [0.0, 0.0],
    )


def at(index: Any) -> FunctionPair:
    """`x[index]`; where an element is read several times, its gradients add up."""

    def scale(c: Numbers, x: Numbers) -> list[Numbers]:
        slope = np.zeros_like(x)
        np.add.at(slope, _arrays(index, np.array), np.abs(c))
        return [0.0, slope]

    return FunctionPair(
        lambda x: x[_arrays(index, torch.tensor)],
        lambda x: tensors.at(x, _arrays(index, jnp.array)),
        scale,
    )


def set_at(index: Any) -> FunctionPair:
    """`x` with `value` at the index, as a new array; a value that is broadcast collects gradients."""

    def theirs(x: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[_arrays(index, torch.tensor)] = value
        return x

    return FunctionPair(
        theirs,
        lambda x, value: tensors.set_at(x, _arrays(index, jnp.array), value),
        lambda c, x, value: [0.0, 0.0, np.sum(np.abs(c))],
        ("x", "value"),
    )


def _arrays(index: Any, make: Any) -> Any:
    """The index with the lists in it as arrays of a library."""
    if isinstance(index, tuple):
        return tuple(_arrays(part, make) for part in index)
    return make(index) if isinstance(index, list) else index


def _at_random_and_at_0(name: str, pair: FunctionPair) -> Iterator[Case]:
    yield case(name, pair, lambda rng: [rng.standard_normal((5, 4, 3))])
    yield case(f"{name} at 0", pair, lambda rng: [np.zeros((5, 4, 3))])
